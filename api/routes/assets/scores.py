"""Verdicts on readings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.http import cursors
from api.http.answers import json_answer
from api.http.problems import invalid
from api.http.queries import PlotParameters, ScoresQuery
from api.known_fleets import KnownFleets
from api.routes import API_PREFIX
from api.services import ServicesDep
from api.views.machines import Legend
from api.views.runs import is_simulated
from api.views.scores import FinalPointView, PlotPointView, PlotView, Score, ScorePage
from common.scorestore.paging import from_epoch_us
from common.scorestore.port import Glance, Plot, PlotQuery, ScoreQuery

router = APIRouter(prefix=f"{API_PREFIX}/scores", tags=["scores"])


@router.get("", summary="Verdicts on readings, by asset, run and time", response_model=ScorePage)
async def list_scores(services: ServicesDep, query: Annotated[ScoresQuery, Query()]) -> Response:
    """Every reading has one verdict; those with status `scored` have a score.

    Pages are ordered by the readings' time. Repeats (late, duplicate) are counted with the assets,
    not listed here. What the channels in `shares` measure, and their units, are in `legend`, once
    per fleet of the page, as the fleet's machine type has them now. Old verdicts are removed;
    `removed_until` says up to when some are gone.
    """
    mark = cursors.query_mark(query)
    try:
        position = None if query.cursor is None else str(cursors.decode(mark, query.cursor))
        page = await services.scores.query(
            ScoreQuery(
                asset_id=query.asset_id,
                run_id=query.run_id,
                fleet=query.fleet,
                since=query.since,
                until=query.until,
                status=query.status,
                min_level=query.min_level,
                limit=query.limit,
                cursor=position,
                newest_first=query.order == "newest",
            )
        )
    except ValueError as exc:
        raise invalid("query", "cursor", str(exc), query.cursor) from exc
    next_cursor = None if page.next_cursor is None else cursors.encode(mark, page.next_cursor)
    known = await services.catalogue.fleets()
    removed_until = await services.scores.removed_until()
    return await json_answer(
        lambda: ScorePage(
            items=[Score.of(record) for record in page.records],
            legend=_legend({record.fleet for record in page.records}, known),
            next_cursor=next_cursor,
            removed_until=removed_until,
        )
    )


@router.get("/plot", summary="One run's severity in few points", response_model=PlotView)
async def plot_scores(services: ServicesDep, query: Annotated[PlotParameters, Query()]) -> Response:
    """Each point is a verdict; nothing is averaged.

    Where all fit, all are there. Else time is cut into buckets; of each there are the first and
    last reading of each level, and those of the lowest and the highest severity. So the extremes,
    both ends and every level are always there; in `finals`, of final scores, too. Draw no line to a
    point with `gap_before`. An asset or run that is not known has no points.
    """
    latest = await services.scores.latest_runs(asset_id=query.asset_id, run_id=query.run_id)
    found = latest[0] if latest else None
    plot = Plot([])
    if found is not None:
        plot = await services.scores.plot(
            PlotQuery(found.asset_id, found.run_id, query.since, query.until, query.points)
        )
    removed_until = await services.scores.removed_until()
    return await json_answer(lambda: _plot_view(query.asset_id, found, plot, removed_until))


def _plot_view(
    asset_id: str, run: Glance | None, plot: Plot, removed_until: datetime | None
) -> PlotView:
    return PlotView(
        asset_id=asset_id,
        run_id=None if run is None else run.run_id,
        fleet=None if run is None else run.fleet,
        simulated=run is not None and is_simulated(run.run_id),
        scored=plot.scored,
        gaps=plot.gaps,
        level_changes=plot.level_changes,
        bucket_s=None if plot.bucket_us is None else plot.bucket_us / 1e6,
        points=[
            PlotPointView(
                ts=from_epoch_us(point.ts_us),
                cycle=point.cycle,
                severity=point.severity,
                level=point.level,
                gap_before=point.gap_before,
            )
            for point in plot.points
        ],
        finals=[
            FinalPointView(
                ts=from_epoch_us(point.ts_us),
                cycle=point.cycle,
                final_score=point.final_score,
                gap_before=point.gap_before,
            )
            for point in plot.finals
        ],
        removed_until=removed_until,
    )


def _legend(fleets: set[str], known: KnownFleets) -> dict[str, Legend]:
    machines = {fleet: known.machine(fleet) for fleet in sorted(fleets)}
    return {fleet: Legend.of(machine) for fleet, machine in machines.items() if machine is not None}
