"""How good is a model on assets it was not chosen on: window metrics and asset metrics.

Of C-MAPSS engines the label is a proxy: the files say when an engine failed, not when its fault
began. So "faulty" means at most ``FAULT_RUL`` cycles left, and an alarm earlier than that is not
always false; alarms are called false only in windows with more than ``HEALTHY_RUL`` cycles left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.alarm_defaults import ON_DELAY_CYCLES
from models.artifact.metrics import LevelMetrics, Metrics
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL
from models.scoring.evidence import Judged, judge_windows, severity_of
from models.scoring.scorer import WARNING_SEVERITY, Thresholds, WindowScorer, WindowScores
from models.scoring.windows import LIFE_UNKNOWN, WindowSet

ON_DELAY: Final = ON_DELAY_CYCLES
"""Anomalous cycles in a row that raise an alarm: the live detector's default."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What one model says of the engines it is measured on.

    Attributes:
        units: Shape ``(n,)``; engine of each window, engines in the order of the file.
        cycles: Shape ``(n,)``; cycle at the window's end, ascending within an engine.
        rul: Shape ``(n,)``; life left at the window's end, cycles.
        scores: Shape ``(n,)``; higher is more anomalous.
        thresholds: The model's.
        explained: The same scores with each channel's share; none where nobody asked for shares.
        judged: What all evidence comes to; none for a score alone.
    """

    units: NDArray[np.int64]
    cycles: NDArray[np.int64]
    rul: NDArray[np.int64]
    scores: NDArray[np.float64]
    thresholds: Thresholds
    explained: WindowScores | None = None
    judged: Judged | None = None

    @property
    def severities(self) -> NDArray[np.float64]:
        """Shape ``(n,)``; what is held against the engine; 1 is a warning."""
        if self.judged is not None:
            return self.judged.severities
        return severity_of(self.scores, self.thresholds.warning)

    @property
    def critical(self) -> NDArray[np.bool_]:
        """Shape ``(n,)``; whether that is critical."""
        if self.judged is not None:
            return self.judged.critical
        return self.scores >= self.thresholds.critical

    def reached(self, level: str) -> NDArray[np.bool_]:
        """Return which windows reach ``warning`` or ``critical``, by all evidence there is."""
        warned = self.severities >= WARNING_SEVERITY
        return warned if level == "warning" else warned & self.critical

    @property
    def by_life(self) -> bool:
        """Whether remaining life says what is critical, and not the score."""
        return self.judged is not None and self.thresholds.life is not None

    @property
    def levels_of_score(self) -> tuple[str, ...]:
        """The levels that the score decides."""
        return ("warning",) if self.by_life else ("warning", "critical")

    def limit(self, level: str) -> float:
        """Return the score, or where remaining life decides the life left, that a level is at."""
        thresholds = self.thresholds
        if level == "critical" and self.by_life and thresholds.life is not None:
            return thresholds.life
        limit: float = getattr(thresholds, level)
        return limit

    @property
    def faulty(self) -> NDArray[np.bool_]:
        """Shape ``(n,)``; which windows end near failure."""
        return self.rul <= FAULT_RUL

    @property
    def healthy(self) -> NDArray[np.bool_]:
        """Shape ``(n,)``; which windows end far from failure."""
        return self.rul > HEALTHY_RUL


def measure(
    windows: WindowSet,
    scores: NDArray[np.float64],
    thresholds: Thresholds,
    judged: Judged | None = None,
) -> Metrics:
    """Measure scores of labelled windows.

    Args:
        windows: Windows of whole engines, each engine's in the order of its cycles.
        scores: Shape ``(n,)``; higher is more anomalous.
        thresholds: Chosen on other engines.
        judged: What all evidence comes to; none for a score alone. AUC is the score's, whatever
            else there is.

    Raises:
        ValueError: If there is not one score per window, or no window.
    """
    if len(scores) != len(windows) or not len(scores):
        raise ValueError(f"{len(scores)} scores of {len(windows)} windows came; one each expected")
    warned, critical = scores >= thresholds.warning, scores >= thresholds.critical
    if judged is not None:
        warned, critical = judged.severities >= WARNING_SEVERITY, judged.critical
    faulty = windows.faulty
    both_classes = bool(faulty.any()) and not bool(faulty.all())
    auc = pr_auc = None
    if both_classes:
        # slow to import, and not there where nothing but models without network is trained
        from sklearn.metrics import average_precision_score, roc_auc_score

        auc = float(roc_auc_score(faulty, scores))
        pr_auc = float(average_precision_score(faulty, scores))
    return Metrics(
        auc=auc,
        pr_auc=pr_auc,
        windows=len(scores),
        healthy_windows=int(windows.healthy.sum()),
        faulty_windows=int(faulty.sum()),
        warning=_measure_level(windows, warned, thresholds.warning),
        critical=_measure_level(windows, critical, thresholds.critical),
    )


def measure_scorer(scorer: WindowScorer, windows: WindowSet) -> Metrics:
    """Measure a model with all its evidence, at its own thresholds.

    Args:
        scorer: The model.
        windows: As for :func:`measure`.

    Raises:
        ValueError: If there is no window.
    """
    found = scorer.score(windows.windows, windows.trail)
    judged, thresholds = judge_windows(found, windows, scorer.spec), scorer.spec.thresholds
    if thresholds.life is not None:
        thresholds = replace(thresholds, critical=thresholds.life)
    return measure(windows, found.scores, thresholds, judged)


def _measure_level(
    windows: WindowSet, anomalous: NDArray[np.bool_], threshold: float
) -> LevelMetrics:
    faulty, healthy = windows.faulty, windows.healthy
    hits = int((anomalous & faulty).sum())
    precision = hits / max(1, int(anomalous.sum()))
    recall = hits / max(1, int(faulty.sum()))
    units = np.unique(windows.units[faulty])
    begins = [
        windows.life_left[own][begin]
        for unit in units
        if (begin := alarm_begin(anomalous[own := windows.units == unit], healthy[own])) is not None
    ]
    leads = [int(left) for left in begins if left != LIFE_UNKNOWN]
    return LevelMetrics(
        threshold=threshold,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if hits else 0.0,
        false_alarms_per_1000=float(anomalous[healthy].mean() * 1000) if healthy.any() else None,
        engines=len(units),
        engines_caught=len(begins),
        lead_mean=float(np.mean(leads)) if leads else None,
        lead_min=min(leads, default=None),
    )


def lead_cycles(
    anomalous: NDArray[np.bool_], rul: NDArray[np.int64], on_delay: int = ON_DELAY
) -> int | None:
    """Return the life left when one engine's alarm begins, in cycles; none if it never does.

    Only windows with at most ``HEALTHY_RUL`` cycles left count: an earlier alarm is false, not
    early. The alarm begins at the last of ``on_delay`` anomalous windows in a row.

    Args:
        anomalous: Shape ``(n,)``, one engine's windows in order.
        rul: Shape ``(n,)``; life left at each.
        on_delay: Anomalous windows in a row.

    Example:
        >>> lead_cycles(np.array([True, False, True, True]), np.array([9, 8, 7, 6]), on_delay=2)
        6
    """
    begin = alarm_begin(anomalous, rul > HEALTHY_RUL, on_delay)
    return None if begin is None else int(rul[begin])


def alarm_begin(
    anomalous: NDArray[np.bool_], healthy: NDArray[np.bool_], on_delay: int = ON_DELAY
) -> int | None:
    """Return the window at which one asset's alarm begins; none if it never does.

    Args:
        anomalous: Shape ``(n,)``, one asset's windows in order.
        healthy: Shape ``(n,)``; anomalous ones among them are false alarms and do not count.
        on_delay: Anomalous windows in a row, the last of which begins the alarm.

    Example:
        >>> alarm_begin(np.array([True, True, True]), np.array([True, False, False]), on_delay=2)
        2
    """
    run = 0
    for index, counts in enumerate((anomalous & ~healthy).tolist()):
        run = run + 1 if counts else 0
        if run == on_delay:
            return index
    return None
