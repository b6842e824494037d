from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.settings import AlarmSettings, InputSettings
from models.alarm import AlarmPolicy, AlarmState, interrupt, step
from models.thresholding.asset_conformal import (
    AlarmPeaks,
    alarm_peaks,
    allowed,
    budget_threshold,
    joint_scales,
    joint_thresholds,
    least_alpha,
    least_assets,
)
from models.thresholding.rule import Rule
from models.thresholding.strategies import CalibrationScores

WHOLE = st.integers(-5, 12)
ALPHAS = st.integers(1, 500).map(lambda thousandths: thousandths / 1000)
RECORD = st.lists(st.tuples(WHOLE, st.integers(1, 8)), max_size=30)
"""Scores with the cycles since the one before."""


def peaks_of(records: list[list[tuple[int, int]]], on_delay: int = 3) -> AlarmPeaks:
    parts = [(unit, *row) for unit, record in enumerate(records, start=1) for row in record]
    units, scores, steps = (np.array([part[i] for part in parts], np.int64) for i in range(3))
    return alarm_peaks(scores.astype(np.float64), units, np.cumsum(steps), on_delay)


def live_alarms(record: list[tuple[int, int]], threshold: float, on_delay: int) -> bool:
    """Whether the detector's own rule raises an alarm; a longer gap brings cycles without score."""
    policy = AlarmPolicy(on_delay, 10, 0.05)
    state, cycle = AlarmState(), 0
    for score, gap in record:
        cycle += gap
        state = interrupt(state) if gap > InputSettings().bridge_cycles + 1 else state
        state, change = step(state, cycle, score >= threshold, False, policy)
        if change is not None:
            return True
    return False


@given(record=RECORD, on_delay=st.integers(1, 5), threshold=WHOLE)
def test_a_threshold_up_to_the_peak_alarms_and_none_above(
    record: list[tuple[int, int]], on_delay: int, threshold: int
) -> None:
    if not record:
        return
    peak = peaks_of([record], on_delay).peaks[0]

    assert (threshold <= peak) == live_alarms(record, float(threshold), on_delay)


@given(records=st.lists(RECORD.filter(bool), min_size=1, max_size=5), seed=st.integers(0, 9))
def test_assets_may_be_mixed_as_long_as_each_keeps_its_order(
    records: list[list[tuple[int, int]]], seed: int
) -> None:
    alone = [peaks_of([record]).peaks[0] for record in records]
    rng = np.random.default_rng(seed)
    owners = rng.permutation([unit for unit, record in enumerate(records) for _ in record])
    left = [iter(zip(*_arrays(record), strict=True)) for record in records]
    rows = [next(left[unit]) for unit in owners]

    found = alarm_peaks(
        np.array([score for score, _ in rows], np.float64),
        np.array(owners),
        np.array([cycle for _, cycle in rows]),
    )

    assert found.units.tolist() == list(range(len(records)))
    assert found.peaks.tolist() == alone


