"""When an asset falls silent, and when it is back: the rule, in any story."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.silence.alerts import EVIDENCE, silence_alert
from api.silence.deadlines import COUNTED, NO_MACHINE, OFF, Deadlines, deadlines_of
from api.silence.rule import Change, Heard, Silence, Watched, step
from common.machines.machine import Step
from common.records.alerts import Transition
from common.settings import SilenceSettings
from tests.support.silence import ENGINE, PUMP, SETTINGS

START = datetime(2026, 1, 1, tzinfo=UTC)
LOOK = timedelta(seconds=30)
DUE = Deadlines(timedelta(minutes=3), timedelta(minutes=8))
QUIET, READING, SCORE = "nothing", "a reading", "a score"


@dataclass(slots=True)
class Story:
    """One asset, look by look."""

    deadlines: Deadlines | None = DUE
    now: datetime = START
    judged_from: datetime = START
    known: Watched | None = None
    cycle: int = 0
    changes: list[Change] = field(default_factory=list)

    def look(self, found: str, *, live: bool = True, blocked: bool = False) -> list[Change]:
        self.now += LOOK
        if blocked:
            self.judged_from = self.now
        heard = None
        if found != QUIET:
            self.cycle += 1
            has_score = found == SCORE
            scored = self.cycle if has_score else None
            heard = Heard("pumps", "only", self.cycle, scored, self.now, has_score, live)
        taken = step("a", self.known, heard, self.deadlines, self.now, self.judged_from)
        self.known = taken.watched
        self.changes += taken.changes
        return list(taken.changes)

    def looks(self, found: str, minutes: float, *, live: bool = True) -> list[Change]:
        began = len(self.changes)
        for _ in range(round(minutes * 2)):
            self.look(found, live=live)
        return self.changes[began:]


def sending() -> Story:
    """Return an asset that has been sending and scored for long enough to be missed."""
    story = Story()
    story.looks(SCORE, 4)
    return story


def test_no_reading_by_the_deadline_is_a_silence_and_one_reading_ends_it() -> None:
    story = sending()

    assert story.looks(QUIET, 2.5) == []
    (began,) = story.look(QUIET)
    assert story.looks(QUIET, 60) == []
    (ended,) = story.look(READING)

    assert (began.silence, began.begins, began.lasted) == (Silence.NO_READING, True, DUE.reading)
    assert (ended.silence, ended.begins) == (Silence.NO_READING, False)
    assert ended.silent_from == began.silent_from == story.now - timedelta(minutes=63, seconds=30)
    assert ended.lasted == timedelta(minutes=63, seconds=30)
    assert story.known is not None
    assert story.known.silence is None


def test_readings_without_a_score_are_a_silence_of_their_own() -> None:
    story = sending()

    assert story.looks(READING, 7.5) == []
    (began,) = story.look(READING)
    assert story.looks(READING, 60) == []
    (ended,) = story.look(SCORE)

    assert (began.silence, began.lasted) == (Silence.NO_SCORE, DUE.score)
    assert (ended.silence, ended.begins) == (Silence.NO_SCORE, False)


def test_a_machine_that_warms_up_after_a_silence_has_the_time_to_do_so() -> None:
    story = sending()
    story.looks(QUIET, 20)

    assert [each.begins for each in story.looks(READING, 7.5)] == [False]
    assert story.looks(SCORE, 1) == []


def test_readings_that_cease_while_none_is_scored_are_no_second_silence() -> None:
    story = sending()
    story.looks(READING, 9)

    assert story.looks(QUIET, 60) == []
    assert [each.silence for each in story.looks(SCORE, 0.5)] == [Silence.NO_SCORE]


def test_what_was_sent_for_less_than_the_deadline_is_never_missed() -> None:
    story = Story()
    story.looks(SCORE, 2)

    assert story.looks(QUIET, 600) == []
    assert story.known is None


def test_a_replay_of_old_readings_is_never_missed() -> None:
    story = Story()
    story.looks(SCORE, 30, live=False)

    assert story.looks(QUIET, 600) == []


def test_nothing_is_overdue_while_nobody_reads_what_is_sent() -> None:
    story = sending()

    for _ in range(200):
        assert story.look(QUIET, blocked=True) == []
    assert story.looks(QUIET, 2.5) == []
    assert [each.silence for each in story.looks(QUIET, 1)] == [Silence.NO_READING]


def test_a_fleet_that_is_watched_no_more_ends_its_silences() -> None:
    story = sending()
    story.looks(QUIET, 5)
    story.deadlines = None

    (ended,) = story.look(QUIET)

    assert (ended.begins, ended.deadline, story.known) == (False, None, None)
    assert "not watched" in silence_alert(ended).alert.reason


Look = tuple[str, bool, bool]
LOOKS = st.lists(
    st.tuples(
        st.sampled_from([QUIET, QUIET, QUIET, READING, SCORE, SCORE]),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=120,
)


@given(st.lists(st.tuples(st.sampled_from([QUIET, READING, SCORE]), st.integers(1, 30))), LOOKS)
def test_in_any_story(stretches: list[tuple[str, int]], looks: list[Look]) -> None:
    """Silences begin and end in turn, none before its deadline, under ids of their own."""
    story = Story()
    told: list[Look] = [(found, True, False) for found, times in stretches for _ in range(times)]
    heard_at = scored_at = START
    for found, live, blocked in [*told, *looks]:
        changes = story.look(found, live=live, blocked=blocked)
        for each in changes:
            if not each.begins:
                continue
            last, due = (
                (heard_at, DUE.reading)
                if each.silence is Silence.NO_READING
                else (scored_at, DUE.score)
            )
            assert story.now - max(last, story.judged_from) >= due
            assert not blocked
        heard_at = heard_at if found == QUIET else story.now
        scored_at = story.now if found == SCORE else scored_at

    assert [each.begins for each in story.changes] == [
        number % 2 == 0 for number in range(len(story.changes))
    ]
    assert all(
        (end.silence, end.silent_from) == (begin.silence, begin.silent_from)
        for begin, end in zip(story.changes[::2], story.changes[1::2], strict=False)
    )
    alerts = [silence_alert(each).alert for each in story.changes]
    assert len({alert.alert_id for alert in alerts}) == len(alerts)
    assert len({alert.alarm_id for alert in alerts}) == (len(alerts) + 1) // 2
    for change, alert in zip(story.changes, alerts, strict=True):
        assert alert.evidence is EVIDENCE[change.silence]
        assert (alert.state is Transition.RAISED) == change.begins
        assert alert.cycle >= alert.onset_cycle


def test_deadlines_follow_from_the_step() -> None:
    assert deadlines_of(PUMP, SETTINGS) == Deadlines(timedelta(minutes=3), timedelta(minutes=8))


def test_no_deadline_is_over_before_three_looks() -> None:
    fast = PUMP.model_copy(update={"step": Step(clock="time", interval_s=0.1)})

    due = deadlines_of(fast, SETTINGS)

    assert isinstance(due, Deadlines)
    assert due.reading == timedelta(seconds=90)


def test_what_has_no_clock_is_watched_only_where_somebody_says_how_long() -> None:
    said = SilenceSettings(after_steps=10, counted_after_s=86_400)

    assert deadlines_of(ENGINE, SETTINGS) == COUNTED
    assert deadlines_of(ENGINE, said) == Deadlines(timedelta(days=1), timedelta(days=4))
    assert deadlines_of(None, SETTINGS) == NO_MACHINE
    assert deadlines_of(PUMP, SilenceSettings(after_steps=0)) == OFF
