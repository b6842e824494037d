"""What a report over many series is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from models.evaluation.ranges.figures import SeriesFigures
from models.evaluation.ranges.trivial import TRIVIAL
from models.evaluation.series import SeriesResult


@dataclass(frozen=True)  # cached properties need a dict
class SeriesReport:
    """Every model's results on the same series.

    Attributes:
        results: By model; each has the same series.
        figures: By model, for each result; models as above, and the trivial rows.
        chosen: The model that is drawn, and by which series are ranked.
        told: By model, what it is, in a few words; models may be missing.
        command: How to make the report again.
        notes: Sentences on how thresholds and choices came about, for the end of the page.

    Raises:
        ValueError: If models do not have the same series, the chosen one is not among them, or a
            result has no figures.
    """

    results: Mapping[str, Sequence[SeriesResult]]
    figures: Mapping[str, Sequence[SeriesFigures]]
    chosen: str
    command: str
    told: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse models that cannot be compared."""
        if self.chosen not in self.results:
            known = ", ".join(self.results) or "none"
            raise ValueError(f"{self.chosen} is not among the models there are: {known}")
        expected = {one.label for one in self.results[self.chosen]}
        labels = {name: [one.label for one in own] for name, own in self.results.items()}
        labels |= {
            f"{name}, figures": [one.label for one in own] for name, own in self.figures.items()
        }
        for name, own in labels.items():
            if set(own) != expected or len(own) != len(expected):
                raise ValueError(
                    f"{name}: {len(own)} series, and {self.chosen} has {len(expected)}, or not the "
                    "same ones; expected each series of each model once"
                )
        missing = [name for name in self.results if name not in self.figures]
        if missing:
            raise ValueError(f"no figures of {', '.join(missing)}; measure every result")

    @property
    def models(self) -> list[str]:
        """Names of the models, the chosen one first, then in the order they came."""
        return [self.chosen, *(name for name in self.results if name != self.chosen)]

    @property
    def trivial(self) -> list[str]:
        """Names of the trivial rows there are."""
        return [name for name in TRIVIAL if name in self.figures]

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Names of the data sets, in the order they came."""
        return tuple(dict.fromkeys(one.spacecraft for one in self.results[self.chosen]))

    @cached_property
    def own(self) -> list[SeriesFigures]:
        """Figures of the chosen model, by data set and name."""
        places = {name: place for place, name in enumerate(self.datasets)}
        return sorted(
            self.figures[self.chosen],
            key=lambda one: (places[one.spacecraft], natural(one.series)),
        )

    @cached_property
    def ranked(self) -> list[SeriesFigures]:
        """Figures of the chosen model where there is an F1, the best first.

        Ranked by F1 row by row; ties by VUS-PR of the final score, then by data set and name.
        """
        known = [one for one in self.own if one.f1 is not None]
        return sorted(known, key=lambda one: (-(one.f1 or 0.0), -_vus(one)))

    def result(self, model: str, label: str) -> SeriesResult:
        """Return one model's result on one series."""
        return self._by_label[model][label]

    @cached_property
    def _by_label(self) -> dict[str, dict[str, SeriesResult]]:
        return {name: {one.label: one for one in own} for name, own in self.results.items()}


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts ``A-9`` before ``A-10``.

    Example:
        >>> sorted(["A-10", "A-9", "B-1"], key=natural)
        ['A-9', 'A-10', 'B-1']
    """
    parts = re.findall(r"\d+|\D+", name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def _vus(one: SeriesFigures) -> float:
    return one.final.vus_pr if one.final is not None else 0.0
