"""Maintenance windows: from when until when an asset, or a whole fleet, is out of service. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from api.alarms.events import Action, ActionEvent, Draft
from common.errors import RequestRefusedError

LONGEST: Final = timedelta(days=366)
"""No window is longer, and none begins later than so long from now: nothing is off for ever."""


class WindowState(StrEnum):
    """Where a window stands at a moment."""

    PLANNED = "planned"
    RUNNING = "running"
    OVER = "over"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Window:
    """A maintenance window as its events leave it.

    Attributes:
        window_id: Its id.
        events: All that was done about it, the plan first.
    """

    window_id: str
    events: tuple[ActionEvent, ...]

    @property
    def plan(self) -> Draft:
        """How it was planned; asset or fleet, and the beginning, never change."""
        return self.events[0].done

    @property
    def starts_at(self) -> datetime:
        """The first moment out of service."""
        found = self.plan.starts_at
        assert found is not None  # noqa: S101 - every plan has one
        return found

    @property
    def ends_at(self) -> datetime:
        """The first moment in service again; before the beginning for one that was cancelled."""
        found = self.events[-1].done.until
        assert found is not None  # noqa: S101 - every event of a window has one
        return found

    @property
    def why(self) -> str:
        """The reason as it was last given."""
        return next((item.done.why for item in reversed(self.events) if item.done.why), "")

    def state(self, now: datetime) -> WindowState:
        """Return where it stands."""
        if self.ends_at <= self.starts_at:
            return WindowState.CANCELLED
        if now >= self.ends_at:
            return WindowState.OVER
        return WindowState.RUNNING if now >= self.starts_at else WindowState.PLANNED

    def holds(self, asset_id: str, fleet: str, now: datetime) -> bool:
        """Return whether it takes this asset out of service now."""
        ours = self.plan.asset_id == asset_id or (
            self.plan.asset_id is None and self.plan.fleet == fleet
        )
        return ours and self.state(now) is WindowState.RUNNING


def window_of(events: Iterable[ActionEvent]) -> Window | None:
    """Return the window that these events make, in whatever order they are given."""
    ordered = sorted(events, key=lambda item: item.sequence)
    if not ordered:
        return None
    window_id = ordered[0].done.window_id
    assert window_id is not None  # noqa: S101 - asked for by it
    return Window(window_id, tuple(ordered))


def holding(windows: Sequence[Window], asset_id: str, fleet: str, now: datetime) -> Window | None:
    """Return the window that keeps an asset out of service longest, or none."""
    held = [window for window in windows if window.holds(asset_id, fleet, now)]
    return max(held, key=lambda window: (window.ends_at, window.window_id), default=None)


def planned(plan: Draft, now: datetime) -> Draft:
    """Return the plan if it may be.

    Raises:
        RequestRefusedError: 409, if it would be over already, too long or too far ahead.
    """
    assert plan.starts_at is not None  # noqa: S101 - the caller plans
    assert plan.until is not None  # noqa: S101 - the caller plans
    _check_times(plan.starts_at, plan.until, now)
    return plan


def same(known: Window, plan: Draft) -> Window:
    """Return the window that this very plan has made before.

    Raises:
        RequestRefusedError: 409, if it was another plan under the same request id.
    """
    before = known.plan
    if (before.asset_id, before.fleet, before.why, before.until) != (
        plan.asset_id,
        plan.fleet,
        plan.why,
        plan.until,
    ):
        raise RequestRefusedError(
            409,
            "request_id_reused",
            f"The request id {plan.request_id!r} stood for another plan before: give each request "
            "an id of its own.",
        )
    return known


def changed(window: Window, ends_at: datetime, who: str, why: str, now: datetime) -> Draft:
    """Return the event that gives a window another end.

    Raises:
        RequestRefusedError: 409, if it is over, or would be too long.
    """
    _check_not_over(window, now)
    _check_times(window.starts_at, ends_at, now)
    return _step(window, Action.MAINTENANCE_CHANGED, ends_at, who, why, now)


def ended(window: Window, who: str, why: str, now: datetime) -> Draft:
    """Return the event that ends a window now; one that has not begun is cancelled.

    Raises:
        RequestRefusedError: 409, if it is over.
    """
    _check_not_over(window, now)
    return _step(window, Action.MAINTENANCE_ENDED, now, who, why, now)


def _step(
    window: Window, action: Action, until: datetime, who: str, why: str, now: datetime
) -> Draft:
    plan = window.plan
    return Draft(
        action,
        who,
        now,
        why,
        asset_id=plan.asset_id,
        window_id=window.window_id,
        fleet=plan.fleet,
        until=until,
        starts_at=plan.starts_at,
    )


def _check_not_over(window: Window, now: datetime) -> None:
    state = window.state(now)
    if state in (WindowState.OVER, WindowState.CANCELLED):
        raise RequestRefusedError(
            409, "maintenance_over", f"This maintenance window is {state}; plan another one."
        )


def _check_times(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    if ends_at <= max(starts_at, now):
        raise RequestRefusedError(
            409,
            "maintenance_over",
            "This maintenance window would be over, or end before it begins.",
        )
    if ends_at - starts_at > LONGEST or starts_at - now > LONGEST:
        raise RequestRefusedError(
            409,
            "maintenance_too_long",
            f"A maintenance window lasts {LONGEST.days} days at most, and begins within as many.",
        )
