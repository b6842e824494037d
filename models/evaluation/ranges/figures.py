"""All figures of one model on one series."""

from __future__ import annotations

from dataclasses import dataclass

from models.evaluation.ranges.affiliation import Affiliation, affiliation
from models.evaluation.ranges.events import Events, events
from models.evaluation.ranges.rows import Rows, roc_auc, rows
from models.evaluation.ranges.volume import Volume, volume
from models.evaluation.series import SeriesResult


@dataclass(frozen=True, slots=True)
class ScoreFigures:
    """Of one score, without a threshold; see :mod:`models.evaluation.ranges.volume`."""

    vus_pr: float
    vus_roc: float
    range_auc_pr: float
    range_auc_roc: float
    auc: float


@dataclass(frozen=True, slots=True)
class SeriesFigures:
    """How well one model did on one series.

    What needs an anomaly is none for a series that has none (or has nothing else).

    Attributes:
        series: Its name.
        spacecraft: The data set it is of.
        clean: Whether nobody disputes its labels.
        model: Name of the model.
        rows: Readings in it.
        flagged: Rows reported.
        events: Anomalies found, alarms that were false, delays.
        provisional: Of the score that is there at once.
        final: Of the score over all windows.
        by_row: Of the flags, row by row.
        affiliation: Of the flags, by distance.
    """

    series: str
    spacecraft: str
    clean: bool
    model: str
    rows: int
    flagged: int
    events: Events
    provisional: ScoreFigures | None
    final: ScoreFigures | None
    by_row: Rows | None
    affiliation: Affiliation | None

    @property
    def label(self) -> str:
        """Return such as ``SMAP A-1``."""
        return f"{self.spacecraft} {self.series}"

    @property
    def flagged_share(self) -> float:
        """Part of the rows that was reported."""
        return self.flagged / self.rows if self.rows else 0.0

    @property
    def f1(self) -> float | None:
        """F1 row by row: what series are ranked by."""
        return None if self.by_row is None else self.by_row.f1


def measure_series(result: SeriesResult) -> SeriesFigures:
    """Return every figure of one result."""
    truth = result.truth
    some = bool(truth.any())
    both = some and not bool(truth.all())
    found = result.found
    provisional = final = None
    if both:
        final = _of_score(volume(result.final, result.true), roc_auc(result.final, truth))
        # most models without windows have one score
        same = result.provisional is result.final
        provisional = (
            final
            if same
            else _of_score(
                volume(result.provisional, result.true), roc_auc(result.provisional, truth)
            )
        )
    return SeriesFigures(
        series=result.series,
        spacecraft=result.spacecraft,
        clean=result.clean,
        model=result.model,
        rows=result.rows,
        flagged=int(result.flags.sum()),
        events=events(found, result.true, result.wait_rows),
        provisional=provisional,
        final=final,
        by_row=rows(result.flags, truth) if some else None,
        affiliation=affiliation(found, result.true, result.rows) if some else None,
    )


def _of_score(areas: Volume, auc: float) -> ScoreFigures:
    return ScoreFigures(
        vus_pr=areas.vus_pr,
        vus_roc=areas.vus_roc,
        range_auc_pr=areas.range_auc_pr,
        range_auc_roc=areas.range_auc_roc,
        auc=auc,
    )
