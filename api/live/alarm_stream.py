"""One stream of alerts and of what operators do about them, which resumes in both at once.

Its ids name a place in both: the last alert, and how far the log of actions was read. Actions are
read before alerts and sent after them, so that none comes before the alert it is about.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final, NamedTuple

from api.alarms.ports import AlarmStore
from api.live.allowed import Check, anybody
from api.live.pages import ActionPages, StreamItem, StreamPages
from api.live.stream import LOOK_AGAIN_S, starting_point, unknown_event_id
from api.ports import AlertFilter, AlertHistory

SEAM: Final = "~"
"""Stands between the two places of an id; no alert's id has one."""


class AlarmPlace(NamedTuple):
    """How far a client has come.

    Attributes:
        alert: The sequence of the last alert.
        alert_id: Its id.
        action: The sequence of the last action.
    """

    alert: int
    alert_id: str
    action: int

    @property
    def event_id(self) -> str:
        """What a client resumes with."""
        return f"{self.alert_id}{SEAM}{self.action}"


async def alarm_place(
    history: AlertHistory, store: AlarmStore, last_event_id: str | None, *, from_the_first: bool
) -> AlarmPlace:
    """Return where a stream begins.

    Args:
        history: Where alerts are.
        store: Where the log of actions is.
        last_event_id: The last id the client has seen; it goes before ``from_the_first``.
        from_the_first: Begin with the first alert and action of all; else with new ones only.

    Raises:
        RequestRefusedError: 404, if the id is none of this stream's.
    """
    end = await store.log_end()  # before the alerts: what happens meanwhile is sent, not missed
    if last_event_id is None:
        after, alert_id = await starting_point(history, None, from_the_first=from_the_first)
        return AlarmPlace(after, alert_id, 0 if from_the_first else end)
    alert_id, seam, told = last_event_id.rpartition(SEAM)
    is_number = told.isascii() and told.isdigit() and len(told) < 19
    if not seam or not is_number or int(told) > end:
        raise unknown_event_id(last_event_id)
    after, alert_id = await starting_point(history, alert_id, from_the_first=False)
    return AlarmPlace(after, alert_id, int(told))


async def follow_alarms(
    alerts: StreamPages,
    actions: ActionPages,
    place: AlarmPlace,
    wanted: AlertFilter,
    may_go_on: Check = anybody,
) -> AsyncGenerator[StreamItem, None]:
    """Yield wanted alerts and actions beyond ``place``, each in order, until the bell is closed.

    Raises:
        RequestRefusedError: Once who reads them may not any more.
    """
    changed = alerts.changed
    while not changed.closed:
        await may_go_on()
        count = changed.count
        done = await actions.read(wanted, place.action, count)
        page = await alerts.read(wanted, place.alert, count)
        for item in page.items:
            place = place._replace(alert=item.sequence, alert_id=item.event_id)
            yield _placed(item, place)
        if page.is_full:
            continue
        for item in done.items:
            place = place._replace(action=item.sequence)
            yield _placed(item, place)
        if done.is_full:
            continue
        place = place._replace(
            alert=max(place.alert, page.head), action=max(place.action, done.head)
        )
        await changed.wait_beyond(count, LOOK_AGAIN_S)


def _placed(item: StreamItem, place: AlarmPlace) -> StreamItem:
    return StreamItem(item.sequence, place.event_id, item.event, item.body)
