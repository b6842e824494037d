"""The limits of plausibility: sound engines are within, mistakes by a factor of ten beyond."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.cmapss.reader import Dataset, load_dataset
from common.machines.turbofan import TURBOFAN
from producer.simulator.simulate import simulate

FILES = [
    ("FD001", "train"),
    ("FD001", "test"),
    ("FD002", "train"),
    ("FD002", "test"),
    ("FD003", "train"),
    ("FD004", "train"),
]


def check_limits(dataset: Dataset) -> None:
    values = np.concatenate([engine.sensors for engine in dataset.engines])
    for channel, smallest, largest in zip(
        TURBOFAN.channels, values.min(0), values.max(0), strict=True
    ):
        assert channel.plausible(smallest), channel
        assert channel.plausible(largest), channel
        assert not channel.plausible(smallest * 10), channel
        assert not channel.plausible(largest / 10), channel


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "split"), FILES)
def test_every_real_value_is_plausible_and_ten_times_and_a_tenth_of_it_are_not(
    name: str, split: str, cmapss_dir: Path
) -> None:
    check_limits(load_dataset(cmapss_dir, name, split))  # type: ignore[arg-type]


def test_so_it_is_with_simulated_engines() -> None:
    check_limits(simulate(20, seed=4, split="train"))


def test_no_value_at_all_is_not_plausible() -> None:
    assert not any(channel.plausible(float("nan")) for channel in TURBOFAN.channels if channel.name)