def _arrays(record: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [score for score, _ in record], np.cumsum([gap for _, gap in record]).tolist()


def test_an_asset_with_too_few_scores_has_no_peak_and_still_counts() -> None:
    found = peaks_of([[(9, 1)] * 2, [(1, 1)] * 3])

    assert found.peaks.tolist() == [-np.inf, 1.0]


def test_a_counter_that_goes_back_ends_a_row() -> None:
    found = alarm_peaks(np.ones(4), np.ones(4, np.int64), np.array([8, 9, 1, 2]))

    assert found.peaks.tolist() == [-np.inf]


def test_the_alarm_reckoned_with_is_the_detectors() -> None:
    assert AlarmSettings().on_delay_cycles == 3
    assert peaks_of([[(1, 1), (2, 1), (3, 1)]], AlarmSettings().on_delay_cycles).peaks == [1.0]


@pytest.mark.parametrize(
    ("units", "scores", "on_delay"),
    [
        pytest.param([1], [1.0, 2.0], 3, id="shapes"),
        pytest.param([1], [np.nan], 3, id="nan"),
        pytest.param([1], [1.0], 0, id="no delay"),
    ],
)
def test_scores_that_are_none_are_refused(
    units: list[int], scores: list[float], on_delay: int
) -> None:
    with pytest.raises(ValueError, match="came"):
        alarm_peaks(np.array(scores), np.array(units), np.array(units), on_delay)


@given(alpha=ALPHAS)
def test_the_least_number_of_assets_is_where_one_cut_becomes_possible(alpha: float) -> None:
    n = least_assets(alpha)

    assert allowed(n, alpha) >= 0
    assert n == 0 or allowed(n - 1, alpha) < 0
    assert n >= 1 / alpha - 1 - 1e-9


@example(n=99, alpha=0.29)  # .29 * 100 is 28.999999999999996 in floats
@given(n=st.integers(1, 500), alpha=ALPHAS)
def test_a_new_asset_is_among_so_many_highest_at_most(n: int, alpha: float) -> None:
    cuts = allowed(n, alpha) + 1

    assert Fraction(cuts, n + 1) <= Fraction(str(alpha)) < Fraction(cuts + 1, n + 1)


@given(n=st.integers(1, 900))
def test_the_least_part_is_possible_and_hardly_more_than_the_exact_one(n: int) -> None:
    assert allowed(n, least_alpha(n)) >= 0
    assert 0 <= least_alpha(n) - 1 / (n + 1) <= 1e-4


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
def test_a_part_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        least_assets(alpha)


def exceeding(everyone: NDArray[np.float64], alpha: float) -> int:
    """How many assets would reach the threshold of all the others, each taken as the new one."""
    return sum(
        everyone[new] >= budget_threshold(np.delete(everyone, new), alpha).value
        for new in range(len(everyone))
    )


@given(
    everyone=st.lists(WHOLE, min_size=3, max_size=30),
    alpha=st.sampled_from([0.05, 0.1, 0.2, 0.25, 0.5]),
)
def test_whoever_is_the_new_one_so_many_exceed_at_most(everyone: list[int], alpha: float) -> None:
    n = len(everyone) - 1
    if n < least_assets(alpha):
        with pytest.raises(ValueError, match="are needed to promise"):
            exceeding(np.array(everyone, np.float64), alpha)
        return

    found = exceeding(np.array(everyone, np.float64), alpha)

    # all orders of exchangeable assets are equally likely: the probability is found / (n + 1)
    assert Fraction(found, n + 1) <= Fraction(str(alpha))
    if len(set(everyone)) == n + 1:
        assert found == allowed(n, alpha) + 1


def test_every_order_of_ranks_gives_exactly_the_part() -> None:
    alpha, n = 0.4, 5
    reached = sum(
        order[n] >= budget_threshold(np.array(order[:n], np.float64), alpha).value
        for order in itertools.permutations(range(n + 1))
    )

    assert reached == 2 / 6 * math.factorial(n + 1)


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(4, 25),
    kinds=st.integers(1, 4),
    shared=st.sampled_from([0.0, 0.7, 1.0]),
    alpha=st.sampled_from([0.1, 0.2, 0.3, 0.5]),
)
def test_kinds_that_share_a_budget_keep_it_exactly_whoever_is_new(
    seed: int, n: int, kinds: int, shared: float, alpha: float
) -> None:
    cuts = allowed(n, alpha) + 1
    if cuts < kinds:
        return
    rng = np.random.default_rng(seed)
    everyone = rng.normal(size=(n + 1, kinds)) + shared * rng.standard_cauchy(size=(n + 1, 1))

    reached = sum(
        bool((everyone[new] >= joint_scales(np.delete(everyone, new, axis=0), alpha)).any())
        for new in range(n + 1)
    )

    assert reached == cuts


@given(
    peaks=st.lists(st.tuples(WHOLE, WHOLE), min_size=10, max_size=25),
    alpha=st.sampled_from([0.1, 0.2]),
)
def test_kinds_with_ties_never_exceed_the_budget_on_the_assets_at_hand(
    peaks: list[tuple[int, int]], alpha: float
) -> None:
    values = np.array(peaks, np.float64)

    reached = (values >= joint_scales(values, alpha)).any(axis=1).sum()

    assert reached <= allowed(len(peaks), alpha)


def test_one_kind_alone_has_the_threshold_of_its_own_budget() -> None:
    peaks = np.random.default_rng(3).normal(size=40)

    assert joint_scales(peaks[:, None], 0.05)[0] == budget_threshold(peaks, 0.05).value


