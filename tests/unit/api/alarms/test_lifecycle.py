"""The state of an alarm: what it says after which alerts and actions, and what always holds."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.alarms.actions import LONGEST_SHELF, check_version
from api.alarms.events import Action, Judgement
from api.alarms.facts import AlarmFacts
from api.alarms.lifecycle import AlarmState, alarm_at, shelf_of, urgency_of
from common.errors import RequestRefusedError
from common.records.verdicts import Level
from tests.support.alarms import (
    CLEARED,
    ESCALATED,
    RAISED,
    Step,
    Story,
    played,
    request,
    steps,
    stored,
)


def test_an_alarm_begins_active_and_unacknowledged() -> None:
    alarm = Story(RAISED).alarm()

    assert (alarm.state, alarm.acknowledgement, alarm.is_standing) == (
        AlarmState.ACTIVE,
        None,
        True,
    )


def test_an_acknowledged_alarm_that_clears_no_longer_asks_for_anybody() -> None:
    story = Story(RAISED)
    assert story.act(Action.ACKNOWLEDGED).is_standing
    story.arrive(CLEARED)

    assert (story.alarm().state, story.alarm().is_standing) == (AlarmState.CLEARED, False)


def test_an_alarm_that_clears_unseen_waits_to_be_acknowledged() -> None:
    story = Story(RAISED, CLEARED)
    assert story.alarm().is_standing

    assert not story.act(Action.ACKNOWLEDGED).is_standing


@pytest.mark.parametrize("action", [Action.ACKNOWLEDGED, Action.CLOSED])
def test_an_escalation_asks_anew(action: Action) -> None:
    story = Story(RAISED)
    story.act(Action.ACKNOWLEDGED)
    story.act(action)

    story.arrive(ESCALATED)

    alarm = story.alarm()
    assert (alarm.acknowledgement, alarm.closure, alarm.state) == (None, None, AlarmState.ACTIVE)


def test_an_alert_that_arrives_late_undoes_nothing() -> None:
    """An operator who saw the escalation has seen the raise, whichever message came first."""
    story = Story(ESCALATED)
    story.act(Action.ACKNOWLEDGED)

    story.arrive(RAISED)

    assert story.alarm().acknowledgement is not None


@pytest.mark.parametrize(
    ("before", "action", "code"),
    [
        pytest.param([], Action.CLOSED, "not_acknowledged", id="close unseen"),
        pytest.param([], Action.UNSHELVED, "not_shelved", id="unshelve"),
        pytest.param(
            [Action.ACKNOWLEDGED], Action.ACKNOWLEDGED, "already_acknowledged", id="twice"
        ),
        *(
            pytest.param([Action.ACKNOWLEDGED, Action.CLOSED], action, "alarm_closed", id=action)
            for action in (Action.ACKNOWLEDGED, Action.SHELVED, Action.CLOSED)
        ),
    ],
)
def test_what_may_not_be_is_refused_by_name(
    before: list[Action], action: Action, code: str
) -> None:
    story = Story(RAISED)
    for each in before:
        story.act(each)
    assert story.refused == []

    story.act(action)

    assert story.refused == [code]


def test_a_closed_alarm_takes_comments_and_verdicts() -> None:
    story = Story(RAISED, CLEARED)
    for action in (Action.ACKNOWLEDGED, Action.CLOSED, Action.COMMENTED, Action.JUDGED):
        story.act(action)
    story.act(request(Action.JUDGED, judgement=Judgement.FALSE_ALARM))

    alarm = story.alarm()

    assert story.refused == []
    assert alarm.state is AlarmState.CLOSED
    assert alarm.judgement is not None
    assert alarm.judgement.done.judgement is Judgement.FALSE_ALARM


def test_a_shelf_ends_by_the_clock_alone() -> None:
    story = Story(RAISED)
    shelf = story.act(Action.SHELVED).shelf
    assert shelf is not None

    assert story.alarm(shelf.until - timedelta(microseconds=1)).shelf is not None
    assert story.alarm(shelf.until).shelf is None


def test_a_shelf_does_not_hold_what_is_worse() -> None:
    story = Story(RAISED)
    story.act(Action.SHELVED)

    story.arrive(ESCALATED)

    assert story.alarm().shelf is None


def test_a_shelf_until_recovery_ends_with_it_and_another_does_not() -> None:
    shelves = []
    for ends in (True, False):
        story = Story(RAISED)
        story.act(request(Action.SHELVED, ends_on_recovery=ends))
        story.arrive(CLEARED)
        shelves.append(story.alarm().shelf is not None)

    assert shelves == [False, True]


def test_a_shelf_holds_the_next_alarm_of_its_asset_too() -> None:
    story = Story(RAISED)
    story.act(Action.SHELVED)
    shelf = shelf_of(story.events, [])
    other = AlarmFacts.of(stored([RAISED.model_copy(update={"alarm_id": "next"})]))

    assert alarm_at(story.now, other, (), shelf).shelf is not None
    assert alarm_at(story.now + timedelta(hours=2), other, (), shelf).shelf is None


def test_no_shelf_lasts_longer_than_said() -> None:
    with pytest.raises(ValueError, match="30 days"):
        Story(RAISED).act(request(Action.SHELVED, duration=LONGEST_SHELF + timedelta(seconds=1)))


def test_who_acts_on_what_is_past_is_told_by_whom_it_was_changed() -> None:
    story = Story(RAISED)
    seen = story.alarm().version
    story.act(request(Action.ACKNOWLEDGED, who="bo"))

    check_version(story.alarm(), request(Action.CLOSED, expected_version=seen + 1))
    with pytest.raises(RequestRefusedError, match=r"bo .*acknowledged") as refused:
        check_version(story.alarm(), request(Action.CLOSED, expected_version=seen))
    assert (refused.value.status, refused.value.code) == (409, "alarm_changed")


def test_urgency_is_level_then_unacknowledged_then_severity_then_age() -> None:
    seen = Story(RAISED)
    seen.act(Action.ACKNOWLEDGED)
    over = Story(RAISED, ESCALATED, CLEARED)
    over.act(Action.ACKNOWLEDGED)
    critical_seen = Story(RAISED, ESCALATED)
    critical_seen.act(Action.ACKNOWLEDGED)
    worse = Story(RAISED.model_copy(update={"severity": 5.0}))
    alarms = [Story(RAISED, ESCALATED), critical_seen, worse, Story(RAISED), seen, over]

    places = [urgency_of(story.alarm()) for story in alarms]

    assert places == sorted(places)
    assert len(set(places)) == len(places)


@given(steps())
def test_the_state_is_a_function_of_the_log_in_any_order(happened: list[Step]) -> None:
    story = played(happened)
    alarm = story.alarm()
    alerts, events = list(alarm.facts.alerts), list(story.events)
    Random(1).shuffle(alerts)
    Random(2).shuffle(events)
    cleared = [] if alarm.facts.is_active else [RAISED.alarm_id]

    again = alarm_at(story.now, AlarmFacts.of(alerts), events, shelf_of(events, cleared))

    assert again == alarm


@given(steps())
def test_what_always_holds(happened: list[Step]) -> None:
    story = played(happened)
    alarm = story.alarm()

    if alarm.state is AlarmState.CLOSED:
        assert alarm.acknowledgement is not None, "closed unseen"
    if alarm.shelf is not None:
        assert alarm.is_standing
        assert story.now < alarm.shelf.until <= story.now + LONGEST_SHELF
        assert alarm.shelf.level.rank >= alarm.facts.level.rank
        assert alarm.shelf.event.done.why
    if alarm.is_standing:
        assert alarm.state is AlarmState.ACTIVE or alarm.acknowledgement is None
    for held in (alarm.acknowledgement, alarm.closure):
        assert held is None or (held.done.seen or (0, 0)) >= alarm.facts.attention
    assert [item.sequence for item in alarm.events] == [*range(1, len(story.events) + 1)]
    assert alarm.version == len(alarm.facts.alerts) + len(alarm.events)


@given(steps(), st.sampled_from(list(Action)[:6]))
def test_an_action_adds_one_event_and_rewrites_none(happened: list[Step], action: Action) -> None:
    story = played(happened)
    before, refused = tuple(story.events), len(story.refused)

    after = story.act(action)

    assert tuple(story.events[: len(before)]) == before
    assert len(story.events) + len(story.refused) == len(before) + refused + 1
    assert after.facts.level in (Level.WARNING, Level.CRITICAL)


@given(steps())
def test_the_clock_alone_ends_shelves_and_nothing_else(happened: list[Step]) -> None:
    story = played(happened)
    now, later = story.alarm(), story.alarm(story.now + LONGEST_SHELF + timedelta(seconds=1))

    assert later.shelf is None
    assert (later.state, later.acknowledgement, later.version) == (
        now.state,
        now.acknowledgement,
        now.version,
    )
