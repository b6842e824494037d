from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.errors import DatasetError
from common.recording import AssetRecord, Recording
from models.scoring.windows import LIFE_UNKNOWN
from models.training.preparation.own_data import prepare_recording
from models.training.preparation.windows import Prepared
from tests.support.own_pumps import PUMP, START_S, pump, pumps

LENGTH = PUMP.window.length


def of(*records: AssetRecord) -> Recording:
    return Recording("pumps.csv", PUMP, records, "a" * 64)


def spans(prepared: Prepared, part: str) -> set[int]:
    """Cycles, from 0, that windows of the first asset hold."""
    windows = getattr(prepared, part)
    ends = windows.cycles[windows.units == 1] - START_S
    return {cycle for end in ends.tolist() for cycle in range(end - LENGTH + 1, end + 1)}


def test_a_few_assets_are_split_by_time_and_no_window_straddles_the_cut() -> None:
    prepared = prepare_recording(pumps(3, rows=400))

    assert spans(prepared, "fit") == set(range(320))
    assert spans(prepared, "validate") == set(range(320, 400))
    assert len(prepared.fit) == 3 * (320 - LENGTH + 1)
    assert len(prepared.validate) == 3 * (80 - LENGTH + 1)
    assert len(prepared.heldout) == 0
    assert prepared.own is not None
    assert (prepared.own.assets, prepared.own.rows, prepared.own.split_by) == (3, 1200, "time")


def test_without_masks_all_is_healthy_and_no_life_is_known() -> None:
    prepared = prepare_recording(pumps())

    for part in (prepared.fit, prepared.validate):
        assert part.healthy.all()
        assert not part.faulty.any()
        assert (part.life_left == LIFE_UNKNOWN).all()
    assert not prepared.labelled


def test_the_scale_is_that_of_the_first_part_alone() -> None:
    recording = pumps(2)
    later = [replace(r, channels=r.channels + np.arange(400)[:, None] // 320 * 9) for r in
             recording.assets]  # fmt: skip

    before, after = prepare_recording(recording), prepare_recording(of(*later))

    assert np.array_equal(before.normaliser.means, after.normaliser.means)
    assert np.array_equal(before.normaliser.sds, after.normaliser.sds)


def test_many_pumps_that_never_failed_are_split_by_time_too() -> None:
    assert prepare_recording(pumps(8)).heldout.units.size == 0


def test_assets_that_failed_are_split_by_asset() -> None:
    life = np.arange(399, -1, -1)
    failed = [replace(record, life_left=life) for record in pumps(10).assets]

    prepared = prepare_recording(of(*failed))

    assert sorted(set(prepared.fit.units.tolist())) == [1, 2, 3, 4, 5, 6]
    assert sorted(set(prepared.validate.units.tolist())) == [7, 8]
    assert sorted(set(prepared.heldout.units.tolist())) == [9, 10]
    assert prepared.heldout.life_left.min() == 0


def test_how_to_split_may_be_said() -> None:
    assert sorted(set(prepare_recording(pumps(5), "asset").heldout.units.tolist())) == [5]
    with pytest.raises(DatasetError, match="3 assets came"):
        prepare_recording(pumps(3), "asset")


def test_a_window_is_healthy_if_all_of_it_is_and_faulty_by_its_end() -> None:
    faulty = np.zeros(400, np.bool_)
    faulty[100:110] = True

    fit = prepare_recording(of(replace(pump(1), faulty=faulty))).fit

    ends = fit.cycles - START_S
    assert ends[fit.faulty].tolist() == list(range(100, 110))
    neither = ends[~fit.healthy & ~fit.faulty].tolist()
    assert neither == list(range(110, 110 + LENGTH - 1))


def test_only_healthy_readings_set_the_scale_and_the_cut() -> None:
    healthy = np.arange(600) < 400
    one = replace(pump(1, rows=600, fault_from=400), healthy=healthy)
    channels = one.channels[:400]
    alone = replace(pump(1), channels=channels)

    prepared, expected = prepare_recording(of(one)), prepare_recording(of(alone))

    assert np.array_equal(prepared.normaliser.means, expected.normaliser.means)
    assert spans(prepared, "fit") == set(range(320))
    assert int(prepared.validate.healthy.sum()) == 80 - LENGTH + 1
    assert not prepared.labelled  # the rest is not known to be faulty


def test_a_blank_is_the_value_before_for_as_long_as_it_may_be_held() -> None:
    channels = pump(1).channels.copy()
    channels[50:52, 1] = np.nan  # pressure may be held for 2 steps
    held = prepare_recording(of(replace(pump(1), channels=channels)))
    channels = channels.copy()
    channels[50:53, 1] = np.nan
    bridged = prepare_recording(of(replace(pump(1), channels=channels)))
    channels = channels.copy()
    channels[50:60, 1] = np.nan
    broken = prepare_recording(of(replace(pump(1), channels=channels)))

    at = {int(c): i for i, c in enumerate(held.fit.cycles - START_S)}
    row = held.fit.windows[at[51]][-1]
    assert row[1] == held.fit.windows[at[49]][-1][1]
    assert len(held.fit) == 301
    assert 52 not in (bridged.fit.cycles - START_S)
    assert len(broken.fit) < len(bridged.fit) < len(held.fit)
    assert not set(range(60, 60 + LENGTH - 1)) & set((broken.fit.cycles - START_S).tolist())


def test_a_reading_that_the_detector_refuses_is_left_out() -> None:
    channels = pump(1).channels.copy()
    channels[7, 0] = 9000.0  # beyond what flow can be

    prepared = prepare_recording(of(replace(pump(1), channels=channels)))

    assert prepared.own is not None
    assert prepared.own.rows == 399
    assert prepared.normaliser.means[0, 0] < 200


@pytest.mark.parametrize(
    ("recording", "message"),
    [
        pytest.param(pumps(1, rows=20), "20 usable rows of 1 asset.*at least 30", id="no scale"),
        pytest.param(pumps(1, rows=120), "77 healthy windows.*100 are needed", id="few to fit"),
        pytest.param(
            pumps(4, rows=60), "0 healthy windows .* to choose thresholds on; 30", id="few to judge"
        ),
        pytest.param(
            of(replace(pump(1), channels=pump(1).channels * [1.0, np.nan, 1.0, 1.0])),
            r"0 healthy rows came.*Mostly blank: Pressure \(100%\)",
            id="a channel nobody measured",
        ),
    ],
)
def test_what_cannot_carry_training_says_so_with_numbers(
    recording: Recording, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        prepare_recording(recording)
