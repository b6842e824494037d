from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.errors import DatasetError
from models.evaluation.collection import collect_windows
from models.evaluation.labels import masks
from models.evaluation.splits import split_by_time
from models.training.preparation.own_data import prepare_recording
from tests.support.fleets import fleet
from tests.support.own_pumps import PUMP, pump, pumps

SOME = np.arange(400) < 100
OTHERS = np.arange(400) >= 300


@pytest.mark.parametrize(
    ("healthy", "faulty", "expected"),
    [
        pytest.param(None, None, (400, 0), id="nobody said anything"),
        pytest.param(SOME, None, (100, 0), id="what is healthy"),
        pytest.param(None, OTHERS, (300, 100), id="what is faulty"),
        pytest.param(SOME, OTHERS, (100, 100), id="both"),
        pytest.param(SOME, SOME, (0, 100), id="faulty wins"),
    ],
)
def test_what_is_not_said_follows_from_what_is(
    healthy: np.ndarray[tuple[int], np.dtype[np.bool_]] | None,
    faulty: np.ndarray[tuple[int], np.dtype[np.bool_]] | None,
    expected: tuple[int, int],
) -> None:
    found = masks(replace(pump(1), healthy=healthy, faulty=faulty))

    assert (int(found[0].sum()), int(found[1].sum())) == expected
    assert not (found[0] & found[1]).any()


def test_a_part_keeps_all_columns_together() -> None:
    record = replace(pump(1), faulty=OTHERS, life_left=np.arange(399, -1, -1))

    part = record.part(slice(290, 310))

    assert len(part) == 20
    assert part.faulty is not None
    assert part.life_left is not None
    assert int(part.faulty.sum()) == 10
    assert part.life_left[0] == 109
    assert np.array_equal(part.channels, record.channels[290:310])
    assert part.healthy is None


def test_a_record_is_cut_where_most_of_its_healthy_readings_are_past() -> None:
    earlier, later = split_by_time(replace(pump(1), healthy=SOME))

    assert (len(earlier), len(later)) == (80, 320)


def test_a_record_without_a_healthy_reading_is_all_in_the_first_part() -> None:
    earlier, later = split_by_time(replace(pump(1), healthy=np.zeros(400, np.bool_)))

    assert (len(earlier), len(later)) == (400, 0)


def test_a_pump_model_does_not_look_at_engines() -> None:
    normaliser = prepare_recording(pumps(1)).normaliser

    with pytest.raises(DatasetError, match="machine type 'pump' cannot look at them"):
        collect_windows(normaliser, PUMP, fleet())
