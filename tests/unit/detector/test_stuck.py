"""Which sensors do not move."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.cmapss import load_dataset
from common.machines.turbofan import TURBOFAN
from detector.core.stuck import stuck_channels, stuck_sentence
from models.evaluation.batch_path import engine_rows


def test_only_a_channel_with_one_value_throughout_is_stuck() -> None:
    window = np.array([[1, 5, 1, 0], [1, 6, 2, 0], [1, 7, 1, 0]], np.float32)
    other = np.array([[1, 5, 1, 0], [2, 5, 1, 1], [1, 5, 2, 0]], np.float32)

    found = stuck_channels(np.concatenate([window, other, window]), np.array([2, 5, 8]), 3)

    assert found.tolist() == [
        [True, False, False, True],
        [False, True, False, False],
        [True, False, False, True],
    ]


def test_windows_of_one_row_and_no_windows_say_nothing() -> None:
    rows = np.ones((3, 2), np.float32)

    assert not stuck_channels(rows, np.arange(3), 1).any()
    assert stuck_channels(rows, np.empty(0, np.int64), 4).shape == (0, 2)


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
        assert not stuck_channels(measured, np.arange(length - 1, len(series)), length).any()
