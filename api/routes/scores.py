"""Verdicts on readings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api import cursors
from api.answers import json_answer
from api.problems import invalid
from api.queries import ScoresQuery
from api.routes import API_PREFIX
from api.schemas import Score, ScorePage
from api.services import ServicesDep
from common.scorestore.port import ScoreQuery

router = APIRouter(prefix=f"{API_PREFIX}/scores", tags=["scores"])


@router.get("", summary="Verdicts on readings, by asset, run and time", response_model=ScorePage)
async def list_scores(services: ServicesDep, query: Annotated[ScoresQuery, Query()]) -> Response:
    """Every reading has one verdict; those with status `scored` have a score.

    Pages are ordered by the readings' time. Repeats (late, duplicate) are counted with the assets,
    not listed here.
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
    return await json_answer(
        lambda: ScorePage(
            items=[Score.of(record) for record in page.records], next_cursor=next_cursor
        )
    )
