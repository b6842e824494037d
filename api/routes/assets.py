"""Assets: what is known, and how each one is now."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query

from api.queries import AssetsQuery
from api.routes import API_PREFIX
from api.schemas import Asset, AssetList
from api.services import ServicesDep
from common.scorestore.port import RunSummary

router = APIRouter(prefix=f"{API_PREFIX}/assets", tags=["assets"])


@router.get("", summary="All assets, each with its latest run and open alarm")
async def list_assets(services: ServicesDep, query: Annotated[AssetsQuery, Query()]) -> AssetList:
    """One entry per asset with at least one verdict, ordered by name.

    The latest run is the one with the latest reading. With `run_id`, that run is shown instead, and
    assets without it are left out.
    """
    runs = await services.scores.runs(asset_id=query.asset_id, run_id=query.run_id)
    alarms = {
        (item.alert.asset_id, item.alert.run_id): item
        for item in await services.history.open_alarms()
    }
    latest: dict[str, RunSummary] = {}
    for run in runs:
        known = latest.get(run.asset_id)
        if known is None or run.last_ts >= known.last_ts:
            latest[run.asset_id] = run
    counts = Counter(run.asset_id for run in runs)
    return AssetList(
        items=[
            Asset.of(run, counts[asset_id], alarms.get((asset_id, run.run_id)))
            for asset_id, run in sorted(latest.items())
        ]
    )
