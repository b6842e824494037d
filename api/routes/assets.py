"""Assets: what is known, and how each one is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from api.http import cursors
from api.http.answers import json_answer
from api.http.problems import invalid
from api.http.queries import AssetsQuery
from api.ports import StoredAlert
from api.routes import API_PREFIX
from api.services import ServicesDep
from api.views.schemas import Asset, AssetPage
from common.scorestore.port import RunPage, RunSummary

AHEAD: Final = timedelta(hours=1)
"""A clock that is this far ahead is wrong, and not merely unlike ours."""

router = APIRouter(prefix=f"{API_PREFIX}/assets", tags=["assets"])


@router.get("", summary="Assets, each with its latest run and open alarm", response_model=AssetPage)
async def list_assets(services: ServicesDep, query: Annotated[AssetsQuery, Query()]) -> Response:
    """One entry per asset with at least one verdict, ordered by name.

    The latest run is the one with the latest reading; a run dated more than an hour ahead of the
    api's clock comes after all others, and is marked where it is the only one. With `run_id`, that
    run is shown instead, and assets without it are left out. An asset whose readings were all
    rejected has counts, but no cycles.
    """
    mark = cursors.query_mark(query)
    page = await services.scores.run_page(
        query.limit,
        after=None if query.cursor is None else _asset(mark, query.cursor),
        asset_id=query.asset_id,
        run_id=query.run_id,
        fleet=query.fleet,
    )
    alarms = await services.history.open_alarms({run.asset_id for run in page.runs})
    now = services.clock.now()
    return await json_answer(lambda: _page(page, alarms, now, mark))


def _page(page: RunPage, alarms: Sequence[StoredAlert], now: datetime, mark: str) -> AssetPage:
    silent = {item.alert.asset_id: item for item in alarms if item.alert.evidence.is_silence}
    open_now = {
        (item.alert.asset_id, item.alert.run_id): item
        for item in alarms
        if not item.alert.evidence.is_silence
    }
    latest: dict[str, RunSummary] = {}
    for run in page.runs:
        known = latest.get(run.asset_id)
        if known is None or _recency(run, now) >= _recency(known, now):
            latest[run.asset_id] = run
    counts = Counter(run.asset_id for run in page.runs)
    return AssetPage(
        items=[
            Asset.of(
                run,
                counts[asset_id],
                open_now.get((asset_id, run.run_id)),
                dated_in_future=_is_ahead(run, now),
                silent=silent.get(asset_id),
            )
            for asset_id, run in sorted(latest.items())
        ],
        next_cursor=None if page.next_after is None else cursors.encode(mark, page.next_after),
    )


def _is_ahead(run: RunSummary, now: datetime) -> bool:
    return run.last_ts is not None and run.last_ts > now + AHEAD


def _recency(run: RunSummary, now: datetime) -> tuple[int, float]:
    """Return what is highest for an asset's latest run: known and past, then ahead, then unknown.

    A run without a time comes last, since nothing but rejected readings is known of it.
    """
    if run.last_ts is None:
        return (0, 0.0)
    return (1 if _is_ahead(run, now) else 2, run.last_ts.timestamp())


def _asset(mark: str, cursor: str) -> str:
    try:
        return str(cursors.decode(mark, cursor))
    except ValueError as exc:
        raise invalid("query", "cursor", str(exc), cursor) from exc
