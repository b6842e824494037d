"""Row by row: precision, recall and F1 of flags, ROC AUC of a score. No range counts as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.evaluation.series import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Rows:
    """Of one series that has anomalies.

    Attributes:
        precision: Anomalous among reported rows; none if none was reported.
        recall: Reported among anomalous rows.
        f1: Harmonic mean of both; 0 if nothing was found.
    """

    precision: float | None
    recall: float
    f1: float


def rows(flags: BoolArray, truth: BoolArray) -> Rows:
    """Return how the flags agree with the truth.

    Args:
        flags: Shape ``(rows,)``; what was reported.
        truth: Shape ``(rows,)``; what is anomalous.

    Raises:
        ValueError: If nothing is anomalous.

    Example:
        >>> rows(np.array([True, True, False]), np.array([False, True, True]))
        Rows(precision=0.5, recall=0.5, f1=0.5)
    """
    anomalous, reported = int(truth.sum()), int(flags.sum())
    if not anomalous:
        raise ValueError("no row is anomalous; expected at least one")
    hits = int((flags & truth).sum())
    return Rows(
        hits / reported if reported else None,
        hits / anomalous,
        2 * hits / (anomalous + reported),
    )


def roc_auc(score: FloatArray, truth: BoolArray) -> float:
    """Return the plain area under the ROC curve.

    Args:
        score: Shape ``(rows,)``; where it is NaN nothing was said: the lowest there is.
        truth: Shape ``(rows,)``; which rows are anomalous: some, and not all.
    """
    # slow to import, and only reports need it
    from sklearn.metrics import roc_auc_score

    # ranks, since a score may be any number, and the lowest is below all
    _, ranks = np.unique(np.where(np.isnan(score), -np.inf, score), return_inverse=True)
    return float(roc_auc_score(truth, ranks))
