"""The figures of ``python -m bench.quality.skab``, on rows counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.quality.skab.data import FIT_ROWS, UNITS, beginning
from bench.quality.skab.models import Verdicts, figures, verdicts_of
from common.recording import AssetRecord

FAULTY = np.array([False, False, False, True, True])


def record(rows: int) -> AssetRecord:
    """An experiment that is faulty from its 403rd row on."""
    cycles = np.arange(1, rows + 1)
    return AssetRecord(
        "one", cycles, None, np.empty((rows, 0)), np.zeros((rows, len(UNITS))),
        faulty=np.arange(rows) >= FIT_ROWS + 2,
    )  # fmt: skip


def test_figures_are_the_benchmark_s() -> None:
    scores = np.array([0.1, 0.9, 0.2, 0.8, 0.3])

    found = figures([Verdicts(scores, scores >= 0.5, FAULTY, 0)])

    assert found.f1 == pytest.approx(0.5)
    assert found.far == pytest.approx(1 / 3)
    assert found.mar == pytest.approx(1 / 2)
    assert found.auc == pytest.approx(4 / 6)
    assert found.best_f1 == pytest.approx(0.8)  # at 0.3: two hits, one false


def test_files_are_pooled_row_by_row() -> None:
    right = Verdicts(FAULTY * 1.0, FAULTY, FAULTY, 0)
    silent = Verdicts(FAULTY * 0.0, FAULTY & False, FAULTY, 5)

    assert figures([right, silent]).mar == pytest.approx(0.5)
    assert figures([silent]).f1 == 0.0


def test_a_row_without_a_score_is_no_alarm() -> None:
    told = verdicts_of(record(FIT_ROWS + 4), np.array([FIT_ROWS + 3]), np.array([7.0]), -1.0)

    assert told.scores.tolist() == [0.0, 0.0, 7.0, 0.0]
    assert told.alarms.tolist() == [False, False, True, False]
    assert told.faulty.tolist() == [False, False, True, True]
    assert told.unscored == 3


def test_what_is_learned_from_has_no_label() -> None:
    first = beginning(record(FIT_ROWS + 4))

    assert len(first) == FIT_ROWS
    assert first.faulty is first.healthy is None
