from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cmapss.reader import load_dataset
from models.artifact.score_arrays import pack_arrays
from models.evaluation import life as figures
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL
from models.scoring.history import LATEST_START, alone, whole_runs
from models.scoring.life import (
    INTERVAL_ARRAYS,
    JOINED,
    LIFE_ARRAYS,
    band,
    check_life,
    remaining_life,
)
from models.scoring.windows import LIFE_UNKNOWN, WindowSet
from models.training.life.band import Course, alarm_reach, fit_band, half_way
from models.training.life.boosting import Growth
from models.training.life.fit import (
    MIN_FAILURES,
    Crossed,
    cross_predict,
    fit_intervals,
    fit_life,
    known_windows,
    life_limit,
    trail_of,
)
from models.training.life.joined import join_after, join_late
from models.training.preparation.windows import Prepared, prepare
from tests.support.fleets import fleet

QUICK = Growth(trees=10, depth=3, learning_rate=0.3, seeds=1)


@pytest.fixture(scope="module")
def failing() -> Prepared:
    return prepare(fleet(30))


@pytest.fixture(scope="module")
def crossed(failing: Prepared) -> Crossed:
    return cross_predict(failing, QUICK)


@pytest.fixture(scope="module")
def params(failing: Prepared, crossed: Crossed) -> dict[str, Any]:
    return fit_life(failing, crossed=crossed, growth=QUICK)


def made_up(n_assets: int = 60, seed: int = 0) -> Course:
    rng = np.random.default_rng(seed)
    life = np.tile(np.arange(200, -1, -1), n_assets)
    bias = np.repeat(rng.normal(size=n_assets) * 4, 201)
    errors = (bias + rng.normal(size=len(life)) * 4) * np.minimum(life, 100) / 50
    predicted = np.clip(np.minimum(life, HEALTHY_RUL) - errors, 0.0, HEALTHY_RUL)
    return Course(np.repeat(np.arange(1, n_assets + 1), 201), life, predicted)


def test_the_model_fits_its_windows_and_engines_it_never_saw(
    failing: Prepared, params: dict[str, Any]
) -> None:
    assert tuple(params) == LIFE_ARRAYS
    check_life(params, 30, 14)

    near = failing.heldout.where(failing.heldout.life_left <= 35)
    said = remaining_life(near.windows, trail_of(near), params)

    assert np.abs(said.expected - near.life_left).mean() < 8
    assert figures.held(said.low, said.high, near.life_left, near.units, 125.0).coverage > 0.75


def test_the_same_windows_give_the_same_bytes_whatever_is_held_out(
    failing: Prepared, params: dict[str, Any]
) -> None:
    blind = replace(failing, heldout=failing.heldout.where(np.zeros(len(failing.heldout), bool)))

    assert pack_arrays(fit_life(blind, growth=QUICK)) == pack_arrays(params)


def test_windows_of_unknown_life_are_not_learned_from(failing: Prepared) -> None:
    life = failing.fit.life_left.copy()
    life[failing.fit.units == 1] = LIFE_UNKNOWN
    part = replace(failing, fit=replace(failing.fit, life_left=life))

    assert 1 not in known_windows(part).units
    assert 1 in known_windows(failing).units


def test_too_few_failures_are_refused_with_the_number_needed(prepared: Prepared) -> None:
    with pytest.raises(ValueError, match=f"6 assets .* at least {MIN_FAILURES}"):
        fit_life(prepared, growth=QUICK)


def test_runs_of_which_no_start_is_known_have_one_interval(
    crossed: Crossed, failing: Prepared
) -> None:
    headless = replace(crossed, whole=np.zeros_like(crossed.whole))

    found = fit_intervals(headless)

    for name in INTERVAL_ARRAYS:
        np.testing.assert_array_equal(found[name], found[JOINED + name])
    of_both = fit_intervals(crossed)
    assert not np.array_equal(of_both["below"], of_both[JOINED + "below"])


def test_some_windows_of_what_is_said_keep_their_places(crossed: Crossed) -> None:
    mask = crossed.own.units % 2 == 0

    part = crossed.where(mask)

    np.testing.assert_array_equal(part.own.units[part.places], part.joined.units)
    np.testing.assert_array_equal(part.own.life[part.places], part.joined.life)
    assert set(part.joined.units) <= set(part.own.units)
    assert (part.own.units % 2 == 0).all()


