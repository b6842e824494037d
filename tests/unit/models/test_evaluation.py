from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.measure import lead_cycles, measure
from models.scoring.scorer import Thresholds
from models.scoring.windows import WindowSet
from tests.support.scored import windows_of


def lives(*lengths: int) -> WindowSet:
    """One window per cycle, each engine down to 0 cycles left."""
    units = np.repeat(np.arange(1, len(lengths) + 1), lengths)
    rul = np.concatenate([np.arange(length - 1, -1, -1) for length in lengths])
    return windows_of(units, rul + 1, rul)


def test_a_score_that_knows_the_life_left_is_perfect() -> None:
    windows = lives(200, 180)

    metrics = measure(windows, -windows.life_left.astype(float), Thresholds(-60.0, -30.0))

    assert metrics.auc == metrics.pr_auc == 1.0
    assert (metrics.windows, metrics.healthy_windows, metrics.faulty_windows) == (380, 128, 62)
    assert metrics.critical.precision == metrics.critical.recall == metrics.critical.f1 == 1.0
    assert metrics.critical.lead_mean == 28.0  # the third anomalous cycle in a row
    assert metrics.warning.recall == 1.0
    assert metrics.warning.precision == pytest.approx(31 / 61)
    assert metrics.warning.false_alarms_per_1000 == 0.0
    assert metrics.warning.engines == metrics.warning.engines_caught == 2


def test_a_score_turned_round_ranks_worst() -> None:
    windows = lives(200)

    assert measure(windows, windows.life_left.astype(float), Thresholds(0.0, 0.0)).auc == 0.0


def test_false_alarms_are_counted_far_from_failure_alone() -> None:
    windows = lives(226)  # 100 healthy windows
    scores = np.where((windows.life_left > 125) & (windows.life_left % 10 == 0), 1.0, 0.0)

    metrics = measure(windows, scores, Thresholds(0.5, 0.5))

    assert metrics.warning.false_alarms_per_1000 == 100.0
    assert metrics.warning.precision == metrics.warning.f1 == 0.0
    assert metrics.warning.engines_caught == 0
    assert metrics.warning.lead_mean is None


def test_one_class_has_no_ranking() -> None:
    windows = lives(20)

    metrics = measure(windows, np.ones(20), Thresholds(0.5, 2.0))

    assert metrics.auc is None
    assert metrics.pr_auc is None
    assert metrics.warning.false_alarms_per_1000 is None
    assert metrics.warning.recall == 1.0
    assert metrics.critical.recall == 0.0


@pytest.mark.parametrize(
    ("anomalous", "rul", "expected"),
    [
        pytest.param("..###", [5, 4, 3, 2, 1], 1, id="at the third in a row"),
        pytest.param("##.##", [5, 4, 3, 2, 1], None, id="never three in a row"),
        pytest.param("###..", [130, 129, 128, 127, 126], None, id="too early is false"),
        pytest.param("#####", [127, 126, 125, 124, 123], 123, id="counted from 125 on"),
        pytest.param("", [], None, id="nothing"),
    ],
)
def test_lead_is_the_life_left_when_the_alarm_begins(
    anomalous: str, rul: list[int], expected: int | None
) -> None:
    marks = np.array([mark == "#" for mark in anomalous], bool)

    assert lead_cycles(marks, np.array(rul, np.int64)) == expected


def test_scores_and_windows_must_match() -> None:
    with pytest.raises(ValueError, match="3 scores of 20 windows"):
        measure(lives(20), np.zeros(3), Thresholds(0.0, 0.0))
