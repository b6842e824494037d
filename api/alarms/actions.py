"""What an operator may do with an alarm in which state. Pure: an action becomes an event, or not.

========  =====================  ===========================================
action    refused with 409 if    otherwise
========  =====================  ===========================================
ack       closed, acknowledged   it is acknowledged until it escalates
comment   never                  the comment is kept
shelve    closed, not standing   its asset is quiet, up to this level, for a while
unshelve  not shelved            the shelf is taken off
close     not acknowledged,      it is out of sight until it escalates
          closed
judge     never                  the verdict holds until there is another
========  =====================  ===========================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from api.alarms.events import Action, ActionEvent, Draft, Judgement
from api.alarms.lifecycle import Alarm, AlarmState
from common.errors import RequestRefusedError

LONGEST_SHELF: Final = timedelta(days=30)
"""No alarm is shelved for ever; a longer absence is a maintenance window, which says so."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator wants done, and who asks.

    Attributes:
        action: What.
        who: Who asks.
        why: Reason, note, comment or finding.
        request_id: The client's name for this request; the same again changes nothing.
        expected_version: Refuse if the alarm is not as it was at this version.
        duration: Shelve: for how long, at most :data:`LONGEST_SHELF`.
        ends_on_recovery: Shelve: end when the alarm clears.
        judgement: Judge: the verdict.
    """

    action: Action
    who: str
    why: str = ""
    request_id: str | None = None
    expected_version: int | None = None
    duration: timedelta = timedelta(0)
    ends_on_recovery: bool = False
    judgement: Judgement | None = None


def decide(alarm: Alarm, request: Request, now: datetime) -> Draft:
    """Return the event that an action on this alarm leads to.

    Raises:
        RequestRefusedError: 409, if it may not be done in this state.
    """
    draft = _draft(alarm, request, now)
    match request.action:
        case Action.ACKNOWLEDGED:
            _check_not_closed(alarm)
            _check_unacknowledged(alarm)
        case Action.SHELVED:
            _check_not_closed(alarm)
            _check_can_be_shelved(alarm, request)
            return replace(
                draft,
                level=alarm.facts.level,
                until=now + request.duration,
                ends_on_recovery=request.ends_on_recovery,
            )
        case Action.UNSHELVED:
            if alarm.shelf is None:
                raise _refused("not_shelved", "This alarm is not shelved, or its shelf has ended.")
        case Action.CLOSED:
            _check_not_closed(alarm)
            _check_acknowledged(alarm)
        case Action.JUDGED:
            return replace(draft, judgement=request.judgement)
        case Action.COMMENTED:
            pass
        case _:
            raise ValueError(f"{request.action} is nothing that is done to an alarm")
    return draft


def check_version(alarm: Alarm, request: Request) -> None:
    """Refuse to act on an alarm that has changed since its version was read.

    Raises:
        RequestRefusedError: 409.
    """
    expected = request.expected_version
    if expected is None or expected == alarm.version:
        return
    last = alarm.events[-1] if alarm.events else None
    what = "" if last is None else f" {_by(last)}: {last.done.action}."
    raise _refused(
        "alarm_changed",
        f"This alarm is at version {alarm.version}, you have seen version {expected}.{what} "
        "Look again before you act.",
    )


def check_same(known: ActionEvent, wanted: Request) -> None:
    """Refuse a request id that stood for something else before.

    Raises:
        RequestRefusedError: 409.
    """
    before = known.done
    same = (before.action, before.why, before.judgement, before.ends_on_recovery) == (
        wanted.action,
        wanted.why,
        wanted.judgement,
        wanted.ends_on_recovery,
    )
    if not same:
        raise _refused(
            "request_id_reused",
            f"The request id {before.request_id!r} stood for another action before: give each "
            "request an id of its own.",
        )


def _draft(alarm: Alarm, request: Request, now: datetime) -> Draft:
    first = alarm.facts.first
    return Draft(
        request.action,
        request.who,
        now,
        request.why,
        request_id=request.request_id,
        alarm_id=first.alarm_id,
        asset_id=first.asset_id,
        fleet=first.fleet,
        run_id=first.run_id,
        seen=alarm.facts.seen,
    )


def _check_not_closed(alarm: Alarm) -> None:
    if alarm.state is AlarmState.CLOSED and alarm.closure is not None:
        raise _refused("alarm_closed", f"{_by(alarm.closure)} has closed this alarm.")


def _check_unacknowledged(alarm: Alarm) -> None:
    if (done := alarm.acknowledgement) is not None:
        raise _refused("already_acknowledged", f"{_by(done)} has acknowledged this alarm.")


def _check_acknowledged(alarm: Alarm) -> None:
    if alarm.acknowledgement is None:
        raise _refused(
            "not_acknowledged", "Nobody has acknowledged this alarm as it is; do so before closing."
        )


def _check_can_be_shelved(alarm: Alarm, request: Request) -> None:
    if not timedelta(0) < request.duration <= LONGEST_SHELF:
        raise ValueError(f"a shelf lasts {LONGEST_SHELF.days} days at most, not {request.duration}")
    if not alarm.is_standing:
        raise _refused("alarm_over", "This alarm has cleared and is acknowledged already.")
    if request.ends_on_recovery and not alarm.facts.is_active:
        raise _refused("alarm_cleared", "This alarm has cleared: there is no recovery to come.")


def _by(event: ActionEvent) -> str:
    return f"{event.done.who} ({event.done.at:%Y-%m-%d %H:%M:%S} UTC)"


def _refused(code: str, message: str) -> RequestRefusedError:
    return RequestRefusedError(409, code, message)
