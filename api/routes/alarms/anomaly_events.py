"""Alarms as flat rows, for tools that expect a table of anomaly events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.alarms.ports import AlarmFilter
from api.http import cursors
from api.http.answers import json_answer
from api.routes import API_PREFIX
from api.routes.alerts import sequence_position
from api.services import ServicesDep
from api.views.alarms.alarms import AnomalyEvent, AnomalyEventPage
from api.views.alarms.requests import AnomalyEventsQuery

router = APIRouter(prefix=f"{API_PREFIX}/anomaly_events", tags=["alarms"])


@router.get("", summary="Alarms as flat rows, the last first", response_model=AnomalyEventPage)
async def list_anomaly_events(
    services: ServicesDep, query: Annotated[AnomalyEventsQuery, Query()]
) -> Response:
    """One row for each alarm; `/api/v1/alarms/{id}` has its whole story."""
    mark = cursors.query_mark(query)
    found = await services.alarms.latest(
        AlarmFilter(asset_id=query.sensor_id, level=query.severity),
        query.limit + 1,
        services.clock.now(),
        before=None if query.cursor is None else sequence_position(mark, query.cursor),
    )
    shown, more = found[: query.limit], len(found) > query.limit
    return await json_answer(
        lambda: AnomalyEventPage(
            items=[AnomalyEvent.of(item.alarm) for item in shown],
            next_cursor=cursors.encode(mark, shown[-1].urgency.sequence) if more else None,
        )
    )
