"""Alarms: which need somebody first, one with its whole story, and all that happens, live."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Response, WebSocket
from sse_starlette import EventSourceResponse

from api.alarms.figures import LONGEST, USUAL, FiguresQuery
from api.alarms.lifecycle import Urgency
from api.alarms.ports import AlarmFilter
from api.http import cursors
from api.http.answers import json_answer
from api.http.problems import illustrated, invalid
from api.http.queries import no_query
from api.http.sockets import socket_answers, upgrade_required
from api.live.alarm_stream import alarm_place, follow_alarms
from api.live.allowed import Check
from api.live.pages import StreamItem
from api.live.sse import event_source
from api.live.stream import told
from api.live.websocket import serve_socket
from api.ports import AlertFilter
from api.routes import API_PREFIX
from api.routes.alerts import MAX_SEQUENCE, MayGoOn
from api.services import Services, ServicesDep
from api.views.alarms.alarms import AlarmDetail, AlarmPage, AlarmView
from api.views.alarms.figures import AlarmFiguresView
from api.views.alarms.requests import AlarmsQuery, AlarmStreamQuery, KpisQuery
from common.records.times import EARLIEST, LATEST

router = APIRouter(prefix=f"{API_PREFIX}/alarms", tags=["alarms"])

MAX_RANK: Final = 100
UNKNOWN_ALARM: Final = illustrated(404, unknown_alarm="There is no alarm '0b7d5f0e'.")
SOCKET_EXAMPLE: Final = {
    "id": "0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11~17",
    "event": "acknowledged",
    "data": {"sequence": 17, "action": "acknowledged", "who": "anna", "why": "seen"},
}
STREAM_EXAMPLE: Final = """id: 0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11~16
event: raised
data: {"schema_version":1,"alert_id":"0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11","state":"raised",...}

id: 0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11~17
event: acknowledged
data: {"sequence":17,"action":"acknowledged","who":"anna","alarm_id":"...","why":"seen",...}

