"""Flagged regions: where the alarm rule would have an alarm open."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from api.adapters.scoring.regions import stretches
from api.adapters.scoring.windows import REFUSED, SCORED, WARMING_UP
from common.records.verdicts import Level
from models.alarm import AlarmPolicy

POLICY = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=2, deadband=0.0)


def found(
    severities: list[float | None], critical: float = 3.0
) -> list[tuple[int, int, str, bool]]:
    """Return stretches of one reading a cycle; None is one without a score, -1 a refused one."""
    statuses = [
        WARMING_UP if each is None else REFUSED if each < 0 else SCORED for each in severities
    ]
    scored = [each for each in severities if each is not None and each >= 0]
    cycles = np.arange(1, len(severities) + 1) * 10
    stretch = stretches(
        cycles, np.array(statuses), scored, [each >= critical for each in scored], POLICY
    )
    return [(each.first, each.last, each.level.value, each.open) for each in stretch]


def test_a_region_goes_from_its_onset_to_the_last_anomalous_row() -> None:
    assert found([0, 1, 2, 0.5, 1, 0, 0, 0]) == [(1, 4, "warning", False)]


def test_a_single_spike_is_none_and_what_does_not_clear_is_open() -> None:
    assert found([0, 9, 0, 0, 1, 1, 4, 4]) == [(4, 7, "critical", True)]


def test_readings_without_a_score_break_rows_and_refused_ones_do_not() -> None:
    assert found([0, 1, None, 1, 0, 0]) == []
    assert found([0, 1, -1, 1, 0, 0]) == [(1, 3, "warning", False)]


@given(st.lists(st.none() | st.floats(-0.1, 4), max_size=60))
def test_regions_are_apart_in_order_and_begin_and_end_anomalous(
    severities: list[float | None],
) -> None:
    before = -1
    for first, last, level, is_open in found(severities):
        assert before < first <= last < len(severities)
        for place in (first, last):
            severity = severities[place]
            assert severity is not None
            assert severity >= 1
        assert Level(level) is not Level.NONE
        assert not is_open or first == found(severities)[-1][0]
        before = last
