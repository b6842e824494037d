"""The promises of the channel score: one odd channel is seen, named, and told the right way."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.scoring.channel import CHANNEL_PARAMS, LIMIT, channel_score, fit_channel
from models.scoring.measures.contributions import ScoreParams
from models.scoring.windows import sliding_windows

LENGTH, CHANNELS, ASSETS, EACH = 30, 5, 20, 15
Windows = NDArray[np.float32]


def fleet(
    seed: int, channels: int = CHANNELS, length: int = LENGTH
) -> tuple[Windows, NDArray[np.int64]]:
    """Sound assets that differ in level, and the asset of each window."""
    rng = np.random.default_rng(seed)
    parts = [
        sliding_windows(
            (rng.normal(0, 0.7, channels) + rng.normal(0, 0.7, (EACH + length - 1, channels)))
            .astype(np.float32),
            length,
        )
        for _ in range(ASSETS)
    ]  # fmt: skip
    return np.concatenate(parts), np.repeat(np.arange(1, ASSETS + 1), EACH)


@cache
def learned() -> ScoreParams:
    return fit_channel(*fleet(99))


@cache
def sound() -> Windows:
    return fleet(1)[0]


FINITE = hnp.arrays(
    np.float32,
    (3, LENGTH, CHANNELS),
    elements=st.floats(-1e6, 1e6, width=32),
    fill=st.floats(-1e6, 1e6, width=32),
)


def by_hand(window: Windows, params: ScoreParams) -> list[float]:
    """The evidence by its definition."""
    found = []
    for c, course in enumerate(window.astype(float).T):
        slope = np.polyfit(np.arange(len(course)), course, 1)[0]
        spread = np.sqrt(np.mean(np.diff(course) ** 2))
        noise = max(1.0, spread / params["usual_spread"][c])
        found.append(
            max(
                0.75 * abs(course[-5:].mean()) / noise / params["level_scale"][c],
                abs(slope) / noise / params["slope_scale"][c],
                spread / params["spread_scale"][c],
            )
        )
    return found


def test_the_evidence_is_the_largest_of_level_slope_and_spread() -> None:
    found = channel_score(sound()[:20], learned())

    np.testing.assert_allclose(
        found.channels, [by_hand(window, learned()) for window in sound()[:20]], rtol=1e-9
    )
    assert np.array_equal(found.totals, found.channels.max(axis=1))


def test_what_was_learned_is_a_positive_number_of_each_channel() -> None:
    params = learned()

    assert params.keys() == CHANNEL_PARAMS
    for values in params.values():
        assert values.shape == (CHANNELS,)
        assert (values > 0).all()


@given(windows=FINITE)
def test_any_finite_window_has_a_finite_score(windows: Windows) -> None:
    found = channel_score(windows, learned())

    assert np.isfinite(found.totals).all()
    assert ((found.channels >= 0) & (found.channels <= LIMIT)).all()
    assert found.signs is not None
    assert set(np.unique(found.signs)) <= {-1, 1}


@pytest.mark.parametrize("channels", [1, 2, 14])
@given(seed=st.integers(0, 20), n=st.integers(1, 70))
def test_alone_as_in_a_batch_to_the_bit(channels: int, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    windows = rng.normal(size=(n, LENGTH, channels)).astype(np.float32)
    params = {name: np.full(channels, 0.7) for name in CHANNEL_PARAMS}

    whole = channel_score(windows, params)

    for i in range(n):
        one = channel_score(windows[i : i + 1], params)
        assert one.totals[0] == whole.totals[i]
        assert np.array_equal(one.channels[0], whole.channels[i])


@pytest.mark.parametrize("channels", [1, 2, 14])
def test_a_view_scores_as_its_copy_to_the_bit(channels: int) -> None:
    rows = np.random.default_rng(3).normal(size=(80, channels)).astype(np.float32)
    params = {name: np.full(channels, 0.7) for name in CHANNEL_PARAMS}
    view = sliding_windows(rows, LENGTH)

    seen, copied = channel_score(view, params), channel_score(view.copy(), params)

    assert np.array_equal(seen.totals, copied.totals)
    assert np.array_equal(seen.channels, copied.channels)


@given(
    which=st.integers(0, ASSETS * EACH - 1),
    channel=st.integers(0, CHANNELS - 1),
    shift=st.floats(-1e6, 1e6, width=32),
)
def test_one_more_channel_that_deviates_never_lowers_the_total(
    which: int, channel: int, shift: float
) -> None:
    calm = np.zeros((1, LENGTH, CHANNELS), np.float32)
    calm[0, :, : CHANNELS - 1] = sound()[which, :, : CHANNELS - 1]
    moved = calm.copy()
    moved[0, :, -1] += np.float32(shift)

    before, after = channel_score(calm, learned()), channel_score(moved, learned())

    assert after.totals[0] >= before.totals[0]
    assert np.array_equal(after.channels[0, :-1], before.channels[0, :-1])


@given(
    which=st.integers(0, ASSETS * EACH - 1),
    channel=st.integers(0, CHANNELS - 1),
    up=st.booleans(),
    size=st.floats(8.0, 1e5),
)
def test_a_clear_shift_is_named_first_and_told_the_right_way(
    which: int, channel: int, up: bool, size: float
) -> None:
    window = sound()[which : which + 1].copy()
    window[0, 20:, channel] += size if up else -size

    found = channel_score(window, learned())

    assert found.signs is not None
    assert found.channels[0].argmax() == channel
    assert found.signs[0, channel] == (1 if up else -1)


@given(order=st.permutations(range(CHANNELS)))
def test_another_order_of_channels_gives_the_result_in_that_order(order: list[int]) -> None:
    windows, units = fleet(99)

    usual = channel_score(sound(), learned())
    other = channel_score(
        np.ascontiguousarray(sound()[:, :, order]), fit_channel(windows[:, :, order], units)
    )

    assert usual.signs is not None and other.signs is not None  # noqa: PT018 - for the type checker
    assert np.array_equal(other.totals, usual.totals)
    assert np.array_equal(other.channels, usual.channels[:, order])
    assert np.array_equal(other.signs, usual.signs[:, order])


def test_noise_is_evidence_where_level_and_slope_are_none() -> None:
    window = np.zeros((1, LENGTH, CHANNELS), np.float32)
    window[0, :, 2] = np.tile([4.0, -4.0], LENGTH // 2)

    found = channel_score(window, learned())

    assert found.channels[0].argmax() == 2
    assert found.totals[0] > 4.0


def test_one_odd_asset_sets_no_scale() -> None:
    windows, units = fleet(99)
    odd = windows.copy()
    odd[units == 7] *= np.float32(50.0)

    with_it, without = fit_channel(odd, units), learned()

    for name in CHANNEL_PARAMS:
        assert (with_it[name] < 2.0 * without[name]).all()


def test_a_single_window_of_an_asset_does_not_stand_for_it() -> None:
    windows, units = fleet(99)
    wild = windows.copy()
    wild[::EACH] *= np.float32(50.0)

    with_it, without = fit_channel(wild, units), learned()

    for name in CHANNEL_PARAMS:
        assert (with_it[name] < 2.0 * without[name]).all()


def test_a_channel_that_never_moved_when_healthy_counts_as_it_is_and_is_bounded() -> None:
    windows, units = fleet(99)
    windows = windows.copy()
    windows[:, :, 3] = 0.0
    params = fit_channel(windows, units)
    calm = np.zeros((2, LENGTH, CHANNELS), np.float32)
    calm[0, :, 3] = 4.0
    calm[1, -1, 3] = 1e6

    found = channel_score(calm, params)

    assert all(params[name][3] == 1.0 for name in CHANNEL_PARAMS)
    assert found.channels[0, 3] == 3.0
    assert found.channels[1, 3] <= LIMIT


@pytest.mark.parametrize("length", [1, 2, 4, 5, 6])
def test_short_windows_of_a_single_channel_work(length: int) -> None:
    windows, units = fleet(5, channels=1, length=length)
    params = fit_channel(windows, units)

    odd = channel_score(np.full((1, length, 1), 50.0, np.float32), params)

    assert np.isfinite(channel_score(windows, params).totals).all()
    assert odd.totals[0] > channel_score(windows, params).totals.max()


def test_no_windows_have_no_scores() -> None:
    found = channel_score(np.empty((0, LENGTH, CHANNELS), np.float32), learned())

    assert found.totals.shape == (0,)
    assert found.channels.shape == (0, CHANNELS)


def test_nothing_can_be_learned_of_nothing() -> None:
    with pytest.raises(ValueError, match="at least one window"):
        fit_channel(np.empty((0, LENGTH, CHANNELS), np.float32), np.empty(0, np.int64))
    with pytest.raises(ValueError, match="a unit for each"):
        fit_channel(np.zeros((2, LENGTH, CHANNELS), np.float32), np.ones(3, np.int64))


def test_inputs_are_left_alone() -> None:
    windows, units = fleet(4)
    before = windows.copy()

    channel_score(windows, fit_channel(windows, units))

    assert np.array_equal(windows, before)
