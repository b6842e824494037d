"""What becomes of one alert: who is told, who is not, and why. Pure.

An alert is decided on once, in the transaction that adds it to the history:

* it was published before a receiver was first seen: that receiver is told nothing of it;
* its asset's alarms are shelved up to its level, or the asset is out of service: it is *held*,
  which is noted, and nobody is told, later neither;
* else it *waits* in the outbox until it is delivered or given up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from api.alarms.facts import AlarmFacts
from api.alarms.lifecycle import Shelf
from api.alarms.maintenance import Window, holding
from api.notifications.receivers import Receiver
from api.ports import StoredAlert

CLOCKS_MAY_DIFFER: Final = timedelta(seconds=30)
"""Between whoever published an alert and this api: a receiver is told of what is not older than
itself by more."""


class NoteState(StrEnum):
    """Where a note to a receiver stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Arrived:
    """An alert that is new to the history.

    Attributes:
        stored: The alert, at its place.
        published_at: When the broker was given it, UTC; none if that is not known.
        held: Why nobody is told; empty if receivers are.
    """

    stored: StoredAlert
    published_at: datetime | None
    held: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A note before it is in the outbox.

    Attributes:
        receiver: Whom it is for.
        stored: Of which alert.
        state: Waiting or held.
        why: Why it is held; else empty.
    """

    receiver: str
    stored: StoredAlert
    state: NoteState
    why: str


def drafts_of(
    arrived: Iterable[Arrived], receivers: Sequence[Receiver], known_since: Mapping[str, datetime]
) -> list[Draft]:
    """Return the notes that new alerts lead to.

    Args:
        arrived: The alerts.
        receivers: All receivers.
        known_since: When each was first seen; one that is missing is told nothing yet.
    """
    return [
        Draft(
            receiver.name,
            each.stored,
            NoteState.HELD if each.held else NoteState.WAITING,
            each.held,
        )
        for each in arrived
        for receiver in receivers
        if receiver.wants(each.stored.alert)
        and _is_news(each.published_at, known_since.get(receiver.name))
    ]


def _is_news(published_at: datetime | None, since: datetime | None) -> bool:
    if since is None:
        return False
    return published_at is None or published_at >= since - CLOCKS_MAY_DIFFER


def why_held(
    facts: AlarmFacts, shelf: Shelf | None, windows: Sequence[Window], now: datetime
) -> str:
    """Return why nobody is told of an alarm's news; empty if there is no reason.

    A shelf holds up to the level that was shelved, so an escalation beyond is told. One that ends
    on recovery has ended when the alarm clears: that it cleared is told.

    Args:
        facts: The alarm, its newest alert included.
        shelf: The latest shelf of its asset, whether it holds or not.
        windows: Maintenance windows, whether they hold or not.
        now: The moment.
    """
    first = facts.first
    window = holding(windows, first.asset_id, first.fleet, now)
    if window is not None:
        return f"out of service until {window.ends_at:%Y-%m-%d %H:%M} UTC"
    if shelf is not None and shelf.holds(facts.level, now):
        return f"shelved until {shelf.until:%Y-%m-%d %H:%M} UTC"
    return ""
