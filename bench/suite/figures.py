"""What a run measured: figures with their rounds, and the ratios that the project answers for."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.suite.failures import MeasurementError


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio the project answers for.

    Attributes:
        meaning: What is divided by what.
        section: Which section measures it.
        at_least: It should be this much or more.
    """

    meaning: str
    section: str
    at_least: float


RATIOS: Final = {
    "e2e_over_scoring": Goal(
        "scores stored a second by one worker : windows a second of the scorer alone (network and "
        "score, one thread)",
        "throughput",
        0.75,
    ),
    "e2e_over_stock_faust": Goal(
        "one worker : stock Faust, by event or with `take`, whichever is faster", "peers", 5.0
    ),
    "e2e_over_plain_aiokafka": Goal("one worker : a plain aiokafka loop", "peers", 1.25),
    "e2e_over_quixstreams": Goal("one worker : Quix Streams", "peers", 1.25),
    "two_workers_over_one": Goal("two workers : one, where two cores are free", "throughput", 1.6),
    "fleets20_over_fleets1": Goal("rows a second with 20 fleets : with one", "growth", 0.85),
    "assets100k_over_assets100": Goal(
        "rows a second of 100,000 assets : of 100 assets", "growth", 0.8
    ),
}
"""All ratios of a whole run, in the order in which they are shown."""

PLUMBING: Final = "plumbing_us_per_reading"
PLUMBING_AT_MOST_US: Final = 15.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured, in one round or in several.

    Attributes:
        unit: What it is counted in.
        values: One of each round, in their order.
    """

    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Largest minus smallest, as a part of the median; 0 with one round."""
        width = max(self.values) - min(self.values)
        return width / abs(self.median) if self.median else 0.0


@dataclass
class Findings:
    """What one section found.

    Attributes:
        figures: By name, in the order in which they are shown.
        ratios: By name, a value of each round: both sides of a value are of the same round.
        plumbing_us: Processor time a reading takes beside the network, of each round, µs.
        not_measured: What could not be measured here, and why.
        notes: What a reader should know.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    ratios: dict[str, Figure] = field(default_factory=dict)
    plumbing_us: tuple[float, ...] = ()
    not_measured: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, unit: str, *values: float) -> None:
        """Add a round, or several, of a figure.

        Raises:
            MeasurementError: If there is none, or one is no positive number: nothing was measured.
        """
        before = self.figures[name].values if name in self.figures else ()
        self.figures[name] = Figure(unit, (*before, *_measured(name, values)))

    def compare(self, name: str, over: Sequence[float], under: Sequence[float]) -> None:
        """Add one of the project's ratios, round by round.

        Raises:
            MeasurementError: If either side was not measured, or rounds are missing.
        """
        if name not in RATIOS:
            raise MeasurementError(f"{name!r} is none of the ratios of bench/suite/figures.py")
        if len(over) != len(under):
            raise MeasurementError(f"{name}: {len(over)} rounds came beside {len(under)}")
        _measured(name, (*over, *under))
        self.ratios[name] = Figure(
            "", tuple(first / second for first, second in zip(over, under, strict=True))
        )


def _measured(name: str, values: Sequence[float]) -> Sequence[float]:
    if not values or not all(0 < value < float("inf") for value in values):
        raise MeasurementError(f"{name}: nothing was measured ({list(values)} came)")
    return values
