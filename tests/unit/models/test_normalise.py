from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.machines.turbofan import TURBOFAN
from models.scoring.normaliser import MAX_REGIMES, Normaliser, fit_normaliser
from tests.support.fleets import REGIMES, SEA_LEVEL

SIX = (
    (0.0, 0.0, 100.0),
    (10.0, 0.25, 100.0),
    (20.0, 0.7, 100.0),
    (25.0, 0.62, 60.0),
    (35.0, 0.84, 100.0),
    (42.0, 0.84, 100.0),
)
TOLERANCES = np.array([condition.tolerance for condition in TURBOFAN.conditions])
Rows = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]


def healthy_rows(regimes: tuple[tuple[float, ...], ...], n: int = 600) -> Rows:
    rng = np.random.default_rng(7)
    regime = rng.integers(len(regimes), size=n)
    settings = np.array(regimes)[regime] + rng.uniform(-1, 1, (n, 3)) * (0.009, 0.0015, 0.0)
    sensors = 500.0 * (1 + regime[:, None]) + rng.normal(size=(n, 4)) * (1, 2, 3, 4)
    return settings, sensors, regime


@pytest.mark.parametrize("regimes", [(SEA_LEVEL,), REGIMES, SIX], ids=["one", "three", "six"])
def test_each_regime_has_mean_zero_and_deviation_one(
    regimes: tuple[tuple[float, ...], ...],
) -> None:
    settings, sensors, regime = healthy_rows(regimes)

    normaliser = fit_normaliser(settings, sensors, TOLERANCES)
    result = normaliser.normalise(settings, sensors)

    assert len(normaliser.centres) == len(regimes)
    assert result.known.all()
    assert result.rows.dtype == np.float32
    for number in range(len(regimes)):
        rows = result.rows[regime == number]
        np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-4)


def test_the_table_does_not_depend_on_the_order_of_rows() -> None:
    settings, sensors, _ = healthy_rows(SIX)

    forward = fit_normaliser(settings, sensors, TOLERANCES)
    backward = fit_normaliser(settings[::-1], sensors[::-1], TOLERANCES)

    np.testing.assert_allclose(forward.centres, backward.centres, rtol=1e-12)
    np.testing.assert_allclose(forward.means, backward.means, rtol=1e-12)


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param((20.0, 0.7, 100.0), id="another regime"),
        pytest.param((1.0, 0.0, 100.0), id="a thousand feet up"),
        pytest.param((0.0, 0.0, 60.0), id="another throttle angle"),
        pytest.param((1e308, -1e308, 1e308), id="absurd"),
    ],
)
def test_a_row_outside_every_regime_is_unknown_and_zero(setting: tuple[float, ...]) -> None:
    settings, sensors, _ = healthy_rows((SEA_LEVEL,))
    normaliser = fit_normaliser(settings, sensors, TOLERANCES)

    result = normaliser.normalise(np.array([SEA_LEVEL, setting]), sensors[:2])

    assert result.known.tolist() == [True, False]
    assert not result.rows[1].any()
    assert result.rows[0].any()


@given(value=st.floats(allow_nan=False, allow_infinity=False), channel=st.integers(0, 3))
def test_any_finite_reading_gets_finite_rows(value: float, channel: int) -> None:
    settings, sensors, _ = healthy_rows((SEA_LEVEL,), 60)
    normaliser = fit_normaliser(settings, sensors, TOLERANCES)
    sensors[0, channel] = value

    assert np.isfinite(normaliser.normalise(settings, sensors).rows).all()


def test_a_row_does_not_depend_on_its_batch() -> None:
    settings, sensors, _ = healthy_rows(SIX)
    normaliser = fit_normaliser(settings, sensors, TOLERANCES)

    whole = normaliser.normalise(settings, sensors)
    single = [normaliser.normalise(settings[i : i + 1], sensors[i : i + 1]) for i in range(50)]

    assert np.array_equal(whole.rows[:50], np.concatenate([part.rows for part in single]))


def test_inputs_are_left_alone() -> None:
    settings, sensors, _ = healthy_rows(REGIMES)
    before = settings.copy(), sensors.copy()

    fit_normaliser(settings, sensors, TOLERANCES).normalise(settings, sensors)

    assert np.array_equal(before[0], settings)
    assert np.array_equal(before[1], sensors)


