"""An alarm as its alerts tell it, whichever of them arrived first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from api.alarms.events import Seen
from api.ports import StoredAlert
from common.records.alerts import Alert, Transition
from common.records.verdicts import Level


@dataclass(frozen=True, slots=True)
class AlarmFacts:
    """What the detector says of one alarm.

    Attributes:
        alerts: Its alerts, in the order of the machine's cycles.
        arrived_at: When the first of them reached the history, UTC; none if that is not known.
    """

    alerts: tuple[StoredAlert, ...]
    arrived_at: datetime | None = None

    @classmethod
    def of(cls, alerts: Sequence[StoredAlert], arrived_at: datetime | None = None) -> Self:
        """Return the facts of these alerts, in whatever order they came.

        Raises:
            ValueError: If there are none.
        """
        if not alerts:
            raise ValueError("an alarm has at least one alert")
        ordered = sorted(alerts, key=lambda item: (place(item.alert), item.sequence))
        return cls(tuple(ordered), arrived_at)

    @property
    def first(self) -> Alert:
        """The alert that raised it, or the earliest that is known."""
        return self.alerts[0].alert

    @property
    def latest(self) -> Alert:
        """Its latest alert."""
        return self.alerts[-1].alert

    @property
    def telling(self) -> Alert:
        """The alert that says what is wrong: the latest that is no end, else the latest."""
        return next(
            (
                item.alert
                for item in reversed(self.alerts)
                if item.alert.state is not Transition.CLEARED
            ),
            self.latest,
        )

    @property
    def is_active(self) -> bool:
        """Whether it stands: it was not cleared."""
        return self.latest.state is not Transition.CLEARED

    @property
    def level(self) -> Level:
        """The worst level it had."""
        return max((item.alert.level for item in self.alerts), key=lambda level: level.rank)

    @property
    def peak(self) -> float:
        """The highest severity of its alerts; score over threshold where an old one has none."""
        return max(_severity(item.alert) for item in self.alerts)

    @property
    def flaps(self) -> int:
        """How often it ended and came again."""
        return max(item.alert.flaps for item in self.alerts)

    @property
    def channel(self) -> str | None:
        """The channel that was largest when it was raised; none where none is said.

        As a text of PostgreSQL may have it: with U+FFFD for the character 0.
        """
        if not self.first.channels:
            return None
        return self.first.channels[0].name.replace("\0", "\ufffd")

    @property
    def sequence(self) -> int:
        """Its place in the order in which alarms arrived: that of its first alert to arrive."""
        return min(item.sequence for item in self.alerts)

    @property
    def seen(self) -> Seen:
        """How far it has come."""
        return place(self.latest)

    @property
    def attention(self) -> Seen:
        """What an operator must have seen: its latest raise or escalation."""
        return place(self.telling)


def place(alert: Alert) -> Seen:
    """Return an alert's place within its alarm."""
    return Seen.of(alert.cycle, alert.state)


def _severity(alert: Alert) -> float:
    if alert.severity is not None:
        return alert.severity
    return alert.score / alert.threshold if alert.threshold > 0 else 0.0
