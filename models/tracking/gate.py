"""When a candidate may replace production: a pure function of numbers on validation engines.

Validation engines only: a gate that looked at held-out or test engines would, promotion after
promotion, choose models for them, and they would no longer be unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from models.artifact.metrics import Metrics
from models.artifact.provenance import TrainingSection


@dataclass(frozen=True, slots=True)
class Criterion:
    """One number that must not get worse.

    Attributes:
        name: As shown, and as logged after ``validation.``.
        read: Takes it from the metrics; none where it is not defined.
        higher_is_better: Its direction.
        tolerance: Worse by no more than this passes, in the number's own unit.
    """

    name: str
    read: Callable[[Metrics], float | None]
    higher_is_better: bool
    tolerance: float

    def is_worse(self, candidate: float | None, production: float | None) -> bool:
        """Return whether the candidate fails; what production cannot show is not asked for."""
        if production is None:
            return False
        if candidate is None:
            return True
        loss = production - candidate if self.higher_is_better else candidate - production
        return loss > self.tolerance + ROUNDING


ROUNDING: Final = 1e-9
"""A loss of exactly the tolerance passes, also where floating point makes it a hair more."""

CRITERIA: Final = (
    # A model that leaves windows unscored is not better for it: regimes and window length count.
    Criterion("windows", lambda m: m.windows, True, 0),
    # Wider than the reference model's range over seeds 0 to 2 on FD001: .0002, .0013, .011 and 1.0
    # cycle (docs/tracking.md). A smaller difference says nothing about the model.
    Criterion("auc", lambda m: m.auc, True, 0.001),
    Criterion("pr_auc", lambda m: m.pr_auc, True, 0.004),
    Criterion("critical.f1", lambda m: m.critical.f1, True, 0.015),
    Criterion("warning.lead_mean", lambda m: m.warning.lead_mean, True, 2.0),
    # One of FD001's 915 healthy validation windows is 1.1 of 1000.
    Criterion("warning.false_alarms", lambda m: m.warning.false_alarms_per_1000, False, 2.0),
    # An engine lost is never noise to the one who flies it.
    Criterion("warning.caught", lambda m: m.warning.engines_caught, True, 0),
    Criterion("critical.caught", lambda m: m.critical.engines_caught, True, 0),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One criterion, applied.

    Attributes:
        criterion: Which.
        candidate: Its number.
        production: Production's; none without production.
        worse: Whether it stands in the way.
    """

    criterion: Criterion
    candidate: float | None
    production: float | None
    worse: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate says.

    Attributes:
        rows: The comparison, one row per criterion.
        reasons: Why the candidate is refused, a sentence each; empty if it is accepted.
    """

    rows: tuple[Row, ...]
    reasons: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether the candidate may replace production."""
        return not self.reasons


def judge(candidate: Metrics, production: Metrics | None) -> Judgement:
    """Compare two models on the same validation engines.

    Args:
        candidate: Measured on the validation engines at its own thresholds.
        production: Likewise, on the same engines of the same file (:func:`incomparable`); none if
            nothing is in production, and then any candidate is accepted.
    """
    rows = tuple(_row(criterion, candidate, production) for criterion in CRITERIA)
    return Judgement(rows, tuple(_sentence(row) for row in rows if row.worse))


def incomparable(candidate: TrainingSection, production: TrainingSection) -> tuple[str, ...]:
    """Return why two models cannot be compared, a sentence each; empty if they can.

    They can if they come of the same file, byte for byte, with the same validation engines and the
    same meaning of healthy and faulty.
    """
    sides = (
        ("training file", _file(candidate), _file(production)),
        ("validation engines", _engines(candidate), _engines(production)),
        ("healthy above", _cycles(candidate.healthy_rul), _cycles(production.healthy_rul)),
        ("faulty up to", _cycles(candidate.fault_rul), _cycles(production.fault_rul)),
    )
    return tuple(
        f"not comparable: {what} {mine} here, {theirs} in production"
        for what, mine, theirs in sides
        if mine != theirs
    )


def _row(criterion: Criterion, candidate: Metrics, production: Metrics | None) -> Row:
    mine = criterion.read(candidate)
    theirs = None if production is None else criterion.read(production)
    return Row(criterion, mine, theirs, criterion.is_worse(mine, theirs))


def _sentence(row: Row) -> str:
    criterion = row.criterion
    if row.candidate is None or row.production is None:
        return f"{criterion.name} is not defined for the candidate, and is for production"
    direction = "below" if criterion.higher_is_better else "above"
    return (
        f"{criterion.name} {row.candidate:.5g} is {abs(row.candidate - row.production):.3g} "
        f"{direction} production's {row.production:.5g}; {criterion.tolerance:g} is tolerated"
    )


def _cycles(count: int | None) -> str:
    return "as marked in the data" if count is None else f"{count} cycles"


def _file(training: TrainingSection) -> str:
    return f"{training.dataset} ({training.data_sha256[:12]})"


def _engines(training: TrainingSection) -> str:
    return f"{training.validate_.first}-{training.validate_.last}"
