"""What a state store's bytes say, and what is said of bytes that another program put there."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from detector.adapters.stored_values import Foreign, RawValues, packed_progress
from detector.core.intent import Intent
from detector.core.state.asset import FENCE, Fence, fresh_state
from detector.core.state.progress import Progress
from detector.ports import Stored
from tests.support.builders import MeanScorer, fleet_of

FLEET = fleet_of(MeanScorer())
KEY = ("engine-1", "run-1")
OTHER = ("engine-2", "run-1")


def test_what_this_program_wrote_is_read() -> None:
    state = fresh_state(FLEET, Fence(2, 40, 1))
    intent = Intent("rules", 1, 52, [], [])
    values = RawValues({KEY: state.pack()}, {2: Progress(40, 1).pack()}, {2: intent.pack()})

    with capture_logs() as logs:
        stored, foreign = values.read()

    assert stored.states[KEY].fence == Fence(2, 40, 1)
    assert stored == Stored(stored.states, {2: Progress(40, 1)}, {2: intent})
    assert foreign == Foreign([], [])
    assert logs == []


@pytest.mark.parametrize(
    ("life", "end", "is_left"), [(1, 40, False), (1, 41, True), (0, 99, False), (2, 41, False)]
)
def test_an_intent_that_the_progress_has_passed_is_left_out(
    life: int, end: int, is_left: bool
) -> None:
    value = Intent("rules", life, end, [], []).pack()

    stored, foreign = RawValues({}, {2: Progress(40, 1).pack()}, {2: value, 3: value}).read()

    assert stored.intents.keys() == ({2, 3} if is_left else {3})  # of 3 no progress is known
    assert not any(foreign)


def test_foreign_values_are_named_and_the_others_read_all_the_same() -> None:
    state = fresh_state(FLEET, Fence(2, 40))
    values = RawValues(
        {KEY: b"?", OTHER: state.pack()},
        {1: b"?", 2: Progress(40).pack()},
        {3: b"?", 4: Intent("rules", 1, 12, [], []).pack()},
    )

    stored, foreign = values.read()

    assert list(stored.states) == [OTHER]
    assert list(stored.progress) == [2]
    assert list(stored.intents) == [4]
    assert list(stored.unreadable) == [KEY]
    assert foreign == Foreign(progress=[1], intents=[3])


def test_a_foreign_state_can_be_replaced_however_short_it_is() -> None:
    """The store compares the first bytes of what is there with the fence that is expected."""
    ours = Fence(7, 2**40)
    values = RawValues({KEY: ours.pack() + b"not a state", OTHER: b"\x01"}, {}, {})

    stored, _ = values.read()

    assert stored.unreadable[KEY] == ours
    assert stored.unreadable[OTHER].pack() == b"\x01".ljust(FENCE.size, b"\0")


def test_the_log_says_which_value_is_foreign_why_and_how_it_begins() -> None:
    with capture_logs() as logs:
        RawValues({}, {5: b"0123456789" * 10}, {}).read()

    (line,) = logs
    assert (line["log_level"], line["name"]) == ("error", "5")
    assert line["begins_with"] == repr(b"0123456789" * 4)
    assert "5 parts are expected, 1 came" in line["why"]


def test_progress_is_compared_as_it_is_stored_and_nothing_is_empty() -> None:
    assert packed_progress(None) == b""
    assert packed_progress(Progress(41, 2)) == Progress(41, 2).pack() != b""
