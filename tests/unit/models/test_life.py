from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.scoring.history import NO_HISTORY, alone, follow
from models.scoring.life import (
    JOINED,
    LIFE_ARRAYS,
    Life,
    Single,
    band,
    check_life,
    life_features,
    life_of,
    n_features,
    remaining_life,
)
from models.scoring.trees import LEAF_UNITS

RNG = np.random.default_rng(11)
LENGTH, CHANNELS, DEPTH, TREES = 12, 5, 4, 40
INTERVAL = {
    "knots": np.array([5.0, 40.0, 80.0, 118.0]),
    "below": np.array([-4.0, -15.0, -30.0, -33.0]),
    "above": np.array([4.0, 15.0, 30.0, 8.0]),
    "alarm_reach": np.array([0.8, 1.6]),
}
LATE_INTERVAL = {
    "joined_knots": np.array([60.0]),
    "joined_below": np.array([-50.0]),
    "joined_above": np.array([40.0]),
    "joined_alarm_reach": np.array([1.5, 1.0]),
}
WINDOWS = (RNG.normal(size=(150, LENGTH, CHANNELS)) * RNG.uniform(0.1, 9, (150, 1, 1))).astype(
    np.float32
)


CYCLES = np.arange(LENGTH, LENGTH + len(WINDOWS))
TRAIL = np.concatenate(
    [
        follow(NO_HISTORY, WINDOWS[:90], CYCLES[:90])[0],
        follow(NO_HISTORY, WINDOWS[90:], CYCLES[90:])[0],
    ]
)
"""One run followed from its start, and one that was joined."""


def model(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    nodes = 2**DEPTH - 1
    return {
        "feature": rng.integers(0, n_features(CHANNELS), (TREES, nodes)).astype(np.int16),
        "threshold": rng.normal(size=(TREES, nodes)).astype(np.float32),
        "leaf": (rng.normal(size=(TREES, nodes + 1)) * 9 * LEAF_UNITS).astype(np.int32),
        "wear": rng.normal(size=CHANNELS),
        "base": np.array([70.0]),
        "cap": np.array([125.0]),
        "coverage": np.array([0.9]),
        **INTERVAL,
        **LATE_INTERVAL,
    }


def columns(life: Life) -> list[np.ndarray[Any, Any]]:
    return [life.expected, life.low, life.high, life.at_alarm_low, life.at_alarm_high]


def assert_ordered(life: Life) -> None:
    for low, high in ((life.low, life.high), (life.at_alarm_low, life.at_alarm_high)):
        assert (low >= 0).all()
        assert (low <= life.expected).all()
        assert (life.expected <= high).all()
        assert (high <= 125).all()


def test_a_window_alone_gets_the_bits_it_gets_in_a_batch() -> None:
    params = model()
    batch = columns(remaining_life(WINDOWS, TRAIL, params))

    for size in (1, 2, 7, 64):
        for start in range(40, 110, size):
            here = slice(start, start + size)
            part = columns(remaining_life(WINDOWS[here], TRAIL[here], params))
            for some, all_of_it in zip(part, batch, strict=True):
                assert some.tobytes() == all_of_it[here].tobytes()


@pytest.mark.parametrize("channels", [1, 2, 14, 40])
def test_features_do_not_depend_on_batch_or_layout(channels: int) -> None:
    windows = RNG.normal(size=(40, 30, channels)).astype(np.float32)
    wear = RNG.normal(size=channels)
    trail, _ = follow(NO_HISTORY, windows, np.arange(30, 70))
    batch = life_features(windows, trail, wear)

    assert batch.shape == (40, n_features(channels))
    for view in (np.asfortranarray(windows), windows[::-1][::-1], windows[:, :, ::-1][:, :, ::-1]):
        assert life_features(view, trail, wear).tobytes() == batch.tobytes()
    for index in range(40):
        one = life_features(windows[index : index + 1], trail[index : index + 1], wear)
        assert one.tobytes() == batch[index : index + 1].tobytes()


def test_inputs_are_left_alone_and_none_gives_none() -> None:
    before = WINDOWS.copy()

    remaining_life(WINDOWS, TRAIL, model())

    assert np.array_equal(before, WINDOWS)
    nothing = remaining_life(WINDOWS[:0], TRAIL[:0], model())
    assert all(len(values) == 0 for values in columns(nothing))


def test_features_are_level_mean_slope_and_the_course_of_the_index() -> None:
    rising = np.arange(12, dtype=np.float32).reshape(1, 12, 1) * np.float32(2)

    found = life_features(rising, alone(rising / np.float32(10)), np.array([-0.5]))

    of_window = [18.0, 13.0, 11.0, 2.0, -9.0, -6.5, -5.5, -1.0, -4.5, 0.0]
    # a tenth of the values, lest they be held; rise over the run, of the index mean, rise and bend
    of_run = [2.4, -0.55, -1.2, 0.0, -5.95, -5.95 / 0.12, -1.2 / 0.12, -1.0, 12.0]
    expected = [*of_window, *of_run]
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


@settings(max_examples=60)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.just(LENGTH), st.just(CHANNELS)),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    st.integers(0, 20),
)
def test_any_finite_window_gets_a_finite_ordered_statement(windows: Any, seed: int) -> None:
    life = remaining_life(windows, alone(windows), model(seed))

    assert all(np.isfinite(values).all() for values in columns(life))
    assert_ordered(life)


