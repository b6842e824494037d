"""Affiliation precision and recall: how near what was reported is to what was true, against chance.

The record is cut into one zone per anomaly, half-way between neighbours. In each zone,

* precision: for a row that was reported, the probability that a row drawn at random from the zone
  is at least as far from the anomaly; 1 inside it; its mean over what was reported there;
* recall: for a row of the anomaly, the probability that a row drawn at random from the zone is at
  least as far from that row as the nearest that was reported; its mean over the anomaly; 0 where
  nothing was reported.

Both are means over zones; a zone where nothing was reported has no precision and is left out of its
mean. Chance gives about .5 in both, so .5 means nothing. Time is continuous: row r is the stretch
from r to r + 1.

References:
    Huet, Navarro, Rossi 2022, doi:10.1145/3534678.3539339; their code, as ``vus`` 0.0.6 holds it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.evaluation.series import Span

Stretch: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Affiliation:
    """Of one series.

    Attributes:
        precision: In [0, 1]; none if nothing was reported.
        recall: In [0, 1].
    """

    precision: float | None
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 if nothing was reported."""
        if not self.precision or not self.recall:
            return 0.0
        return 2 * self.precision * self.recall / (self.precision + self.recall)


def affiliation(found: tuple[Span, ...], true: tuple[Span, ...], rows: int) -> Affiliation:
    """Return how near the found stretches are to the true ones.

    Args:
        found: What was reported, ascending and apart.
        true: The anomalies, likewise.
        rows: Length of the record.

    Raises:
        ValueError: If there is no anomaly.

    Example:
        >>> affiliation(((2, 4),), ((2, 4),), 10)
        Affiliation(precision=1.0, recall=1.0)
        >>> affiliation((), ((2, 4),), 10)
        Affiliation(precision=None, recall=0.0)
    """
    if not true:
        raise ValueError("no anomaly came; expected at least one")
    middles = [(a + b) / 2 for (_, a), (b, _) in itertools.pairwise(true)]
    zones = zip([0.0, *middles], [*middles, float(rows)], strict=True)
    precisions, recalls = [], []
    for zone, anomaly in zip(zones, true, strict=True):
        near = _cut(found, zone)
        recalls.append(_recall(near, anomaly, zone) if near else 0.0)
        if near:
            precisions.append(_precision(near, anomaly, zone))
    return Affiliation(float(np.mean(precisions)) if precisions else None, float(np.mean(recalls)))


def _cut(found: Iterable[Stretch], zone: Stretch) -> list[Stretch]:
    """Return what lies in the zone."""
    pieces = ((max(start, zone[0]), min(stop, zone[1])) for start, stop in found)
    return [(start, stop) for start, stop in pieces if start < stop]


def _integral(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    piece: Stretch,
    corners: NDArray[np.float64],
) -> float:
    """Return the integral over a piece of a function that is straight between its corners."""
    within = corners[(corners > piece[0]) & (corners < piece[1])]
    x = np.concatenate(([piece[0]], np.unique(within), [piece[1]]))
    y = function(x)
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def _precision(near: list[Stretch], anomaly: Span, zone: Stretch) -> float:
    """Return the mean of the chances along what was reported in the zone."""
    (low, high), (start, stop) = zone, anomaly
    before, after = start - low, high - stop

    def chance(x: NDArray[np.float64]) -> NDArray[np.float64]:
        far = np.maximum(np.maximum(start - x, x - stop), 0.0)
        nearer = (stop - start) + np.minimum(far, before) + np.minimum(far, after)
        return 1 - nearer / (high - low)

    # straight between these: where a side of the zone ends, the other goes on
    shorter = min(before, after)
    corners = np.array([start - shorter, stop + shorter], np.float64)
    total = sum(piece_stop - piece_start for piece_start, piece_stop in near)
    inside = sum(b - a for a, b in _cut(near, (start, stop)))
    outside = sum(
        _integral(chance, piece, corners)
        for side in ((low, float(start)), (float(stop), high))
        for piece in _cut(near, side)
    )
    return (inside + outside) / total


def _recall(near: list[Stretch], anomaly: Span, zone: Stretch) -> float:
    """Return the mean of the chances along the anomaly."""
    low, high = zone
    edges = np.array(near).ravel()  # start, stop, start, stop, ... ascending

    def chance(y: NDArray[np.float64]) -> NDArray[np.float64]:
        place = np.searchsorted(edges, y)
        left = y - edges[np.maximum(place - 1, 0)]
        right = edges[np.minimum(place, len(edges) - 1)] - y
        left = np.where(place > 0, left, np.inf)
        gap = np.minimum(left, np.where(place < len(edges), right, np.inf))
        far = np.where(place % 2 == 1, 0.0, gap)  # between a start and its stop
        return 1 - (np.minimum(far, y - low) + np.minimum(far, high - y)) / (high - low)

    # straight between these: ends, middles between ends, and where the zone's own end is as far
    middles = (edges[1:] + edges[:-1]) / 2
    corners = np.concatenate((edges, middles, (edges + low) / 2, (edges + high) / 2))
    start, stop = anomaly
    return _integral(chance, (float(start), float(stop)), corners) / (stop - start)
