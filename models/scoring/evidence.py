"""What is held against an asset at one reading: several kinds of evidence, one severity.

Each kind has a score and a warning threshold of its own; its severity is score over threshold, so
that 1.0 is a warning for every kind, model and machine. The reading's severity is the highest of
them, and the kind that has it is the one that speaks: its channels are named.

* *degradation*: the model's score, many channels a little;
* *channel*: one channel, much;
* *frozen*: a channel that has not moved for longer than it ever does when sound;
* *life*: little is left. It never warns alone: it makes a warning critical. A model that does not
  know how long is left calls a degradation critical by a second threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.records.verdicts import Evidence, Level
from models.scoring.scorer import WARNING_SEVERITY, ScorerSpec, Thresholds, WindowScores
from models.scoring.windows import WindowSet

WARNERS: Final = (Evidence.DEGRADATION, Evidence.CHANNEL, Evidence.FROZEN)
"""The kinds that can warn, in the order in which equals speak."""

LARGEST: Final = 1e12
"""No severity is further from 0, however small a threshold is."""

NEARLY: Final = float(np.nextafter(1.0, 0.0))


@dataclass(frozen=True, slots=True)
class Judged:
    """What is held against an asset at each of ``n`` readings.

    Attributes:
        severities: Shape ``(n,)``; 1.0 and above is a warning.
        critical: Shape ``(n,)``; whether the warning is critical.
        speakers: Shape ``(n,)``; which of :data:`WARNERS` has the highest severity.
        scores: Shape ``(n,)``; the speaker's score.
        thresholds: Shape ``(n,)``; the speaker's warning threshold.
        shares: Shape ``(n, n_channels)``; of the speaker, rows sum to 1.
        directions: Shape ``(n, n_channels)``, int8; +1 above the healthy level, -1 below.
    """

    severities: NDArray[np.float64]
    critical: NDArray[np.bool_]
    speakers: NDArray[np.int64]
    scores: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    shares: NDArray[np.float64]
    directions: NDArray[np.int8]

    def level(self, index: int) -> Level:
        """Return what one reading alone comes to."""
        if self.severities[index] < WARNING_SEVERITY:
            return Level.NONE
        return Level.CRITICAL if self.critical[index] else Level.WARNING

    def ranks(self) -> NDArray[np.int64]:
        """Return the rank of what each reading alone comes to, shape ``(n,)``."""
        return np.where(self.severities < WARNING_SEVERITY, 0, np.where(self.critical, 2, 1))


def severity_of(scores: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Return score over threshold; at least 1 exactly where a score reaches the threshold.

    Where the threshold is not positive a ratio says nothing: then 1 plus the distance above it, in
    units of its size.

    Args:
        scores: Shape ``(n,)``, finite.
        threshold: Finite.

    Example:
        >>> severity_of(np.array([1.0, 2.0, 3.0]), 2.0).tolist()
        [0.5, 1.0, 1.5]
        >>> severity_of(np.array([-3.0, -2.0, 0.0]), -2.0).tolist()
        [0.5, 1.0, 2.0]
    """
    with np.errstate(over="ignore"):
        if threshold > 0:
            # a quotient is rounded correctly: below the threshold it stays below 1
            return np.clip(scores / threshold, -LARGEST, LARGEST)
        severities = 1.0 + (scores - threshold) / (abs(threshold) or 1.0)
    reached = scores >= threshold
    severities = np.where(reached, np.maximum(severities, 1.0), np.minimum(severities, NEARLY))
    return np.clip(severities, -LARGEST, LARGEST)


