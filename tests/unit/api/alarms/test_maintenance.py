"""Maintenance windows: planned, running, over; ended early instead of deleted."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.alarms import maintenance
from api.alarms.events import Action, ActionEvent, Draft
from api.alarms.maintenance import LONGEST, Window, WindowState, holding, window_of
from common.errors import RequestRefusedError
from tests.support.alarms import NOW

HOUR = timedelta(hours=1)


def plan(
    starts_at: datetime = NOW + HOUR,
    ends_at: datetime = NOW + 3 * HOUR,
    *,
    asset_id: str | None = "a",
    fleet: str | None = None,
) -> Draft:
    return Draft(
        Action.MAINTENANCE_PLANNED,
        "anna",
        NOW,
        "wash",
        asset_id=asset_id,
        window_id="w",
        fleet=fleet,
        until=ends_at,
        starts_at=starts_at,
    )


def window(*drafts: Draft) -> Window:
    made = window_of(ActionEvent(place, draft) for place, draft in enumerate(drafts, 1))
    assert made is not None
    return made


def test_a_window_is_planned_then_runs_then_is_over() -> None:
    planned = window(plan())

    states = [planned.state(NOW + hours * HOUR) for hours in (0, 1, 2, 3)]

    assert states == ["planned", "running", "running", "over"]


@pytest.mark.parametrize(
    ("drafted", "asset", "fleet", "held"),
    [
        (plan(), "a", "f", True),
        (plan(), "b", "f", False),
        (plan(asset_id=None, fleet="f"), "b", "f", True),
        (plan(asset_id=None, fleet="f"), "b", "g", False),
    ],
)
def test_it_holds_its_asset_or_all_of_its_fleet(
    drafted: Draft, asset: str, fleet: str, held: bool
) -> None:
    running = NOW + 2 * HOUR

    assert (holding([window(drafted)], asset, fleet, running) is not None) == held
    assert holding([window(drafted)], asset, fleet, NOW) is None


def test_of_several_windows_the_longest_holds() -> None:
    short, long = window(plan()), window(plan(ends_at=NOW + 9 * HOUR))

    assert holding([short, long, short], "a", "f", NOW + 2 * HOUR) == long


def test_ended_early_it_is_over_and_its_plan_is_kept() -> None:
    running = window(plan(starts_at=NOW))
    end = maintenance.ended(running, "bo", "done sooner", NOW + HOUR)

    ended = window(running.plan, end)

    assert ended.state(NOW + HOUR) is WindowState.OVER
    assert ended.plan.until == NOW + 3 * HOUR
    assert (ended.why, ended.ends_at) == ("done sooner", NOW + HOUR)


def test_ended_before_it_began_it_is_cancelled() -> None:
    planned = window(plan())

    cancelled = window(planned.plan, maintenance.ended(planned, "bo", "", NOW))

    assert cancelled.state(NOW + 2 * HOUR) is WindowState.CANCELLED
    with pytest.raises(RequestRefusedError, match="cancelled"):
        maintenance.changed(cancelled, NOW + 4 * HOUR, "bo", "", NOW)


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "code"),
    [
        (NOW + HOUR, NOW + HOUR, "maintenance_over"),
        (NOW - 2 * HOUR, NOW, "maintenance_over"),
        (NOW, NOW + LONGEST + HOUR, "maintenance_too_long"),
        (NOW + LONGEST + HOUR, NOW + LONGEST + 2 * HOUR, "maintenance_too_long"),
    ],
)
def test_times_that_cannot_be_are_refused(
    starts_at: datetime, ends_at: datetime, code: str
) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        maintenance.planned(plan(starts_at, ends_at), NOW)

    assert (refused.value.status, refused.value.code) == (409, code)


@given(st.lists(st.integers(-5, 40), max_size=6), st.integers(0, 60))
def test_whatever_is_changed_the_window_ends_and_never_lasts_too_long(
    hours: list[int], later: int
) -> None:
    now, drafts = NOW, [plan(starts_at=NOW)]
    for each in hours:
        now += HOUR
        try:
            drafts.append(maintenance.changed(window(*drafts), NOW + each * HOUR, "bo", "", now))
        except RequestRefusedError:
            continue
    made = window(*drafts)

    assert made.starts_at == NOW
    assert made.ends_at - made.starts_at <= LONGEST
    assert made.holds("a", "f", NOW + later * HOUR) == (NOW + later * HOUR < made.ends_at)