def test_one_odd_asset_moves_a_shared_budget_little() -> None:
    calm = np.random.default_rng(4).normal(size=(80, 2))
    odd = calm.copy()
    odd[7] = (1e6, 0.0)

    assert np.abs(joint_scales(odd, 0.05) - joint_scales(calm, 0.05)).max() < 1.0


@pytest.mark.parametrize(("n", "alpha"), [(19, 0.05), (16, 0.0589)])
@pytest.mark.parametrize("kinds", [2, 3])
def test_a_budget_too_small_for_turns_is_kept_within_two_points(
    n: int, alpha: float, kinds: int
) -> None:
    rng = np.random.default_rng(5)
    reached = [
        (rng.gumbel(size=(500, kinds)) >= joint_scales(rng.gumbel(size=(n, kinds)), alpha))
        .any(axis=1)
        .mean()
        for _ in range(400)
    ]

    assert float(np.mean(reached)) == pytest.approx(alpha, abs=0.02)


@given(seed=st.integers(0, 10_000), kinds=st.integers(1, 3))
def test_rows_of_mixed_kinds_stay_within_the_budget(seed: int, kinds: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.abs(rng.normal(size=(20 * 25, kinds))).round(1) + 0.1
    units, cycles = np.repeat(np.arange(20), 25), np.tile(np.arange(25), 20)

    found = joint_thresholds(scores, units, cycles, 0.2)

    alone = [alarm_peaks(kind, units, cycles).peaks for kind in scores.T]
    assert (found >= joint_scales(np.stack(alone, axis=1), 0.2)).all()
    peaks = alarm_peaks((scores / found).max(axis=1), units, cycles).peaks
    assert (peaks >= 1.0).sum() <= allowed(20, 0.2)


def test_a_threshold_below_zero_is_no_unit_of_severity() -> None:
    scores = -np.ones((60, 2))

    with pytest.raises(ValueError, match="must be above 0"):
        joint_thresholds(scores, np.repeat(np.arange(20), 3), np.tile(np.arange(3), 20), 0.2)


def test_peaks_that_never_differ_still_give_thresholds_above_them() -> None:
    assert (joint_scales(np.ones((9, 2)), 0.1) > 1.0).all()


def test_kinds_in_which_nobody_could_alarm_are_refused() -> None:
    with pytest.raises(ValueError, match="too few have enough healthy scores"):
        joint_scales(np.full((30, 2), -np.inf), 0.1)
    with pytest.raises(ValueError, match="have enough healthy scores"):
        budget_threshold(np.full(30, -np.inf), 0.1)


def fleet(assets: int, length: int = 20) -> CalibrationScores:
    scores = np.random.default_rng(0).normal(size=assets * length)
    healthy = np.ones(len(scores), np.bool_)
    return CalibrationScores(
        scores, np.repeat(np.arange(assets), length), healthy, ~healthy,
        np.tile(np.arange(length), assets),
    )  # fmt: skip


def test_too_few_assets_are_refused_for_what_was_asked_and_told_what_is_possible() -> None:
    with pytest.raises(ValueError, match=r"16 assets came; 19 are needed .* allow 0\.0589"):
        Rule("asset_budget", {"alpha": 0.05}).choose(fleet(16))


def test_the_default_makes_do_with_what_the_assets_allow_and_says_so() -> None:
    few, enough = (Rule("asset_budget").choose(fleet(n)) for n in (16, 19))

    assert few.options == {"alpha": 0.0589}
    assert few.reason.startswith("at most 5.89 % of new assets")
    assert few.reason.endswith("5 % would need 19 assets")
    assert Rule("asset_budget", few.options).choose(fleet(16)).value == few.value
    assert enough.options == {}
    assert "at most 5 %" in enough.reason


def test_the_budget_looks_at_healthy_windows_alone() -> None:
    data = fleet(20)
    faulty = np.arange(len(data.scores)) % 20 >= 15
    scores = np.where(faulty, 50.0, data.scores)

    chosen = Rule("asset_budget").choose(
        CalibrationScores(scores, data.units, ~faulty, faulty, data.cycles)
    )

    assert chosen.value < 10
    assert chosen.windows == 20 * 15
