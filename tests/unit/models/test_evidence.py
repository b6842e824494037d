"""Two kinds of evidence, one severity: who speaks, how loud, and what makes it critical."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.records.verdicts import Evidence, Level
from models.scoring.evidence import WARNERS, judge, judge_windows, severity_of
from models.scoring.life import Life
from models.scoring.scorer import ChannelScores, Thresholds, WindowScores
from models.scoring.windows import WindowSet
from tests.support.builders import MeanScorer

NAMES = ("T24", "T30", "T50")
PLAIN = MeanScorer(NAMES, 4).spec
FULL = replace(
    PLAIN, thresholds=Thresholds(2.0, 6.0, channel=4.0, life=30.0), frozen_after=(3, 4, 0)
)
NUMBERS = st.floats(-1e6, 1e6)


def life_of(expected: list[float]) -> Life:
    numbers = np.array(expected)
    return Life(numbers, numbers, numbers, numbers, numbers, 125.0, 0.9)


def found_of(
    scores: list[float], channel: list[float] | None = None, life: list[float] | None = None
) -> WindowScores:
    n = len(scores)
    shares = np.tile([0.5, 0.25, 0.25], (n, 1))
    up, down = np.ones((n, 3), np.int8), -np.ones((n, 3), np.int8)
    single = np.tile([0.0, 0.0, 1.0], (n, 1))
    return WindowScores(
        np.array(scores),
        shares,
        up,
        channel=None if channel is None else ChannelScores(np.array(channel), single, down),
        life=None if life is None else life_of(life),
    )


def moved(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.ones((n, 3), np.int64)


@given(score=NUMBERS, threshold=NUMBERS)
def test_a_severity_reaches_one_exactly_where_the_score_reaches_its_threshold(
    score: float, threshold: float
) -> None:
    severity = severity_of(np.array([score]), threshold)[0]

    assert (severity >= 1.0) == (score >= threshold)


@pytest.mark.parametrize(
    ("threshold", "severities"),
    [
        pytest.param(4.0, [-0.5, 0.0, 1.0, 1.5], id="a ratio, where the threshold is positive"),
        pytest.param(-4.0, [1.5, 2.0, 3.0, 3.5], id="a distance in its size, where it is not"),
        pytest.param(0.0, [-1.0, 1.0, 5.0, 7.0], id="a plain distance, where it is nothing"),
    ],
)
def test_what_a_severity_is_of_any_threshold(threshold: float, severities: list[float]) -> None:
    assert severity_of(np.array([-2.0, 0.0, 4.0, 6.0]), threshold).tolist() == severities


def test_windows_of_a_set_count_how_long_channels_have_stood_still_if_anybody_did() -> None:
    n = 2
    numbers, no = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    windows = WindowSet(np.zeros((n, 4, 3), np.float32), numbers, numbers, numbers, no, no)
    found = found_of([0.0, 3.0])

    moving = judge_windows(found, windows, FULL)
    still = judge_windows(found, replace(windows, unmoved=np.full((n, 3), 4)), FULL)

    assert moving.severities.tolist() == [0.0, 1.5]
    assert [WARNERS[at] for at in still.speakers] == [Evidence.FROZEN, Evidence.DEGRADATION]


@given(
    scores=arrays.arrays(np.float64, st.integers(0, 20), elements=NUMBERS),
    threshold=NUMBERS,
)
def test_a_higher_score_is_never_less_severe(scores: np.ndarray, threshold: float) -> None:
    severities = severity_of(np.sort(scores), threshold)

    assert np.isfinite(severities).all()
    assert (np.diff(severities) >= 0).all()


def test_without_other_evidence_a_score_is_judged_as_ever() -> None:
    judged = judge(found_of([0.5, 1.0, 1.5, 2.0]), moved(4), PLAIN)

    assert judged.severities.tolist() == [0.5, 1.0, 1.5, 2.0]
    assert [judged.level(at) for at in range(4)] == [
        Level.NONE,
        Level.WARNING,
        Level.WARNING,
        Level.CRITICAL,
    ]
    assert {WARNERS[speaker] for speaker in judged.speakers} == {Evidence.DEGRADATION}


def test_the_kind_with_the_higher_severity_speaks_and_names_its_channels() -> None:
    judged = judge(found_of([3.0, 3.0, 3.0], [2.0, 6.0, 8.0]), moved(3), FULL)

    assert [WARNERS[at] for at in judged.speakers] == [
        Evidence.DEGRADATION,
        Evidence.DEGRADATION,  # of equals, the score
        Evidence.CHANNEL,
    ]
    assert judged.severities.tolist() == [1.5, 1.5, 2.0]
    assert judged.shares[2].tolist() == [0.0, 0.0, 1.0]
    assert judged.directions[:, 0].tolist() == [1, 1, -1]
    assert (judged.scores[2], judged.thresholds[2]) == (8.0, 4.0)


def test_a_channel_that_stands_still_for_too_long_is_frozen() -> None:
    unmoved = np.array([[2, 3, 4], [3, 3, 4], [3, 4, 4]])

    judged = judge(found_of([0.0, 0.0, 0.0]), unmoved, FULL)

    assert judged.severities.tolist() == [0.0, 1.0, 1.0]
    assert [WARNERS[at] for at in judged.speakers[1:]] == [Evidence.FROZEN] * 2
    assert judged.shares[1:].tolist() == [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    assert judged.scores[1:].tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    ("score", "life", "level"),
    [
        pytest.param(2.0, 30.0, Level.CRITICAL, id="a warning with little left"),
        pytest.param(2.0, 30.1, Level.WARNING, id="a warning with more left"),
        pytest.param(9.0, 30.1, Level.WARNING, id="the score's own threshold does not count"),
        pytest.param(1.9, 5.0, Level.NONE, id="little left, and nothing held against it"),
    ],
)
def test_little_life_makes_a_warning_critical(score: float, life: float, level: Level) -> None:
    assert judge(found_of([score], [0.0], [life]), moved(1), FULL).level(0) is level


@given(
    scores=st.lists(st.tuples(NUMBERS, NUMBERS, st.floats(0, 125)), min_size=1, max_size=20),
    unmoved=st.lists(st.integers(1, 4), min_size=3, max_size=3),
)
def test_one_window_alone_is_judged_as_in_a_batch(
    scores: list[tuple[float, float, float]], unmoved: list[int]
) -> None:
    found = found_of(*(list(column) for column in zip(*scores, strict=True)))
    still = np.tile(unmoved, (len(scores), 1))
    whole = judge(found, still, FULL)

    for at in range(len(scores)):
        alone = judge(found[at : at + 1], still[at : at + 1], FULL)
        for name in ("severities", "critical", "speakers", "scores", "thresholds", "shares"):
            assert np.array_equal(getattr(alone, name)[0], getattr(whole, name)[at])
        assert alone.level(0) is whole.level(at)
        assert np.isclose(alone.shares[0].sum(), 1.0)
