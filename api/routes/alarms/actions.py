"""What operators do about alarms. Each action is kept in the log and returns the alarm as it is."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path

from api.access.actors import Actor, ActorDep
from api.alarms.actions import Request
from api.http.problems import documented, illustrated
from api.http.queries import no_query
from api.routes import API_PREFIX
from api.routes.alarms.lists import UNKNOWN_ALARM
from api.services import Services, ServicesDep
from api.views.alarms.alarms import AlarmDetail, BulkResult
from api.views.alarms.requests import (
    AcknowledgeBody,
    AlarmActionBody,
    BulkAcknowledgeBody,
    CloseBody,
    CommentBody,
    ShelveBody,
    UnshelveBody,
    VerdictBody,
)

router = APIRouter(prefix=f"{API_PREFIX}/alarms", tags=["alarms"], dependencies=[Depends(no_query)])

CHANGED: Final = {
    "alarm_changed": "This alarm is at version 4, you have seen version 3. anna (2026-01-01 "
    "14:03:00 UTC): acknowledged. Look again before you act.",
    "request_id_reused": "The request id '5e1f7c0e' stood for another action before: give each "
    "request an id of its own.",
}
CLOSED: Final = {"alarm_closed": "anna (2026-01-01 14:03:00 UTC) has closed this alarm."}
REFUSED: Final = documented(400, 403, 408, 413, 415)

AlarmId = Annotated[str, Path(max_length=200, description="Its id.")]


def _refusals(**conflicts: str) -> dict[int | str, dict[str, Any]]:
    return {**REFUSED, **UNKNOWN_ALARM, **illustrated(409, **conflicts, **CHANGED)}


@router.post(
    "/acknowledge",
    summary="Acknowledge many alarms with one note",
    responses={**REFUSED, **illustrated(409, request_id_reused=CHANGED["request_id_reused"])},
)
async def acknowledge_many(
    services: ServicesDep, actor: ActorDep, body: BulkAcknowledgeBody
) -> BulkResult:
    """All in one transaction, with an outcome for each.

    `acknowledged`, `already_acknowledged` (by somebody else, or before), `closed` or `unknown`.
    With a `request_id`, sending it again is harmless.
    """
    request = body.request(actor.name(body.operator))
    return BulkResult.of(await services.desk.acknowledge_all(body.alarm_ids, request))


@router.post(
    "/{alarm_id}/acknowledge",
    summary="Acknowledge an alarm: seen",
    responses=_refusals(
        already_acknowledged="anna (2026-01-01 14:03:00 UTC) has acknowledged this alarm.", **CLOSED
    ),
)
async def acknowledge(
    services: ServicesDep, actor: ActorDep, alarm_id: AlarmId, body: AcknowledgeBody
) -> AlarmDetail:
    """It holds until the alarm escalates: what is worse than what was seen asks anew."""
    return await _act(services, alarm_id, body.request(_who(actor, body)))


@router.post("/{alarm_id}/comment", summary="Comment on an alarm", responses=_refusals())
async def comment(
    services: ServicesDep, actor: ActorDep, alarm_id: AlarmId, body: CommentBody
) -> AlarmDetail:
    """Keep a comment; closed alarms take some, too."""
    return await _act(services, alarm_id, body.request(_who(actor, body)))


@router.post(
    "/{alarm_id}/shelve",
    summary="Set an alarm aside for a while",
    responses=_refusals(
        alarm_over="This alarm has cleared and is acknowledged already.",
        alarm_cleared="This alarm has cleared: there is no recovery to come.",
        **CLOSED,
    ),
)
async def shelve(
    services: ServicesDep, actor: ActorDep, alarm_id: AlarmId, body: ShelveBody
) -> AlarmDetail:
    """The asset's alarms, up to this one's level, are set aside, and stay in the list.

    Until the time is over, until `unshelve`, or, with `ends_on_recovery`, until this alarm clears.
    """
    return await _act(services, alarm_id, body.request(_who(actor, body)))


@router.post(
    "/{alarm_id}/unshelve",
    summary="Take an alarm off its shelf",
    responses=_refusals(not_shelved="This alarm is not shelved, or its shelf has ended."),
)
async def unshelve(
    services: ServicesDep, actor: ActorDep, alarm_id: AlarmId, body: UnshelveBody
) -> AlarmDetail:
    """End the shelf before its time, for all alarms of the asset."""
    return await _act(services, alarm_id, body.request(_who(actor, body)))


@router.post(
    "/{alarm_id}/close",
    summary="Close an alarm",
    responses=_refusals(
        not_acknowledged="Nobody has acknowledged this alarm as it is; do so before closing.",
        **CLOSED,
    ),
)
async def close(
    services: ServicesDep, actor: ActorDep, alarm_id: AlarmId, body: CloseBody
) -> AlarmDetail:
    """Put an acknowledged alarm out of sight.

    Also one that will never clear because its run has ended. If it escalates after all, it is open
    again.
    """
    return await _act(services, alarm_id, body.request(_who(actor, body)))


@router.post(
    "/{alarm_id}/verdict", summary="Say whether the alarm was right", responses=_refusals()
)
async def judge(
    services: ServicesDep, actor: ActorDep, alarm_id: AlarmId, body: VerdictBody
) -> AlarmDetail:
    """Keep a verdict, and what was found; the latest holds, all are kept."""
    return await _act(services, alarm_id, body.request(_who(actor, body)))


def _who(actor: Actor, body: AlarmActionBody) -> str:
    return actor.name(body.operator)


async def _act(services: Services, alarm_id: str, request: Request) -> AlarmDetail:
    alarm = await services.desk.act(alarm_id, request)
    known = await services.catalogue.fleets()
    machine = known.machine(alarm.facts.first.fleet)
    return AlarmDetail.of(alarm, services.clock.now(), machine)