def test_whoever_joins_a_run_knows_neither_age_nor_what_was_before(failing: Prepared) -> None:
    late = join_after(failing.fit, 20)

    assert not whole_runs(late.trail).any()
    first = np.flatnonzero(np.diff(failing.fit.units[late.places], prepend=-1))
    np.testing.assert_array_equal(failing.fit.cycles[late.places[first]], 50)
    np.testing.assert_array_equal(late.trail[first], alone(failing.fit.windows[late.places[first]]))
    assert whole_runs(trail_of(failing.fit)).all()


@given(st.integers(0, 99))
def test_runs_are_joined_once_each_and_followed_to_their_end(seed: int) -> None:
    units = np.repeat([1, 2, 3], [40, 12, 5])
    cycles = np.concatenate([np.arange(6, 6 + n) for n in (40, 12, 5)])
    no = np.zeros(len(units), bool)
    windows = WindowSet(np.ones((57, 6, 2), np.float32), units, cycles, cycles, no, no)

    late = join_late(windows, 1, seed)

    assert 39 in late.places
    assert set(late.places) <= {*range(LATEST_START + 1, 40), 51}
    np.testing.assert_array_equal(np.diff(late.places)[late.places[1:] < 40], 1)


def test_limit_is_the_best_of_all() -> None:
    course = made_up()
    near = course.life <= FAULT_RUL

    def f1(limit: float) -> float:
        said = course.predicted <= limit
        return float(2 * (near & said).sum() / (near.sum() + said.sum()))

    assert f1(life_limit(course)) == pytest.approx(max(map(f1, np.unique(course.predicted))))


def test_intervals_hold_as_often_as_they_say_for_new_assets() -> None:
    params: dict[str, Any] = fit_band(made_up(seed=1), 0.9)
    new = made_up(seed=2)

    below, above = band(new.predicted, params)

    inside = (new.errors >= below) & (new.errors <= above)
    assert inside.mean() == pytest.approx(0.9, abs=0.03)
    assert (np.diff(params["knots"]) > 0).all()
    assert (params["below"] < 0).all()
    assert (params["above"] > 0).all()


def test_each_asset_counts_once_at_the_alarm() -> None:
    fitted, new = made_up(100, seed=1), made_up(500, seed=2)
    params: dict[str, Any] = fit_band(fitted, 0.9)

    down, up = alarm_reach(fitted, half_way(fitted), params, 0.9)

    marks = half_way(new)
    assert marks.sum() == 500
    below, above = band(new.predicted[marks], params)
    errors = new.errors[marks]
    inside = (errors >= below * down) & (errors <= above * up)
    assert inside.mean() == pytest.approx(0.9, abs=0.06)


def test_with_too_few_alarms_the_interval_is_that_of_a_reading() -> None:
    course = made_up(5)

    reach = alarm_reach(course, half_way(course), dict(fit_band(course, 0.9)), 0.9)

    assert reach.tolist() == [1.0, 1.0]


@pytest.mark.real_data
def test_fd001_says_how_long_is_left(cmapss_dir: Path) -> None:
    prepared = prepare(load_dataset(cmapss_dir, "FD001", "train"))
    crossed = cross_predict(prepared, Growth(seeds=1), folds=3)

    params = fit_life(prepared, crossed=crossed, growth=Growth(seeds=1))

    heldout = prepared.heldout
    said, life = remaining_life(heldout.windows, trail_of(heldout), params), heldout.life_left
    late = join_after(heldout, 50)
    late_said = remaining_life(heldout.windows[late.places], late.trail, params)
    late_found = figures.held(
        late_said.low, late_said.high, life[late.places], heldout.units[late.places], HEALTHY_RUL
    )
    assert late_found.coverage > 0.8
    found = figures.held(said.low, said.high, life, heldout.units, HEALTHY_RUL)
    assert figures.errors_of(said.expected, life, HEALTHY_RUL).rmse < 10.0
    assert 0.86 <= found.coverage <= 0.96
    assert found.width < 30
    by_life = figures.held_by_life(said.low, said.high, life, heldout.units, HEALTHY_RUL)
    assert min(part.coverage for part in by_life.values()) > 0.82
    critical = figures.ranking(-said.expected, life, -life_limit(crossed.own))
    assert critical.f1 > 0.90
    assert critical.average_precision > 0.97
    assert len(pack_arrays(params)) < 300_000
