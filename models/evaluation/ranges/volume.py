"""VUS-PR, VUS-ROC and range-AUC: area under curves whose labels fade out around each anomaly.

Labels of ranges are rarely exact, and a score may rise a little early or late. So each anomaly
gets a buffer of ``length // 2`` rows on both sides, in which the label falls from 1 as the square
root of ``1 - distance / length``. The area under the curve for one ``length`` is the range-AUC; its
mean over all lengths from 0 to the longest is the volume under the surface: nothing is left to
choose but the longest.

For a threshold that reports the rows R, with label l, P anomalous rows and n rows:

* hits = sum of l over R; precision = hits / |R|;
* positives = P + half the sum of l over the buffer rows in R; recall = min(hits / positives, 1)
  times the share of anomalies that R touches (buffers that share a row make one anomaly);
* false positive rate = (|R| - hits) / (n - positives).

Precision is summed over steps of recall; the false positive rate by trapezoids up to (1, 1).
Thresholds are the scores at ``thresholds`` even steps of the sorted score.

The paper counts the buffer rows outside R as positives too; its authors' code, and with it the
public leaderboard, does not. Here the code is followed, for the figures to be comparable.

References:
    Paparrizos, Boniol, Palpanas, Tsay, Elmore, Franklin 2022, doi:10.14778/3551793.3551830;
    code: the package ``vus`` 0.0.6, ``RangeAUC_volume_opt``, whose figures these are to 1e-9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.series import FloatArray, Span

LONGEST: Final = 100
"""Longest buffer, rows: the default of the authors' code; one for all series and models."""

THRESHOLDS: Final = 250
"""As in the authors' code."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Areas under one score's surface.

    Attributes:
        pr: Shape ``(longest + 1,)``; area under precision and recall for each buffer length.
        roc: Likewise of true and false positive rates.
    """

    pr: NDArray[np.float64]
    roc: NDArray[np.float64]

    @property
    def vus_pr(self) -> float:
        """Volume under the precision-recall surface."""
        return float(self.pr.mean())

    @property
    def vus_roc(self) -> float:
        """Volume under the ROC surface."""
        return float(self.roc.mean())

    @property
    def range_auc_pr(self) -> float:
        """Range-AUC-PR at the longest buffer."""
        return float(self.pr[-1])

    @property
    def range_auc_roc(self) -> float:
        """Range-AUC-ROC at the longest buffer."""
        return float(self.roc[-1])


def volume(
    score: FloatArray,
    true: tuple[Span, ...],
    longest: int = LONGEST,
    thresholds: int = THRESHOLDS,
) -> Volume:
    """Return the areas for every buffer length from 0 to ``longest``.

    Args:
        score: Shape ``(rows,)``; higher is more anomalous. Where it is NaN nothing was said: such
            rows are the last that any threshold reports.
        true: The anomalies, ascending; those that touch are one.
        longest: Longest buffer, rows.
        thresholds: How many there are at most.

    Raises:
        ValueError: If there is no anomaly, or nothing else.
    """
    rows, spans = len(score), _joined(true, 0)
    positives = sum(stop - start for start, stop in spans)
    if not 0 < positives < rows:
        raise ValueError(f"{positives} of {rows} rows are anomalous; expected some, and not all")
    ranked = np.where(np.isnan(score), -np.inf, score)
    limits = -np.sort(-ranked)[np.linspace(0, rows - 1, thresholds).astype(int)]
    # the first threshold that reports each row; limits descend
    first = np.searchsorted(-limits, -ranked, side="left")
    reported = _from_then_on(np.bincount(first, minlength=thresholds))  # (T,)
    inside = np.zeros(rows, np.bool_)
    for start, stop in spans:
        inside[start:stop] = True
    hits_inside = _from_then_on(np.bincount(first[inside], minlength=thresholds))  # (T,)
    around, labels = _buffers(spans, inside, longest)
    soon = first[around][:, None] <= np.arange(thresholds)  # (B, T)
    hits_around = labels @ soon.astype(np.float64)  # (L, T)
    halves = [_touched(first, spans, half, thresholds) for half in range(longest // 2 + 1)]
    touched = np.repeat(halves, 2, axis=0)[: longest + 1]  # (L, T): lengths 2 h and 2 h + 1
    hits = hits_inside + hits_around
    weight = positives + hits_around / 2
    recall = np.minimum(hits / weight, 1.0) * touched
    precision = hits / reported
    false = (reported - hits) / (rows - weight)
    return Volume(
        (np.diff(recall, axis=1, prepend=0.0) * precision).sum(axis=1),
        _trapezoids(_padded(recall), _padded(false)),
    )


def _from_then_on(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.cumsum(counts).astype(np.float64)


def _trapezoids(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    area: NDArray[np.float64] = (np.diff(x, axis=1) * (y[:, 1:] + y[:, :-1]) / 2).sum(axis=1)
    return area


def _padded(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rates with the curve's two ends; ``(L, T + 2)``."""
    return np.pad(np.pad(rates, ((0, 0), (1, 0))), ((0, 0), (0, 1)), constant_values=1.0)


def _buffers(
    spans: tuple[Span, ...], inside: NDArray[np.bool_], longest: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the rows ``(B,)`` around anomalies, and their labels ``(L, B)`` per buffer length.

    Labels of two anomalies whose buffers meet are added, up to 1.
    """
    rows = len(inside)
    near = np.zeros(rows, np.bool_)
    for start, stop in spans:
        near[max(0, start - longest // 2) : stop + longest // 2] = True
    around = np.flatnonzero(near & ~inside)
    sizes = np.arange(longest + 1)[:, None]  # (L, 1)
    labels = np.zeros((longest + 1, len(around)))
    for start, stop in spans:
        distance = np.where(around < start, start - around, around - (stop - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            faded = np.sqrt(np.clip(1 - distance / sizes, 0.0, None))  # (L, B)
        labels += np.where(distance <= sizes // 2, faded, 0.0)
    return around, np.minimum(labels, 1.0)


def _touched(
    first: NDArray[np.intp], spans: tuple[Span, ...], half: int, thresholds: int
) -> NDArray[np.float64]:
    """Return the share ``(T,)`` of anomalies, with ``half`` rows around, that thresholds touch."""
    apart = _joined(spans, 2 * half - 1)  # buffers that share a row make one
    ranges = [(max(0, start - half), stop + half) for start, stop in apart]
    earliest = np.array([first[start:stop].min() for start, stop in ranges])
    share: NDArray[np.float64] = (earliest[:, None] <= np.arange(thresholds)).mean(axis=0)
    return share


def _joined(spans: tuple[Span, ...], gap: int) -> tuple[Span, ...]:
    """Return the spans with those that at most ``gap`` rows part made one."""
    found: list[Span] = []
    for start, stop in spans:
        if found and start - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return tuple(found)
