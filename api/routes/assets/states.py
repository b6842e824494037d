"""Assets: what is known, and how each one is now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, TypeAdapter

from api.alarms.urgency import AssetState, AssetUrgency
from api.assets import AssetFilter, ListedAssets, Place
from api.http import cursors
from api.http.answers import json_answer
from api.http.problems import illustrated, invalid
from api.http.queries import AssetsQuery, RunsQuery
from api.ports import StoredAlert
from api.routes import API_PREFIX
from api.services import ServicesDep
from api.views.assets import Asset, AssetPage
from api.views.runs import RunPage, RunView
from common.errors import RequestRefusedError
from common.records.ids import ID_PATTERN
from common.scorestore.paging import epoch_us
from common.scorestore.port import RunSummary
from common.scorestore.tally import recency

AHEAD: Final = timedelta(hours=1)
"""A clock that is this far ahead is wrong, and not merely unlike ours."""

RunPlace: TypeAlias = tuple[bool, int, int, str]
"""Where a run stands: its ``recency``, the time in microseconds."""

RUN_PLACE: Final = TypeAdapter(RunPlace)
URGENCY: Final = TypeAdapter(tuple[int, bool, bool, float, str])

router = APIRouter(prefix=f"{API_PREFIX}/assets", tags=["assets"])


@router.get("", summary="Assets, each with its latest run and alarm", response_model=AssetPage)
async def list_assets(services: ServicesDep, query: Annotated[AssetsQuery, Query()]) -> Response:
    """One entry per asset with at least one verdict.

    By urgency: critical alarms that stand, then warnings; of one level those that nobody has
    acknowledged or set aside; then assets that are not scored, then by severity. An asset that
    changes its place while you page may be shown twice, or be on a page you have had.

    The latest run is the one whose last verdict arrived last, whatever its readings' clock says.
    With `run_id`, that run is shown instead, and assets without it are left out. An asset whose
    readings were all rejected has counts, but no cycles.
    """
    mark, now = cursors.query_mark(query), services.clock.now()
    wanted = AssetFilter(
        query.asset_id,
        query.run_id,
        query.fleet,
        None if query.state is None else AssetState(query.state),
        query.level,
        query.order,
    )
    after = None if query.cursor is None else _place(mark, query.cursor, query.order)
    known = await services.catalogue.fleets()
    page = await services.assets.page(wanted, query.limit, now, known, after)
    alerts = await services.history.open_alarms({item.run.asset_id for item in page.items})
    return await json_answer(lambda: _page(page, alerts, now, mark))


@router.get(
    "/{asset_id}/runs",
    summary="The runs of an asset, the latest first",
    response_model=RunPage,
    responses=illustrated(404, unknown_asset="There is no asset 'x' with a verdict."),
)
async def list_runs(
    services: ServicesDep,
    asset_id: Annotated[str, Path(pattern=ID_PATTERN, description="Whose.")],
    query: Annotated[RunsQuery, Query()],
) -> Response:
    """Every run with a verdict that is still stored, whether it had an alarm or not.

    The first is the asset's latest run: the one whose last verdict arrived last. A run that goes on
    while you page may be shown twice.
    """
    mark = cursors.query_mark(RunsOf(asset_id=asset_id))
    after = None if query.cursor is None else _run_place(mark, query.cursor)
    runs = sorted(await services.scores.summaries([asset_id]), key=recency, reverse=True)
    if not runs:
        raise RequestRefusedError(
            404, "unknown_asset", f"There is no asset {asset_id!r} with a verdict."
        )
    rest = [run for run in runs if after is None or _place_of(run) < after]
    shown, more = rest[: query.limit], len(rest) > query.limit
    return await json_answer(
        lambda: RunPage(
            items=[RunView.of_run(run) for run in shown],
            next_cursor=cursors.encode(mark, json.dumps(_place_of(shown[-1]))) if more else None,
        )
    )


class RunsOf(BaseModel):
    """Whose runs a cursor is of."""

    asset_id: str


def _place_of(run: RunSummary) -> RunPlace:
    known, arrived_ms, ts, run_id = recency(run)
    return known, arrived_ms, epoch_us(ts), run_id


def _run_place(mark: str, cursor: str) -> RunPlace:
    try:
        return RUN_PLACE.validate_json(str(cursors.decode(mark, cursor)))
    except ValueError as exc:
        known = str(exc) if "other parameters" in str(exc) else cursors.NOT_OURS
        raise invalid("query", "cursor", known, cursor) from exc


def _page(page: ListedAssets, alerts: Sequence[StoredAlert], now: datetime, mark: str) -> AssetPage:
    silent = {item.alert.asset_id: item for item in alerts if item.alert.evidence.is_silence}
    open_now = {
        (item.alert.asset_id, item.alert.run_id): item
        for item in alerts
        if not item.alert.evidence.is_silence
    }
    return AssetPage(
        items=[
            Asset.of(
                item,
                open_now.get((item.run.asset_id, item.run.run_id)),
                dated_in_future=item.run.last_ts is not None and item.run.last_ts > now + AHEAD,
                silent=silent.get(item.run.asset_id),
            )
            for item in page.items
        ],
        next_cursor=None if page.next_after is None else _cursor(mark, page.next_after),
    )


def _cursor(mark: str, place: Place) -> str:
    return cursors.encode(mark, place if isinstance(place, str) else json.dumps(place))


def _place(mark: str, cursor: str, order: str) -> Place:
    try:
        position = str(cursors.decode(mark, cursor))
        if order == "name":
            return position
        return AssetUrgency(*URGENCY.validate_json(position))
    except ValueError as exc:
        known = str(exc) if "other parameters" in str(exc) else cursors.NOT_OURS
        raise invalid("query", "cursor", known, cursor) from exc