def test_no_rows_give_no_rows() -> None:
    settings, sensors, _ = healthy_rows(REGIMES)

    result = fit_normaliser(settings, sensors, TOLERANCES).normalise(settings[:0], sensors[:0])

    assert result.rows.shape == (0, 4)
    assert result.known.shape == (0,)


def test_a_channel_that_never_moves_is_measured_in_its_own_unit() -> None:
    settings, sensors, _ = healthy_rows((SEA_LEVEL,))
    sensors[:, 2] = 518.67
    normaliser = fit_normaliser(settings, sensors, TOLERANCES)
    sensors[0, 2] = 520.67

    z = normaliser.normalise(settings, sensors).rows[:, 2]

    assert z[0] == pytest.approx(2.0)
    np.testing.assert_allclose(z[1:], 0, atol=1e-9)


def test_a_regime_with_too_few_rows_stays_unknown() -> None:
    settings, sensors, _ = healthy_rows((SEA_LEVEL,))
    settings[:5] = (20.0, 0.7, 100.0)

    normaliser = fit_normaliser(settings, sensors, TOLERANCES)

    assert len(normaliser.centres) == 1
    assert normaliser.regimes(settings[:6]).tolist() == [-1, -1, -1, -1, -1, 0]


def test_settings_that_vary_continuously_are_refused() -> None:
    n = 4 * MAX_REGIMES
    settings = np.column_stack([np.arange(n) * 2.0, np.zeros(n), np.full(n, 100.0)])

    with pytest.raises(ValueError, match="continuously"):
        fit_normaliser(settings, np.zeros((n, 2)), TOLERANCES)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 30"):
        fit_normaliser(np.zeros((0, 3)), np.zeros((0, 2)), TOLERANCES)


@pytest.mark.parametrize(
    ("settings", "sensors"),
    [
        pytest.param((2, 3), (2, 5), id="a channel too many"),
        pytest.param((2, 2), (2, 4), id="a setting too few"),
        pytest.param((3, 3), (2, 4), id="different lengths"),
    ],
)
def test_wrong_shapes_are_refused(settings: tuple[int, int], sensors: tuple[int, int]) -> None:
    normaliser = Normaliser(np.ones(3), 1.0, np.zeros((1, 3)), np.zeros((1, 4)), np.ones((1, 4)))

    with pytest.raises(ValueError, match="expected"):
        normaliser.normalise(np.zeros(settings), np.zeros(sensors))


def test_without_conditions_every_reading_is_of_one_regime() -> None:
    rng = np.random.default_rng(3)
    channels, nothing = rng.normal(7.0, 2.0, (200, 1)), np.empty((200, 0))

    normaliser = fit_normaliser(nothing, channels, np.empty(0))
    result = normaliser.normalise(nothing, channels)

    assert normaliser.centres.shape == (1, 0)
    assert result.known.all()
    np.testing.assert_allclose(result.rows.mean(), 0, atol=1e-6)


def test_one_condition_and_two_hundred_channels_are_as_good_as_any() -> None:
    rng = np.random.default_rng(3)
    conditions = rng.choice([10.0, 20.0], (400, 1))
    channels = conditions * np.arange(1, 201) + rng.normal(size=(400, 200))

    normaliser = fit_normaliser(conditions, channels, np.ones(1))

    assert normaliser.centres.tolist() == [[10.0], [20.0]]
    assert normaliser.normalise(conditions, channels).rows.shape == (400, 200)


@given(
    n=st.integers(0, 40),
    regimes=st.integers(1, 6),
    conditions=st.integers(0, 12),
    seed=st.integers(0, 99),
)
def test_distances_are_the_sums_of_squares_to_the_last_bit(
    n: int, regimes: int, conditions: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(regimes, conditions))
    tolerances = rng.uniform(0.1, 2.0, conditions)
    rows = rng.normal(size=(n, conditions)) * 10.0 ** rng.integers(-5, 5, (n, conditions))
    table = Normaliser(tolerances, 1.0, centres, np.zeros((regimes, 1)), np.ones((regimes, 1)))

    found = table.squared_distances(rows)

    in_one = np.square((rows[:, None, :] - centres) / tolerances).sum(axis=2)
    np.testing.assert_array_equal(found, in_one)
