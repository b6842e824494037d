from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from models.thresholds import WARNING_RULE, CalibrationScores, Rule


def data(scores: list[float], faulty: list[bool]) -> CalibrationScores:
    labels = np.array(faulty)
    return CalibrationScores(
        np.array(scores, np.float64), np.zeros(len(scores), np.int64), ~labels, labels
    )


def f1_at(threshold: float, scores: NDArray[np.float64], faulty: NDArray[np.bool_]) -> float:
    return float(f1_score(faulty, scores >= threshold))


@given(
    rows=st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40).filter(
        lambda rows: any(faulty for _, faulty in rows)
    )
)
def test_best_f1_is_the_best_of_all_observed_scores(rows: list[tuple[int, bool]]) -> None:
    calibration = data([float(score) for score, _ in rows], [faulty for _, faulty in rows])

    chosen = Rule("best_f1").threshold(calibration)

    scores, faulty = calibration.scores, calibration.faulty
    f1s = {candidate: f1_at(candidate, scores, faulty) for candidate in np.unique(scores)}
    best = max(f1s.values())
    assert f1s[chosen] == pytest.approx(best)
    assert not any(f1 > best - 1e-12 for candidate, f1 in f1s.items() if candidate > chosen)


def test_a_score_at_the_threshold_counts_as_anomalous() -> None:
    chosen = Rule("best_f1").threshold(data([1.0, 2.0, 3.0, 3.0], [False, False, True, True]))

    assert chosen == 3.0


def test_the_quantile_looks_at_healthy_windows_alone() -> None:
    healthy = np.linspace(0, 1, 101).tolist()

    chosen = WARNING_RULE.threshold(data([*healthy, *[50.0] * 200], [False] * 101 + [True] * 200))

    assert chosen == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("rule", "faulty", "message"),
    [
        pytest.param(WARNING_RULE, [True], "no healthy window", id="nothing healthy"),
        pytest.param(Rule("best_f1"), [False], "no faulty window", id="nothing faulty"),
        pytest.param(Rule("guess"), [True], "'guess' came; one of", id="unknown strategy"),
    ],
)
def test_what_a_rule_cannot_use_is_refused(rule: Rule, faulty: list[bool], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule.threshold(data([1.0], faulty))