@given(arrays(np.float64, 20, elements=st.floats(-1e6, 1e6)), st.integers(1, 6), st.data())
def test_the_interval_holds_its_prediction(predicted: Any, n_knots: int, data: Any) -> None:
    knots = sorted(data.draw(st.sets(st.integers(0, 125), min_size=n_knots, max_size=n_knots)))
    reach = st.lists(st.floats(0, 200), min_size=n_knots, max_size=n_knots)
    params = {
        **model(),
        "knots": np.array(knots, float),
        "below": -np.array(data.draw(reach)),
        "above": np.array(data.draw(reach)),
    }
    check_life(params, LENGTH, CHANNELS)

    whole = np.arange(len(predicted)) % 3 > 0
    life = life_of(predicted, whole, params)

    assert_ordered(life)
    for index in range(len(predicted)):
        here = slice(index, index + 1)
        single = columns(life_of(predicted[here], whole[here], params))
        for one, many in zip(single, columns(life), strict=True):
            assert one[0] == many[index]
        prefix = "" if whole[index] else JOINED
        plain = Single(params, prefix).interval(float(life.expected[index]))
        assert plain == tuple(float(many[index]) for many in columns(life))


def test_a_run_that_was_joined_has_an_interval_of_its_own() -> None:
    known, late = np.array([True]), np.array([False])
    predicted = np.array([80.0])

    of_known, of_late = (life_of(predicted, whole, model()) for whole in (known, late))

    assert [values[0] for values in columns(of_known)] == [80.0, 50.0, 110.0, 56.0, 125.0]
    assert [values[0] for values in columns(of_late)] == [80.0, 30.0, 120.0, 5.0, 120.0]


def test_the_interval_is_interpolated_between_knots_and_constant_beyond() -> None:
    below, above = band(np.array([0.0, 5.0, 22.5, 40.0, 125.0]), model())

    assert below.tolist() == [-4.0, -4.0, -9.5, -15.0, -33.0]
    assert above.tolist() == [4.0, 4.0, 9.5, 15.0, 8.0]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        pytest.param("base", np.array([np.nan]), "finite", id="base not a number"),
        pytest.param("base", np.array([1e300]), "proportion", id="base beyond all"),
        pytest.param("base", np.array([70], np.float32), "float64", id="another kind"),
        pytest.param("cap", np.array([0.0]), "above 0", id="no cap"),
        pytest.param("coverage", np.array([1.0]), "between 0 and 1", id="certainty"),
        pytest.param("coverage", np.array([0.9, 0.9]), "one number", id="two coverages"),
        pytest.param("knots", np.array([5.0, 40.0, 40.0, 118.0]), "ascend", id="equal knots"),
        pytest.param("knots", np.array([5.0, 40.0]), "one length", id="a knot short"),
        pytest.param("below", np.array([-4.0, 1.0, -30.0, -33.0]), "hold", id="below above"),
        pytest.param("above", np.array([4.0, -1.0, 3.0, 3.0]), "hold", id="above below"),
        pytest.param("alarm_reach", np.array([1.0]), "two numbers", id="one reach"),
        pytest.param("alarm_reach", np.array([-1.0, 1.0]), "below 0", id="reach backwards"),
        pytest.param("joined_knots", np.array([5.0, 9.0]), "one length", id="late knots"),
        pytest.param("joined_above", np.array([-1.0]), "hold", id="late above below"),
        pytest.param("joined_below", np.array([-1e300]), "proportion", id="late beyond all"),
        pytest.param("joined_alarm_reach", np.ones(3), "two numbers", id="three late reaches"),
        pytest.param("wear", np.ones(CHANNELS + 1), "channels", id="another channel"),
        pytest.param("wear", np.full(CHANNELS, np.inf), "finite", id="wear without end"),
        pytest.param("leaf", np.ones((TREES, 5), np.int32), "power of 2", id="trees"),
    ],
)
def test_a_damaged_model_is_refused(name: str, value: Any, message: str) -> None:
    check_life(model(), LENGTH, CHANNELS)

    with pytest.raises(ValueError, match=message):
        check_life({**model(), name: value}, LENGTH, CHANNELS)


@pytest.mark.parametrize("name", LIFE_ARRAYS)
def test_a_model_without_one_of_its_arrays_is_refused(name: str) -> None:
    params = model()
    del params[name]

    with pytest.raises(ValueError, match=f"lacks {name}"):
        check_life(params, LENGTH, CHANNELS)


def test_a_model_of_other_windows_is_refused() -> None:
    with pytest.raises(ValueError, match="channels"):
        check_life(model(), LENGTH, CHANNELS - 1)
    with pytest.raises(ValueError, match="2 rows"):
        check_life(model(), 1, CHANNELS)
