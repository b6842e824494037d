"""Data sets in memory, small and made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from common.cmapss.files import Split
from common.cmapss.reader import Dataset, parse_engines
from producer.fleet import Fleet
from tests.support.cmapss import text

START: Final = datetime(2026, 1, 1, tzinfo=UTC)


def dataset_of(lengths: Sequence[int], name: str = "FD001", split: Split = "test") -> Dataset:
    """Return a data set whose engine ``i + 1`` has ``lengths[i]`` cycles; every value differs."""
    return Dataset(name, split, parse_engines(text(lengths).encode(), "memory"), None, "0" * 64)


def fleet_of(
    lengths: Sequence[int], units: tuple[int, ...] | None = None, run_id: str = "run"
) -> Fleet:
    """Return a fleet of such engines, one cycle a second."""
    everything = tuple(range(1, len(lengths) + 1))
    return Fleet(dataset_of(lengths), units or everything, run_id, START, timedelta(seconds=1))
