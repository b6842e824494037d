"""Who serves what, and what "healthy" and "faulty" mean of C-MAPSS engines.

Two ways to split. By asset: a model is judged on assets it never saw, as a fleet needs whose assets
fail and are replaced. By time: the same assets go on being watched, so the first part of each is
fitted and the next part validates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from common.recording import AssetRecord
from models.evaluation.labels import masks

HEALTHY_RUL: Final = 125
"""Cycles; a row is healthy when its remaining useful life is above this. The usual cap for these
sets: wear does not show earlier."""

FAULT_RUL: Final = 30
"""Cycles; a window is faulty when the life left at its end is at most this. A proxy: the data say
when an engine failed, not when its fault began."""

FIT_PART: Final = 0.64
VALIDATE_PART: Final = 0.16
MIN_ENGINES: Final = 5

FIT_TIME: Final = 0.8
"""Part of an asset's healthy readings, the first ones, that is fitted where parts are split by
time; the rest validates. Nothing is held out: what was recorded first says little enough of what
comes later."""

SplitBy = Literal["asset", "time"]


@dataclass(frozen=True, slots=True)
class EngineRange:
    """Engines numbered ``first`` to ``last``, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        """Return the number of engines."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        """Return ``first-last``."""
        return f"{self.first}-{self.last}"

    def holds(self, units: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the engine numbers, shape ``(n,)``, are in the range."""
        return (units >= self.first) & (units <= self.last)


NOBODY: Final = EngineRange(1, 0)


@dataclass(frozen=True, slots=True)
class EngineSplit:
    """Three sets of engines that share none, or all of them twice (:meth:`of_all`).

    Attributes:
        fit: Normalisation and network are fitted on their healthy rows.
        validate: Thresholds are chosen on them.
        heldout: Only measured: no fit, score or threshold of an artifact comes of them. The design
            of the scores was made with C-MAPSS in view, these engines among it.
    """

    fit: EngineRange
    validate: EngineRange
    heldout: EngineRange

    @classmethod
    def of_all(cls, n_assets: int) -> Self:
        """Return the split by time: all assets fit, all validate, none is held out."""
        everyone = EngineRange(1, n_assets)
        return cls(everyone, everyone, NOBODY)


def split_engines(n_engines: int) -> EngineSplit:
    """Split engines 1..n in the order of the file: 64 %, 16 %, the rest.

    Raises:
        ValueError: If there are fewer than :data:`MIN_ENGINES` engines.

    Example:
        >>> split = split_engines(100)
        >>> print(split.fit, split.validate, split.heldout)
        1-64 65-80 81-100
    """
    if n_engines < MIN_ENGINES:
        raise ValueError(f"{n_engines} assets came; at least {MIN_ENGINES} are needed to split")
    fit_last = int(n_engines * FIT_PART)
    validate_last = max(fit_last + 1, int(n_engines * (FIT_PART + VALIDATE_PART)))
    return EngineSplit(
        EngineRange(1, fit_last),
        EngineRange(fit_last + 1, validate_last),
        EngineRange(validate_last + 1, n_engines),
    )


def split_by_time(record: AssetRecord) -> tuple[AssetRecord, AssetRecord]:
    """Cut an asset's record where :data:`FIT_TIME` of its healthy readings are past.

    Windows are cut of each part alone, so none straddles it.
    """
    healthy = np.flatnonzero(masks(record)[0])
    first = int(len(healthy) * FIT_TIME)
    row = int(healthy[first]) if first < len(healthy) else len(record)
    return record.part(slice(0, row)), record.part(slice(row, None))
