"""What is remembered of a run: sums that do not depend on how its stream is cut."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.scoring.history import (
    AGE,
    AGE_UNKNOWN,
    COUNT,
    FARTHEST,
    FIRST_SUM,
    KNOWN_COUNTS,
    LATEST_START,
    NO_HISTORY,
    Histories,
    LifeHistory,
    alone,
    follow,
    follow_on,
    run_features,
    trail_width,
    whole_runs,
)
from models.scoring.windows import sliding_windows

LENGTH, CHANNELS = 4, 3
rows_of_runs = arrays(
    np.float32,
    st.tuples(st.integers(LENGTH, 40), st.just(CHANNELS)),
    elements=st.floats(-30, 30, width=32),
)


def run_of(rows: np.ndarray[Any, Any], first: int = 1) -> tuple[Any, Any]:
    windows = sliding_windows(rows, LENGTH)
    return windows, np.arange(len(windows)) + first + LENGTH - 1


@given(rows_of_runs, st.sets(st.integers(0, 40)), st.integers(1, 40))
def test_batch_boundaries_make_no_difference(rows: Any, cuts: set[int], first: int) -> None:
    windows, cycles = run_of(rows, first)
    expected, after = follow(NO_HISTORY, windows, cycles)

    history, parts = NO_HISTORY, []
    bounds = [0, *sorted(cut for cut in cuts if cut < len(windows)), len(windows)]
    for begin, end in pairwise(bounds):
        part, history = follow(history, windows[begin:end].copy(), cycles[begin:end])
        parts.append(part)

    assert np.concatenate(parts).tobytes() == expected.tobytes()
    assert (history.count, history.whole) == (after.count, after.whole)
    assert history.sums.tobytes() == after.sums.tobytes()
    assert history.sums.ravel().tobytes() == expected[-1, FIRST_SUM:].tobytes()


@given(rows_of_runs)
def test_the_sums_are_of_all_readings_so_far(rows: Any) -> None:
    windows, cycles = run_of(rows)

    trail, after = follow(NO_HISTORY, windows, cycles)

    held = np.clip(rows.astype(float), -FARTHEST, FARTHEST)
    for index in range(len(windows)):
        so_far, times = held[: index + LENGTH], np.arange(index + LENGTH)[:, None]
        expected = [(so_far * times**power).sum(axis=0) for power in range(3)]
        np.testing.assert_allclose(
            trail[index, FIRST_SUM:], np.concatenate(expected), rtol=1e-9, atol=1e-6
        )
    np.testing.assert_array_equal(trail[:, COUNT], np.arange(LENGTH, len(rows) + 1))
    np.testing.assert_array_equal(trail[:, AGE], cycles)
    assert after.count == len(rows)
    assert trail.shape[1] == trail_width(CHANNELS)


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=6)
    | st.lists(st.just(1), min_size=1, max_size=6)
    | st.just([7, 1]),
    st.integers(0, 99),
)
def test_many_runs_are_followed_together_as_each_alone(counts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    runs = [
        run_of(rng.normal(size=(LENGTH + count, CHANNELS)).astype(np.float32), first)
        for count, first in zip(counts, rng.integers(1, 40, len(counts)).tolist(), strict=True)
    ]
    begun = [follow(NO_HISTORY, windows[:1], cycles[:1])[1] for windows, cycles in runs]

    before = Histories(
        np.array([each.count for each in begun]),
        np.array([each.whole for each in begun]),
        np.stack([each.sums for each in begun]),
    )
    trail, sums = follow_on(
        before,
        np.array(counts),
        np.concatenate([windows[1:, -1] for windows, _ in runs]),
        np.concatenate([cycles[1:] for _, cycles in runs]),
    )

    alone_each = [
        follow(history, windows[1:], cycles[1:])
        for history, (windows, cycles) in zip(begun, runs, strict=True)
    ]
    assert trail.tobytes() == np.concatenate([part for part, _ in alone_each]).tobytes()
    assert sums.tobytes() == np.stack([after.sums for _, after in alone_each]).tobytes()


@pytest.mark.parametrize(
    ("first", "whole"), [(1, True), (LATEST_START + 1, True), (LATEST_START + 2, False)]
)
def test_a_run_is_whole_if_it_was_followed_from_its_start(first: int, whole: bool) -> None:
    windows, cycles = run_of(np.ones((9, CHANNELS), np.float32), first)

    trail, after = follow(NO_HISTORY, windows[:2], cycles[:2])
    later, _ = follow(after, windows[2:], cycles[2:])

    assert whole_runs(trail).tolist() == [whole] * 2
    assert whole_runs(later).tolist() == [whole] * 4
    np.testing.assert_array_equal(later[:, AGE], cycles[2:] if whole else AGE_UNKNOWN)


@given(rows_of_runs)
def test_a_window_alone_is_a_run_joined_at_it(rows: Any) -> None:
    windows, _ = run_of(rows)
    late = np.array([99])

    found = alone(windows)

    for index in range(len(windows)):
        expected, _ = follow(NO_HISTORY, windows[index : index + 1], late)
        assert (found[index] == expected[0]).all()


def test_one_wild_value_does_not_blind_a_channel_for_ever() -> None:
    rows = np.ones((30, CHANNELS), np.float32)
    wild = rows.copy()
    wild[12, 0] = 1e12

    plain, spiked = (follow(NO_HISTORY, *run_of(each))[0][-1] for each in (rows, wild))

    assert spiked[FIRST_SUM] - plain[FIRST_SUM] == FARTHEST - 1


def test_without_windows_nothing_changes() -> None:
    before = LifeHistory(7, True, np.ones((3, CHANNELS)))

    trail, after = follow(before, np.empty((0, LENGTH, CHANNELS), np.float32), np.empty(0, int))

    assert trail.shape == (0, trail_width(CHANNELS))
    assert after is before


@given(st.floats(-3, 3), st.floats(-0.1, 0.1), st.floats(-0.002, 0.002), st.integers(4, 60))
def test_a_parabola_is_told_as_it_is(level: float, slope: float, bend: float, n: int) -> None:
    times = np.arange(n, dtype=np.float64)
    course = level + slope * times + bend * times**2
    sums = np.array([[(course * times**power).sum()] for power in range(3)])
    trail = np.concatenate([[n, n], sums.ravel()])[None]

    found = run_features(trail, np.array([[course[-1]]]), np.array([2.0]))[0]

    rise = np.polyfit(times, course, 1)[0] * n
    mean = 2 * course.mean()
    expected = [rise, mean, 2 * rise, 2 * bend * n**2, course[-1] - mean]
    expected += [100 * (course[-1] - mean) / n, 200 * rise / n, n, n]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_the_table_of_counts_says_what_is_reckoned() -> None:
    rng = np.random.default_rng(4)
    counts = np.array([1, 2, 3, 30, KNOWN_COUNTS - 1])
    trail = rng.normal(size=(len(counts), trail_width(CHANNELS)))
    trail[:, COUNT] = counts
    beyond = np.concatenate([trail, trail[:1]])
    beyond[-1, COUNT] = KNOWN_COUNTS  # with it, nobody's numbers are looked up
    recent, wear = rng.normal(size=(len(beyond), 1)), rng.normal(size=CHANNELS)

    with np.errstate(all="ignore"):
        looked_up = run_features(trail, recent[:-1], wear)
        reckoned = run_features(beyond, recent, wear)[:-1]

    assert looked_up.tobytes() == reckoned.tobytes()


def test_windows_of_two_rows_have_no_bend() -> None:
    trail = alone(np.array([[[1.0], [3.0]]], np.float32))

    found = run_features(trail, np.array([[2.0]]), np.array([1.0]))

    assert found[0].tolist() == [4.0, 2.0, 4.0, 0.0, 0.0, 0.0, 200.0, AGE_UNKNOWN, 2.0]
