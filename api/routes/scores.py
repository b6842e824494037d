"""Verdicts on readings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.http import cursors
from api.http.answers import json_answer
from api.http.problems import invalid
from api.http.queries import ScoresQuery
from api.known_fleets import KnownFleets
from api.routes import API_PREFIX
from api.services import ServicesDep
from api.views.machines import Legend
from api.views.schemas import Score, ScorePage
from common.scorestore.port import ScoreQuery

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


def _legend(fleets: set[str], known: KnownFleets) -> dict[str, Legend]:
    machines = {fleet: known.machine(fleet) for fleet in sorted(fleets)}
    return {fleet: Legend.of(machine) for fleet, machine in machines.items() if machine is not None}
