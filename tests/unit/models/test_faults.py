"""The faults are what their names say, and the table counts what a judge says of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.machines.turbofan import TURBOFAN
from common.recording import AssetRecord
from models.evaluation.engines import recording_of
from models.evaluation.fault_table import FaultTable, Judge, Judged, fault_table, first_alarms
from models.evaluation.faults import (
    FAULTS,
    OBSERVED,
    Fault,
    Stretch,
    frozen,
    inject,
    noise,
    ramp,
    step,
)
from models.scoring.normaliser import Normaliser, fit_normaliser
from models.scoring.windows import sliding_windows
from tests.support.fleets import REGIMES, fleet

ONSET, ROWS, CHANNELS = 30, 60, 6
EVERY_FAULT = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@pytest.fixture(scope="module")
def stretch() -> Stretch:
    rng = np.random.default_rng(0)
    z = rng.normal(0.4, 0.7, (ROWS, CHANNELS))
    sds = rng.choice([0.5, 20.0], (ROWS, 1)) * np.arange(1.0, CHANNELS + 1)
    return Stretch(np.zeros((ROWS, 0)), 100.0 * sds + z * sds, z, sds, ONSET)


def moved(stretch: Stretch, values: NDArray[np.float64], channel: int) -> NDArray[np.float64]:
    """By how many deviations a channel was moved."""
    found: NDArray[np.float64] = (values - stretch.values[:, channel]) / stretch.sds[:, channel]
    return found


@EVERY_FAULT
def test_a_fault_changes_only_the_struck_channels_and_only_from_its_onset(
    fault: Fault, stretch: Stretch
) -> None:
    cases = inject(fault, stretch, np.random.default_rng(1))

    changed = cases.values != stretch.values
    assert not changed[:, :ONSET].any()
    assert np.array_equal(changed.any(axis=1), cases.signs != 0)
    struck = (cases.signs != 0).sum(axis=1)
    assert struck.min() >= fault.sensors[0]
    assert struck.max() <= fault.sensors[1]
    assert (np.diagonal(cases.signs) != 0).all()


@given(seed=st.integers(0, 1000))
def test_the_same_draws_give_the_same_cases(stretch: Stretch, seed: int) -> None:
    one, other = (inject(FAULTS[-1], stretch, np.random.default_rng(seed)) for _ in range(2))

    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.signs, other.signs)


def test_a_ramp_grows_evenly_and_stays(stretch: Stretch) -> None:
    up = moved(stretch, ramp(3.0, 15)(stretch, 2, 1.0), 2)

    np.testing.assert_allclose(up[ONSET : ONSET + 15], 0.2 * np.arange(1, 16), atol=1e-9)
    np.testing.assert_allclose(up[ONSET + 15 :], 3.0, atol=1e-9)


def test_a_step_is_whole_at_once_in_every_regime(stretch: Stretch) -> None:
    down = moved(stretch, step(100.0)(stretch, 0, -1.0), 0)

    np.testing.assert_allclose(down[ONSET:], -100.0, atol=1e-9)


def test_noise_keeps_the_asset_s_own_mean(stretch: Stretch) -> None:
    z = stretch.z[:, 1] + moved(stretch, noise(4.0)(stretch, 1, 1.0), 1)

    own = stretch.z[:, 1] - stretch.z[:, 1].mean()
    np.testing.assert_allclose(z[ONSET:] - stretch.z[:, 1].mean(), 4 * own[ONSET:], atol=1e-9)


def test_a_frozen_sensor_repeats_its_last_sound_value(stretch: Stretch) -> None:
    assert set(frozen(stretch, 3, 1.0)[ONSET:]) == {stretch.values[ONSET - 1, 3]}


def test_an_alarm_needs_three_readings_in_a_row() -> None:
    severity = np.array([[1.0, 1.0, 0.99, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0, 0.0], [9.0] * 5])

    assert first_alarms(severity).tolist() == [-1, 3, 2]
    assert first_alarms(np.ones((1, 2))).tolist() == [-1]
    assert first_alarms(np.ones((0, 5))).tolist() == []


@pytest.fixture(scope="module")
def records() -> list[AssetRecord]:
    # they live 175 to 194 cycles: 50 to 69 healthy readings, so some are too short for a fault
    return list(recording_of(fleet(12, regimes=REGIMES)).assets)


@pytest.fixture(scope="module")
def normaliser(records: list[AssetRecord]) -> Normaliser:
    values = np.concatenate([each.values(TURBOFAN)[each.healthy] for each in records])
    return fit_normaliser(values[:, :3], values[:, 3:], np.array([0.5, 0.02, 1.0]))


def last_row(threshold: float, way: int = 1) -> Judge:
    """A judge of the oddest value of the last reading, which may tell the wrong way."""

    def judge(windows: NDArray[np.float32], unmoved: NDArray[np.int64]) -> Judged:
        last = windows[:, -1]
        named = np.abs(last).argmax(axis=1)
        value = last[np.arange(len(last)), named]
        return Judged(
            np.abs(value) / threshold, named, np.where(value >= 0, way, -way).astype(np.int8)
        )

    return judge


def still(windows: NDArray[np.float32], unmoved: NDArray[np.int64]) -> Judged:
    """A judge of what stands still for 20 readings."""
    named = unmoved.argmax(axis=1)
    return Judged(unmoved.max(axis=1) / 20, named, np.ones(len(named), np.int8))


def table(records: list[AssetRecord], normaliser: Normaliser, judge: Judge) -> FaultTable:
    return fault_table(normaliser, TURBOFAN, records, judge)


def test_a_clear_fault_is_counted_named_and_told_the_right_way(
    records: list[AssetRecord], normaliser: Normaliser
) -> None:
    found = table(records, normaliser, last_row(20.0))
    rows = {row.fault: row for row in found.rows}

    long_enough = sum(int(each.healthy.sum()) >= 60 for each in records if each.healthy is not None)
    assert found.assets == long_enough
    assert 0 < found.assets < found.lives == len(records)
    assert (found.quiet_alarmed, found.lives_alarmed) == (0, 0)
    large = rows["step of 100 sd"]
    assert large.cases == 14 * found.assets
    assert (large.alarmed, large.delay) == (1.0, 3.0)
    assert (large.right_sensor, large.as_injected, large.as_read) == (1.0, 1.0, 1.0)
    assert large.weakest_alarmed == 1.0
    small = rows["step of 3 sd"]
    assert (small.alarmed, small.delay, small.right_sensor) == (0.0, None, None)


def test_a_judge_that_tells_the_wrong_way_is_found_out(
    records: list[AssetRecord], normaliser: Normaliser
) -> None:
    rows = {row.fault: row for row in table(records, normaliser, last_row(20.0, way=-1)).rows}

    assert rows["step of 100 sd"].right_sensor == 1.0
    assert rows["step of 100 sd"].as_injected == 0.0
    assert rows["step of 100 sd"].as_read == 0.0


def test_a_frozen_sensor_is_counted_across_regimes(
    records: list[AssetRecord], normaliser: Normaliser
) -> None:
    rows = {row.fault: row for row in table(records, normaliser, still).rows}

    # the last sound value is the first of the run: 20 at the 19th reading, and two more
    assert (rows["frozen"].alarmed, rows["frozen"].delay) == (1.0, 21.0)
    assert rows["frozen"].as_injected is None
    assert rows["step of 3 sd"].alarmed == 0.0


def test_a_judge_that_always_speaks_has_every_false_alarm(
    records: list[AssetRecord], normaliser: Normaliser
) -> None:
    found = table(records, normaliser, last_row(1e-9))

    assert found.quiet_alarmed == found.assets
    assert found.lives_alarmed == found.lives
    assert all(row.alarmed == 1.0 and row.delay == 3.0 for row in found.rows)


def test_progress_counts_each_record_with_each_fault_and_without(
    records: list[AssetRecord], normaliser: Normaliser
) -> None:
    told: list[tuple[int, int]] = []

    found = fault_table(
        normaliser, TURBOFAN, records, still, FAULTS[:2],
        on_watched=lambda done, total: told.append((done, total)),
    )  # fmt: skip

    total = 3 * found.assets + len(records)
    assert told == [(done, total) for done in range(1, total + 1)]


def test_onsets_do_not_depend_on_the_judge(
    records: list[AssetRecord], normaliser: Normaliser
) -> None:
    seen: list[NDArray[np.float32]] = []

    def spy(windows: NDArray[np.float32], unmoved: NDArray[np.int64]) -> Judged:
        seen.append(windows.copy())
        return still(windows, unmoved)

    table(records, normaliser, spy)
    first, seen = seen, []
    table(records, normaliser, spy)

    assert all(np.array_equal(one, other) for one, other in zip(first, seen, strict=True))
    assert first[0].shape == (14 * OBSERVED, 30, 14)


def test_windows_are_those_of_the_faulty_record(
    records: list[AssetRecord], normaliser: Normaliser
) -> None:
    windows: list[NDArray[np.float32]] = []

    def spy(given: NDArray[np.float32], unmoved: NDArray[np.int64]) -> Judged:
        windows.append(given.copy())
        return still(given, unmoved)

    fault_table(normaliser, TURBOFAN, records, spy, (FAULTS[2],))

    case = windows[0].reshape(14, OBSERVED, 30, 14)[5]
    course = np.concatenate([case[0, :-1], case[:, -1]])  # 29 readings before the onset, 30 from it
    assert np.array_equal(sliding_windows(course, 30), case)


def test_records_too_short_for_a_fault_are_refused_together(
    records: list[AssetRecord], normaliser: Normaliser
) -> None:
    with pytest.raises(ValueError, match="60 consecutive healthy readings"):
        table([each.part(slice(0, 59)) for each in records], normaliser, still)
