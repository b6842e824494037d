"""Alerts: a page of the history, one of them, or all that come, live."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Response, WebSocket
from sse_starlette import EventSourceResponse

from api.access.actors import ActorDep
from api.http import cursors
from api.http.answers import json_answer
from api.http.problems import documented, illustrated, invalid
from api.http.queries import AlertsQuery, StreamQuery, no_query
from api.http.sockets import socket_answers, upgrade_required
from api.live.allowed import Check, anybody, while_valid
from api.live.pages import StreamItem
from api.live.sse import event_source
from api.live.stream import follow, removed_words, starting_point, told
from api.live.websocket import serve_socket
from api.ports import AlertFilter, StoredAlert
from api.routes import API_PREFIX
from api.services import Services, ServicesDep
from api.views.alerts import AlertPage, AlertView, GapList, GapView
from api.views.evidence import EvidenceView
from common.errors import RequestRefusedError
from common.records.evidence import derive_evidence_id

router = APIRouter(prefix=f"{API_PREFIX}/alerts", tags=["alerts"])

MAX_SEQUENCE: Final = 2**63 - 1

SOCKET_EXAMPLE: Final = {
    "id": "0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11",
    "event": "raised",
    "data": {"schema_version": 1, "alert_id": "0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11"},
}
STREAM_EXAMPLE: Final = """id: 0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11
event: raised
data: {"schema_version":1,"alert_id":"0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11","state":"raised",...}

: heartbeat