def severities_of(
    scores: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return :func:`severity_of` where each score has a threshold of its own; both ``(n,)``."""
    if (thresholds > 0).all():
        return np.clip(scores / thresholds, -LARGEST, LARGEST)
    each = zip(scores, thresholds.tolist(), strict=True)
    return np.array([severity_of(np.array([score]), threshold)[0] for score, threshold in each])


def judge(found: WindowScores, unmoved: NDArray[np.int64], spec: ScorerSpec) -> Judged:
    """Weigh all evidence of some windows.

    Args:
        found: What the scorer found.
        unmoved: Shape ``(n, n_channels)``; readings in a row for which each channel has held one
            value (``unmoved.unmoved_runs``).
        spec: The scorer's, with the thresholds that count.
    """
    thresholds = spec.thresholds
    severities = severity_of(found.scores, thresholds.warning)
    heard = _Heard(
        severities,
        np.zeros(len(found), np.int64),
        found.scores.copy(),
        np.full(len(found), thresholds.warning),
        found.shares,
        found.directions,
    )
    if found.channel is not None and thresholds.channel is not None:
        heard = heard.unless(
            WARNERS.index(Evidence.CHANNEL),
            severity_of(found.channel.scores, thresholds.channel),
            found.channel.scores,
            np.full(len(found), thresholds.channel),
            found.channel.shares,
            found.channel.directions,
        )
    heard = _with_frozen(heard, unmoved, spec.frozen_after)
    return Judged(
        heard.severities,
        (heard.severities >= WARNING_SEVERITY) & _beyond_warning(found, thresholds),
        heard.speakers,
        heard.scores,
        heard.thresholds,
        heard.shares,
        heard.directions,
    )


class Weight(NamedTuple):
    """One kind of evidence at one reading, beside the others.

    Attributes:
        kind: Which.
        score: Of that kind; of *life*, steps expected to be left.
        warning: Its warning threshold; none for *life*.
        critical: Its critical threshold; none where it does not decide what is critical.
        severity: Score over warning threshold; none for *life*.
    """

    kind: Evidence
    score: float
    warning: float | None
    critical: float | None
    severity: float | None


def weigh_each(
    found: WindowScores, unmoved: NDArray[np.int64], spec: ScorerSpec, at: Sequence[int]
) -> list[tuple[Weight, ...]]:
    """Return every kind of evidence of some windows, not the loudest alone.

    Args:
        found: What the scorer found.
        unmoved: Shape ``(n, n_channels)``, as :func:`judge` takes it.
        spec: The scorer's, with the thresholds that count.
        at: Which of the windows.
    """
    thresholds, places = spec.thresholds, np.array(at, np.intp)
    critical = None if decided_by_life(found, thresholds) else thresholds.critical
    kinds = [_weights(Evidence.DEGRADATION, found.scores[places], thresholds.warning, critical)]
    if found.channel is not None and thresholds.channel is not None:
        scores = found.channel.scores[places]
        kinds.append(_weights(Evidence.CHANNEL, scores, thresholds.channel))
    after = np.array(spec.frozen_after, np.int64)
    if after.any():
        counted = unmoved[places]  # (m, C)
        worst = np.where(after > 0, counted / np.maximum(after, 1), 0.0).argmax(axis=1)
        rows = counted[np.arange(len(counted)), worst].astype(np.float64)
        limits = after[worst].astype(np.float64)
        kinds.append(
            _weights_of(Evidence.FROZEN, rows, limits.tolist(), severities_of(rows, limits))
        )
    if found.life is not None:
        left = found.life.expected[places].tolist()
        kinds.append([Weight(Evidence.LIFE, each, None, thresholds.life, None) for each in left])
    return list(zip(*kinds, strict=True))


def _weights(
    kind: Evidence, scores: NDArray[np.float64], warning: float, critical: float | None = None
) -> list[Weight]:
    severities = severity_of(scores, warning)
    return _weights_of(kind, scores, [warning] * len(scores), severities, critical)


def _weights_of(
    kind: Evidence,
    scores: NDArray[np.float64],
    warnings: Sequence[float],
    severities: NDArray[np.float64],
    critical: float | None = None,
) -> list[Weight]:
    return [
        Weight(kind, score, warning, critical, severity)
        for score, warning, severity in zip(
            scores.tolist(), warnings, severities.tolist(), strict=True
        )
    ]


def judge_windows(found: WindowScores, windows: WindowSet, spec: ScorerSpec) -> Judged:
    """Weigh all evidence of the windows of a set.

    Args:
        found: What the scorer found of them.
        windows: The set; where nobody counted for how long a channel did not move, all moved.
        spec: The scorer's, with the thresholds that count.
    """
    unmoved = windows.unmoved
    if unmoved is None:
        unmoved = np.ones((len(windows), len(spec.channels)), np.int64)
    return judge(found, unmoved, spec)


def decided_by_life(found: WindowScores, thresholds: Thresholds) -> bool:
    """Return whether what is critical is said by how long is left, and not by the score."""
    return found.life is not None and thresholds.life is not None


def _beyond_warning(found: WindowScores, thresholds: Thresholds) -> NDArray[np.bool_]:
    if found.life is not None and thresholds.life is not None:
        return found.life.expected <= thresholds.life
    return found.scores >= thresholds.critical


@dataclass(frozen=True, slots=True)
class _Heard:
    """The loudest so far at each reading."""

    severities: NDArray[np.float64]
    speakers: NDArray[np.int64]
    scores: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    shares: NDArray[np.float64]
    directions: NDArray[np.int8]

    def unless(
        self,
        speaker: int,
        severities: NDArray[np.float64],
        scores: NDArray[np.float64],
        thresholds: NDArray[np.float64],
        shares: NDArray[np.float64],
        directions: NDArray[np.int8],
    ) -> _Heard:
        """Return what is heard once another has spoken: the louder one, at each reading."""
        louder = severities > self.severities
        if not louder.any():
            return self
        wide = louder[:, None]
        return _Heard(
            np.where(louder, severities, self.severities),
            np.where(louder, speaker, self.speakers),
            np.where(louder, scores, self.scores),
            np.where(louder, thresholds, self.thresholds),
            np.where(wide, shares, self.shares),
            np.where(wide, directions, self.directions),
        )


def _with_frozen(
    heard: _Heard, unmoved: NDArray[np.int64], frozen_after: tuple[int, ...]
) -> _Heard:
    if not frozen_after or not len(unmoved):
        return heard
    after = np.array(frozen_after, np.int64)
    frozen = (unmoved >= after) & (after > 0)
    if not frozen.any():
        return heard
    ratios = np.where(frozen, unmoved / np.maximum(after, 1), 0.0)
    worst = ratios.argmax(axis=1)
    rows = np.arange(len(unmoved))
    severities = ratios[rows, worst]
    counts = frozen.sum(axis=1)
    shares = frozen / np.maximum(counts, 1)[:, None]
    return heard.unless(
        WARNERS.index(Evidence.FROZEN),
        severities,
        unmoved[rows, worst].astype(np.float64),
        after[worst].astype(np.float64),
        shares,
        heard.directions,
    )