"""

AlarmId = Annotated[str, Path(max_length=200, description="Its id.")]


@router.get("", summary="Alarms, the most urgent first", response_model=AlarmPage)
async def list_alarms(services: ServicesDep, query: Annotated[AlarmsQuery, Query()]) -> Response:
    """Alarms as they stand, the most urgent first.

    Those that ask for somebody come first, then the worse level, then unacknowledged ones, then the
    higher peak severity, then the one that waits longest.

    Shelved alarms, and those of assets out of service, stay in the list, with the time left. An
    alarm that changes while you page may be shown twice, or be on a page you have had.
    """
    mark, now = cursors.query_mark(query), services.clock.now()
    wanted = AlarmFilter(**query.model_dump(exclude={"limit", "cursor"}))
    after = None if query.cursor is None else _urgency(mark, query.cursor)
    found = await services.alarms.page(wanted, query.limit + 1, now, after=after)
    shown, more = found[: query.limit], len(found) > query.limit
    known = await services.catalogue.fleets()
    return await json_answer(
        lambda: AlarmPage(
            items=[
                AlarmView.of(item.alarm, now, known.machine(item.alarm.facts.first.fleet))
                for item in shown
            ],
            next_cursor=_cursor(mark, shown[-1].urgency) if more else None,
        )
    )


@router.get(
    "/stream",
    summary="Alerts, and what operators do about them, as Server-Sent Events",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "A stream without end.",
            "content": {"text/event-stream": {"example": STREAM_EXAMPLE}},
        },
        **illustrated(404, unknown_event_id="No alert has the id 'x', so it is not known where …"),
    },
)
async def stream_alarms(
    services: ServicesDep,
    query: Annotated[AlarmStreamQuery, Query()],
    may_go_on: MayGoOn,
    last_event_id: Annotated[
        str | None,
        Header(max_length=200, description="Go on after this event, as browsers do by themselves."),
    ] = None,
) -> EventSourceResponse:
    """Each alert as `/api/v1/alerts/stream` sends it, and each action once, after what it is about.

    `event` is an alert's state, or the action. An `id` names a place in both, and is no alert's id.
    Resuming works as it does there. Filters leave maintenance of whole fleets in.
    """
    items = await _followed(services, query, may_go_on, last_event_id)
    return event_source(items, services.settings.api.sse_heartbeat_s)


@router.get(
    "/ws",
    summary="Alerts, and what operators do about them, over a WebSocket",
    status_code=HTTPStatus.SWITCHING_PROTOCOLS,
    response_class=Response,
    responses=socket_answers(SOCKET_EXAMPLE),
)
async def no_alarms_socket(query: Annotated[AlarmStreamQuery, Query()]) -> Response:
    """What `/api/v1/alarms/stream` sends, with the same parameters and the same promise.

    Messages are as on `/api/v1/alerts/ws`.
    """
    raise upgrade_required(router.prefix)


@router.websocket("/ws")
async def alarms_socket(
    socket: WebSocket,
    services: ServicesDep,
    query: Annotated[AlarmStreamQuery, Query()],
    may_go_on: MayGoOn,
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
) -> None:
    """Send each alert and each action once."""
    items = await _followed(services, query, may_go_on, last_event_id)
    await serve_socket(socket, items, services.settings.api.sse_heartbeat_s)


async def _followed(
    services: Services, query: AlarmStreamQuery, may_go_on: Check, last_event_id: str | None
) -> AsyncGenerator[StreamItem, None]:
    """Return what a stream sends, over whatever transport."""
    place = await alarm_place(
        services.history,
        services.alarms,
        last_event_id or query.last_event_id,
        from_the_first=query.replay == "all",
    )
    wanted = AlertFilter(asset_id=query.asset_id, run_id=query.run_id, fleet=query.fleet)
    items = follow_alarms(services.pages, services.action_pages, place, wanted, may_go_on)
    return told(items, place.event_id, services.metrics)


@router.get("/kpis", summary="Figures to judge the alarms by", response_model=AlarmFiguresView)
async def count_alarms(services: ServicesDep, query: Annotated[KpisQuery, Query()]) -> Response:
    """How many alarms came, how soon they were acknowledged, which chatter, which are stale.

    After ISA-18.2 and EEMUA 191. Of alarms that arrived in the time, 366 days at most, as they
    stand now; `stale` counts them whenever they came.
    """
    now = services.clock.now()
    asked = FiguresQuery(*_time(query, now), query.fleet, query.operators)
    found = await services.alarms.figures(asked, now)
    known = await services.catalogue.fleets()
    return await json_answer(lambda: AlarmFiguresView.of(found, asked, known))


def _time(query: KpisQuery, now: datetime) -> tuple[datetime, datetime]:
    """Return from when to when to count."""
    until = min(query.until or now, LATEST - timedelta(microseconds=1))
    since = max(EARLIEST, until - USUAL) if query.since is None else query.since
    if not EARLIEST <= since < until or until - since > LONGEST:
        message = (
            f"`since` must be before `until`, by {LONGEST.days} days at most, and not before "
            f"{EARLIEST:%Y}"
        )
        raise invalid("query", "since", message, since.isoformat())
    return since, until


@router.get(
    "/{alarm_id}",
    summary="One alarm: its alerts, and all that was done about it",
    response_model=AlarmDetail,
    responses=UNKNOWN_ALARM,
    dependencies=[Depends(no_query)],
)
async def get_alarm(services: ServicesDep, alarm_id: AlarmId) -> Response:
    """Return one alarm by its id."""
    alarm, now = await services.desk.find(alarm_id), services.clock.now()
    known = await services.catalogue.fleets()
    machine = known.machine(alarm.facts.first.fleet)
    return await json_answer(lambda: AlarmDetail.of(alarm, now, machine))


def _cursor(mark: str, place: Urgency) -> str:
    return cursors.encode(mark, f"{place.rank}/{place.severity!r}/{place.sequence}")


def _urgency(mark: str, cursor: str) -> Urgency:
    try:
        position = cursors.decode(mark, cursor)
        rank, severity, sequence = str(position).split("/")
        place = Urgency(int(rank), float(severity), int(sequence))
        sound = 0 <= place.rank <= MAX_RANK and 0 <= place.sequence <= MAX_SEQUENCE
        if not sound or not math.isfinite(place.severity):
            raise ValueError(cursors.NOT_OURS)  # noqa: TRY301 - one refusal for all bad cursors
    except (ValueError, OverflowError) as exc:
        known = str(exc) if "other parameters" in str(exc) else cursors.NOT_OURS
        raise invalid("query", "cursor", known, cursor) from exc
    return place