"""


def _may_go_on(actor: ActorDep, services: ServicesDep) -> Check:
    """Return what ends a stream whose key, or session, has ended."""
    identity = actor.identity
    if identity is None:
        return anybody
    return while_valid(lambda: services.guard.is_valid(identity), services.clock)


MayGoOn = Annotated[Check, Depends(_may_go_on)]


@router.get("", summary="Alerts, in the order of arrival", response_model=AlertPage)
async def list_alerts(services: ServicesDep, query: Annotated[AlertsQuery, Query()]) -> Response:
    """An alert is published when an alarm is raised, escalated or cleared.

    `since` and `until` speak of the readings' time, the order is that of arrival. What a channel
    measures, and its unit, are those of the fleet's machine type now (`/api/v1/machines`). Old
    alerts are removed, never those of an open alarm; `removed_until` says up to when some are gone.
    """
    wanted = AlertFilter(
        asset_id=query.asset_id,
        run_id=query.run_id,
        fleet=query.fleet,
        alarm_id=query.alarm_id,
        level=query.level,
        min_level=query.min_level,
        state=query.state,
        since=query.since,
        until=query.until,
    )
    mark = cursors.query_mark(query)
    found = await services.history.page(
        wanted,
        query.limit + 1,
        after=None if query.cursor is None else sequence_position(mark, query.cursor),
        newest_first=query.order == "newest",
    )
    shown = found[: query.limit]
    more = len(found) > query.limit
    known = await services.catalogue.fleets()
    removed_until = await services.history.removed_until()
    return await json_answer(
        lambda: AlertPage(
            items=[AlertView.of(stored, known.machine(stored.alert.fleet)) for stored in shown],
            next_cursor=cursors.encode(mark, shown[-1].sequence) if more else None,
            removed_until=removed_until,
        ),
        only_what_is_set=True,
    )


@router.get(
    "/stream",
    summary="Live alerts as Server-Sent Events",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "A stream without end.",
            "content": {"text/event-stream": {"example": STREAM_EXAMPLE}},
        },
        **documented(404),
    },
)
async def stream_alerts(
    services: ServicesDep,
    query: Annotated[StreamQuery, Query()],
    may_go_on: MayGoOn,
    last_event_id: Annotated[
        str | None,
        Header(max_length=200, description="Go on after this alert, as browsers do by themselves."),
    ] = None,
) -> EventSourceResponse:
    """Each alert once: `id` is its `alert_id`, `event` its state, `data` the message of the topic.

    Without `Last-Event-ID` (or `last_event_id`) only new alerts come; `replay=all` begins with the
    first of all. With it the stream goes on right after that alert. The first event has only an
    `id`, the place where the stream began; browsers keep it and show nothing. An unknown id is
    answered with 404. Filters may be changed on resuming. A stream whose key is revoked ends
    within 25 s, and cannot be resumed.
    """
    items = await _followed(services, query, may_go_on, last_event_id)
    return event_source(items, services.settings.api.sse_heartbeat_s)


@router.get(
    "/ws",
    summary="Live alerts over a WebSocket",
    status_code=HTTPStatus.SWITCHING_PROTOCOLS,
    response_class=Response,
    responses=socket_answers(SOCKET_EXAMPLE),
)
async def no_alerts_socket(query: Annotated[StreamQuery, Query()]) -> Response:
    """What `/api/v1/alerts/stream` sends, with the same parameters and the same promise.

    Each message is one JSON text: `id`, `event`, and the topic's message as `data`. The first has
    only an `id`; heartbeats have only an `event`. The connection only sends: whatever a client
    sends ends it, with a reason. What is refused is refused before the connection opens.
    """
    raise upgrade_required(router.prefix)


@router.websocket("/ws")
async def alerts_socket(
    socket: WebSocket,
    services: ServicesDep,
    query: Annotated[StreamQuery, Query()],
    may_go_on: MayGoOn,
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
) -> None:
    """Send each alert once."""
    items = await _followed(services, query, may_go_on, last_event_id)
    await serve_socket(socket, items, services.settings.api.sse_heartbeat_s)


async def _followed(
    services: Services, query: StreamQuery, may_go_on: Check, last_event_id: str | None
) -> AsyncGenerator[StreamItem, None]:
    """Return what a stream sends, over whatever transport."""
    start, start_id = await starting_point(
        services.history,
        last_event_id or query.last_event_id,
        from_the_first=query.replay == "all",
    )
    wanted = AlertFilter(
        asset_id=query.asset_id,
        run_id=query.run_id,
        fleet=query.fleet,
        min_level=query.min_level,
    )
    items = follow(services.pages, start, wanted, may_go_on)
    return told(items, start_id, services.metrics)


@router.get("/gaps", summary="Where the history has gaps", dependencies=[Depends(no_query)])
async def list_gaps(services: ServicesDep) -> GapList:
    """Alerts that expired from the topic before the api read them, for example while it was down.

    What they said is not known, and nothing is made up in their place. The verdicts they rest on
    are in the score store: `GET /api/v1/scores?min_level=warning` shows the anomalous cycles.
    """
    return GapList(items=[GapView.of(gap) for gap in await services.history.gaps()])


@router.get(
    "/{alert_id}",
    summary="One alert",
    response_model=AlertView,
    responses=documented(404),
    dependencies=[Depends(no_query)],
)
async def get_alert(
    services: ServicesDep,
    alert_id: Annotated[str, Path(max_length=200, description="Its id.")],
) -> Response:
    """Return one alert by its id."""
    stored = await _stored(services, alert_id)
    known = await services.catalogue.fleets()
    return await json_answer(
        lambda: AlertView.of(stored, known.machine(stored.alert.fleet)), only_what_is_set=True
    )


@router.get(
    "/{alert_id}/evidence",
    summary="What an alert rests on",
    response_model=EvidenceView,
    responses=illustrated(
        404,
        unknown_alert="There is no alert 'x'.",
        evidence_not_yet="The evidence of alert '0b7d5f0e-…' has not arrived. It is published "
        "before its alert; ask again in a moment.",
        no_evidence="There is no evidence of alert '0b7d5f0e-…': it was made by a worker of an "
        "earlier version, which published none.",
    ),
    dependencies=[Depends(no_query)],
)
async def get_evidence(
    services: ServicesDep,
    alert_id: Annotated[str, Path(max_length=200, description="The alert's id.")],
) -> Response:
    """The readings that the model looked at, in the machine's units, and what it made of them.

    Beside each channel's readings is what the model expects of a healthy machine that is run as
    this one is. Lists of `values` and `expected` have one entry for each of `window.cycles`.
    Evidence never changes; it is removed with its alert.
    """
    stored = await _stored(services, alert_id)
    evidence = await services.evidence.find(derive_evidence_id(stored.alert))
    if evidence is None:
        raise await _no_evidence(services, stored)
    known = await services.catalogue.fleets()
    return await json_answer(lambda: EvidenceView.of(evidence, known.machine(stored.alert.fleet)))


async def _stored(services: Services, alert_id: str) -> StoredAlert:
    """Return an alert of the history.

    Raises:
        RequestRefusedError: 404, if it is not there.
    """
    stored = await services.history.find(alert_id)
    if stored is None:
        since = removed_words(await services.history.removed_until())
        raise RequestRefusedError(404, "unknown_alert", f"There is no alert {alert_id!r}{since}.")
    return stored


async def _no_evidence(services: Services, stored: StoredAlert) -> RequestRefusedError:
    """Return why an alert has no evidence."""
    alert_id, alert = stored.alert.alert_id, stored.alert
    missing = f"There is no evidence of alert {alert_id!r}"
    if alert.severity is None:
        return RequestRefusedError(
            404,
            "no_evidence",
            f"{missing}: it was made by a worker of an earlier version, which published none.",
        )
    if await services.evidence.has_later(stored.sequence):
        return RequestRefusedError(
            404,
            "no_evidence",
            f"{missing}: it expired from its topic before it was read, or the worker was of an "
            "earlier version, which published none.",
        )
    return RequestRefusedError(
        404,
        "evidence_not_yet",
        f"The evidence of alert {alert_id!r} has not arrived. It is published before its alert; "
        "ask again in a moment. A worker of an earlier version publishes none.",
    )


def sequence_position(mark: str, cursor: str) -> int:
    """Return the sequence that a cursor stands for.

    Raises:
        RequestValidationError: If it is none of this query's.
    """
    try:
        position = cursors.decode(mark, cursor)
        if not isinstance(position, int) or not 0 <= position <= MAX_SEQUENCE:
            raise ValueError("it is not a cursor of this api")  # noqa: TRY301 - one refusal for all bad cursors
    except ValueError as exc:
        raise invalid("query", "cursor", str(exc), cursor) from exc
    return position
