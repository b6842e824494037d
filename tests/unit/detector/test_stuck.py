"""Which sensors do not move, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.cmapss.reader import load_dataset
from common.machines.turbofan import TURBOFAN
from detector.core.stuck import stuck_channels, stuck_sentence
from models.evaluation.batch_path import engine_rows
from models.scoring.unmoved import unmoved_runs
from tests.support.builders import MeanScorer

SPEC = MeanScorer(("T24", "T30", "T50"), 4).spec


def test_without_knowing_better_a_channel_is_stuck_when_it_fills_a_window() -> None:
    unmoved = np.array([[1, 3, 4], [4, 4, 1]])

    assert stuck_channels(unmoved, SPEC).tolist() == [[False, False, True], [True, True, False]]


def test_a_model_knows_how_long_each_channel_stands_still_when_sound() -> None:
    spec = replace(SPEC, frozen_after=(2, 4, 0))

    found = stuck_channels(np.array([[1, 3, 4], [2, 4, 4]]), spec)

    assert found.tolist() == [[False, False, False], [True, True, False]]


def test_windows_of_one_row_and_no_windows_say_nothing() -> None:
    machine = SPEC.machine.model_copy(
        update={"window": SPEC.machine.window.model_copy(update={"length": 1})}
    )

    assert not stuck_channels(np.ones((3, 3), np.int64), replace(SPEC, machine=machine)).any()
    assert stuck_channels(np.empty((0, 3), np.int64), SPEC).shape == (0, 3)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], ""),
        (["T24"], "T24 has not moved for 30 readings: stuck?"),
        (["T24", "T30"], "T24 and T30 have not moved for 30 readings: stuck?"),
        (["T24", "T30", "T50"], "T24, T30 and T50 have not moved for 30 readings: stuck?"),
        (list("abcde"), "a, b, c and 2 more have not moved for 30 readings: stuck?"),
    ],
)
def test_the_sentence_names_a_few(names: list[str], sentence: str) -> None:
    assert stuck_sentence(names, 30) == sentence


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "split"),
    [("FD001", "train"), ("FD001", "test"), ("FD002", "train"), ("FD003", "train")],
)
def test_no_sensor_of_a_real_engine_is_ever_called_stuck(
    name: str, split: str, cmapss_dir: Path
) -> None:
    length, n_conditions = TURBOFAN.window.length, len(TURBOFAN.conditions)
    for series in load_dataset(cmapss_dir, name, split).engines:  # type: ignore[arg-type]
        measured = engine_rows(TURBOFAN, series)[:, n_conditions:]
        unmoved = unmoved_runs(measured, np.arange(length - 1, len(series)), length)
        assert unmoved.max() <= 11
