"""The simulator: its layout, its promises, and its likeness to FD001 where it claims one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.cmapss.files import Split, file_name, find_file, read_bytes
from common.cmapss.reader import Dataset, load_dataset, remaining_useful_life
from common.errors import DatasetError
from common.machines.turbofan import SENSOR_NAMES
from producer.atomic_file import write_atomically
from producer.simulator.constants import COLUMN_NAMES, CONSTANTS_PATH, load_constants
from producer.simulator.estimate import decimals_of, estimate
from producer.simulator.simulate import (
    MAX_TEST_RUL,
    MIN_TEST_CYCLES,
    MIN_TEST_RUL,
    dataset_text,
    simulate,
    wear,
    write_dataset,
)

CONSTANT_IN_FD001 = {
    "T2": 518.67,
    "P2": 14.62,
    "epr": 1.3,
    "farB": 0.03,
    "Nf_dmd": 2388.0,
    "PCNfR_dmd": 100.0,
}


def _column(dataset: Dataset, name: str) -> NDArray[np.float64]:
    return np.concatenate([e.sensors[:, SENSOR_NAMES.index(name)] for e in dataset.engines])


def test_same_seed_same_fleet_and_another_seed_another() -> None:
    assert simulate(3, 7).sha256 == simulate(3, 7).sha256
    assert simulate(3, 7).sha256 != simulate(3, 8).sha256


def test_a_larger_fleet_begins_with_the_smaller_one() -> None:
    small, large = simulate(2, 5, "test"), simulate(4, 5, "test")

    assert small.rul is not None
    assert large.rul is not None
    assert small.rul.tolist() == large.rul.tolist()[:2]
    for one, other in zip(small.engines, large.engines, strict=False):
        np.testing.assert_array_equal(one.sensors, other.sensors)
        np.testing.assert_array_equal(one.settings, other.settings)


def test_train_and_test_are_different_engines() -> None:
    train, test = simulate(1, 0, "train").engines[0], simulate(1, 0, "test").engines[0]

    shared = min(len(train), len(test))
    assert not np.array_equal(train.sensors[:shared], test.sensors[:shared])


@pytest.mark.parametrize("split", ["train", "test"])
def test_written_files_read_back_as_the_same_data_set(tmp_path: Path, split: Split) -> None:
    fleet = simulate(3, 1, split)

    write_dataset(fleet, tmp_path)
    read = load_dataset(tmp_path, "SIM", split)

    assert (read.name, read.split, read.sha256) == (fleet.name, fleet.split, fleet.sha256)
    for one, other in zip(fleet.engines, read.engines, strict=True):
        np.testing.assert_array_equal(one.sensors, other.sensors)
    if split == "test":
        assert fleet.rul is not None
        assert read.rul is not None
        assert fleet.rul.tolist() == read.rul.tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["RUL_SIM.txt"] * (split == "test") + [f"{split}_SIM.txt"]
    )


def test_the_text_has_the_published_decimals_and_spacing() -> None:
    first = dataset_text(simulate(1, 0)).decode().splitlines(keepends=True)[0]

    assert first.endswith("  \n")
    decimals = [len(field.partition(".")[2]) for field in first.split()[2:]]
    assert decimals == [4, 4, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 2, 0, 0, 2, 2, 4]


def test_sensors_that_never_change_in_fd001_never_change() -> None:
    fleet = simulate(5, 3)

    for name, value in CONSTANT_IN_FD001.items():
        assert set(_column(fleet, name).tolist()) == {value}
    assert set(_column(fleet, "P15").tolist()) == {21.6, 21.61}
    moving = set(SENSOR_NAMES) - set(CONSTANT_IN_FD001)
    assert all(np.ptp(_column(fleet, name)) > 0 for name in moving)


def test_test_engines_stop_before_failure_with_true_rul_known() -> None:
    fleet = simulate(60, 2, "test")

    assert fleet.rul is not None
    assert fleet.rul.min() >= MIN_TEST_RUL
    assert fleet.rul.max() <= MAX_TEST_RUL
    assert np.ptp(fleet.rul) > 80
    assert min(len(engine) for engine in fleet.engines) >= MIN_TEST_CYCLES
    assert remaining_useful_life(fleet)[0][-1] == fleet.rul[0]


def test_engines_wear_out_together_in_the_direction_of_the_real_ones() -> None:
    rising, falling = ("T24", "T30", "T50", "Ps30", "BPR", "htBleed"), ("P30", "phi", "W31", "W32")

    for engine in simulate(10, 4).engines:
        change = engine.sensors[-10:].mean(axis=0) - engine.sensors[:10].mean(axis=0)
        assert all(change[SENSOR_NAMES.index(name)] > 0 for name in rising)
        assert all(change[SENSOR_NAMES.index(name)] < 0 for name in falling)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.floats(0.5, 20))
def test_wear_runs_from_nothing_to_one_and_never_back(
    fractions: list[float], curvature: float
) -> None:
    progress = wear(np.array([0.0, *sorted(fractions), 1.0]), curvature)

    assert progress[0] == 0.0
    assert progress[-1] == 1.0
    assert np.all(np.diff(progress) >= 0)


@pytest.mark.parametrize(("engines", "seed"), [(0, 0), (-1, 0), (2001, 0), (1, -1)])
def test_absurd_fleets_are_refused(engines: int, seed: int) -> None:
    with pytest.raises(DatasetError, match=r"came; expected"):
        simulate(engines, seed)


def test_the_constants_say_where_they_come_from() -> None:
    provenance = json.loads(CONSTANTS_PATH.read_text(encoding="utf-8"))["provenance"]

    assert provenance["file"] == "train_FD001.txt"
    assert (provenance["engines"], provenance["rows"]) == (100, 20_631)
    assert {"sha256", "script", "citation"} <= set(provenance)


def test_estimating_from_the_simulator_finds_the_constants_again() -> None:
    """The fit undoes the simulation: with 300 engines, within sampling error."""
    constants = load_constants()
    decimals = decimals_of(dataset_text(simulate(1, 0)))

    again = estimate(simulate(300, 11), decimals)

    spread = np.sqrt(np.sum(constants.engine_factors**2, axis=0))
    error = (np.array(again.engine_mean) - constants.engine_mean) / spread
    assert np.abs(error).max() < 5 / np.sqrt(300)
    again_spread = np.sqrt(np.sum(np.array(again.engine_factors) ** 2, axis=0))
    np.testing.assert_allclose(again_spread, spread, rtol=0.25)
    noise = constants.noise_factor.T @ constants.noise_factor
    np.testing.assert_allclose(
        np.diag(again.noise_covariance), np.diag(noise), rtol=0.03, atol=1e-6
    )


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "inside").touch()

    with pytest.raises(DatasetError, match="busy cannot be written"):
        write_atomically(tmp_path / "busy", b"new")

    assert [path.name for path in tmp_path.iterdir()] == ["busy"]


class Likeness:
    """What is compared: one number, or one per moving sensor."""

    def __init__(self, dataset: Dataset) -> None:
        moving = load_constants().moving - 3
        lives = [len(engine) for engine in dataset.engines]
        rul = np.concatenate(remaining_useful_life(dataset))
        rows = np.vstack([engine.sensors for engine in dataset.engines])
        sensors = rows[:, moving]
        self.life_mean, self.life_std = float(np.mean(lives)), float(np.std(lives))
        self.healthy_mean = sensors[rul > 125].mean(axis=0)
        self.healthy_std = sensors[rul > 125].std(axis=0)
        self.failing_mean = sensors[rul < 5].mean(axis=0)
        self.failing_std = sensors[rul < 5].std(axis=0)
        self.noise_std = np.diff(sensors, n=2, axis=0).std(axis=0)
        self.correlation = np.corrcoef(sensors.T)
        self.p15_low_when_healthy = float((rows[rul > 125, 5] == 21.6).mean())


@pytest.fixture(scope="module")
def pair(cmapss_dir: Path) -> tuple[Likeness, Likeness]:
    return Likeness(load_dataset(cmapss_dir, "FD001", "train")), Likeness(simulate(100, 0))


@pytest.mark.real_data
class TestLikenessToFD001:
    def test_lives_are_as_long(self, pair: tuple[Likeness, Likeness]) -> None:
        real, simulated = pair

        standard_error = real.life_std / np.sqrt(100) * np.sqrt(2)
        assert abs(simulated.life_mean - real.life_mean) < 3 * standard_error
        assert simulated.life_std == pytest.approx(real.life_std, rel=0.25)

    def test_healthy_levels_agree(self, pair: tuple[Likeness, Likeness]) -> None:
        real, simulated = pair

        shift = (simulated.healthy_mean - real.healthy_mean) / real.healthy_std
        assert np.abs(shift).max() < 0.3
        np.testing.assert_allclose(simulated.healthy_std, real.healthy_std, rtol=0.2)

    def test_readings_before_failure_agree(self, pair: tuple[Likeness, Likeness]) -> None:
        real, simulated = pair

        shift = (simulated.failing_mean - real.failing_mean) / real.failing_std
        assert np.abs(shift).max() < 0.3
        np.testing.assert_allclose(simulated.failing_std, real.failing_std, rtol=0.25)
        moved = np.abs(real.failing_mean - real.healthy_mean) / real.healthy_std
        assert np.median(moved) > 2.5  # else "they agree" would say nothing

    def test_noise_agrees(self, pair: tuple[Likeness, Likeness]) -> None:
        real, simulated = pair

        np.testing.assert_allclose(simulated.noise_std, real.noise_std, rtol=0.06)

    def test_sensors_move_together_as_they_do(self, pair: tuple[Likeness, Likeness]) -> None:
        real, simulated = pair

        assert np.abs(simulated.correlation - real.correlation).max() < 0.12

    def test_the_two_valued_sensor_agrees(self, pair: tuple[Likeness, Likeness]) -> None:
        real, simulated = pair

        assert simulated.p15_low_when_healthy == pytest.approx(real.p15_low_when_healthy, rel=0.3)

    def test_the_shipped_constants_are_what_the_script_writes(self, cmapss_dir: Path) -> None:
        path = find_file(cmapss_dir, file_name("FD001", "train"))
        assert path is not None
        shipped = json.loads(CONSTANTS_PATH.read_text(encoding="utf-8"))

        fresh = estimate(
            load_dataset(cmapss_dir, "FD001", "train"), decimals_of(read_bytes(path))
        ).model_dump()

        assert fresh["provenance"] == shipped["provenance"]
        assert (
            fresh["decimals"]
            == shipped["decimals"]
            == {name: shipped["decimals"][name] for name in COLUMN_NAMES}
        )
        for name in ("engine_mean", "engine_factors", "noise_covariance", "p15_logit"):
            np.testing.assert_allclose(fresh[name], shipped[name], rtol=1e-4, atol=1e-7)
