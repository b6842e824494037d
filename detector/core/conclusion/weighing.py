"""What the model's scores come to, reading by reading: what is held against an asset, and why.

The weighing itself is the model's (``models.scoring.evidence``), and the batch path asks for the
same; here it is asked once for a whole batch and laid out for whoever steps through the readings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.records.alerts import ChannelShare, RemainingLife, Transition
from common.records.verdict_batch import Findings
from common.records.verdicts import Evidence, Level
from detector.core.assembler import Assembled
from detector.core.conclusion.alerts import Cause, contributions
from detector.core.stuck import stuck_channels, stuck_sentence
from models.alarm import AlarmChange, AlarmPolicy
from models.scoring.evidence import (
    WARNERS,
    Judged,
    Weight,
    decided_by_life,
    judge,
    weigh_each,
)
from models.scoring.scorer import ScorerSpec, WindowScores
from models.scoring.unmoved import unmoved_runs

SHORTEST_LIFE: Final = 0.1
"""Steps; a life expected to be shorter is as bad as this."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A batch's windows, weighed; each is asked for by its place among them.

    Attributes:
        spec: The model's, with the fleet's thresholds.
        found: What the model found.
        judged: What that comes to.
        findings: The same, as verdicts say it.
        severities: ``judged.severities`` as plain numbers.
        critical: ``judged.critical`` likewise.
        any_stuck: Whether any channel has not moved for too long, shape ``(n,)``.
        cycles: The cycle that each window's alarm is of, where that is not its last one; a score
            that becomes final later is of an earlier reading.
        weights: What is said of each window, where scores become final later.
    """

    spec: ScorerSpec
    found: WindowScores
    judged: Judged
    findings: Findings
    severities: list[float]
    critical: list[bool]
    any_stuck: NDArray[np.bool_]
    _unmoved: NDArray[np.int64]
    _stuck: NDArray[np.bool_]
    cycles: Sequence[int] | None = None
    weights: Sequence[Weight] | None = None

    def cycle(self, position: int, cycle: int) -> int:
        """Return the cycle that an alarm is of, at a reading of a cycle."""
        return cycle if self.cycles is None else self.cycles[position]

    def later(self, position: int) -> str:
        """Return what is to be said of a score that became final with this reading."""
        if self.cycles is None:
            return ""
        return f"This is the final score of cycle {self.cycles[position]}."

    def stuck_sentence(self, position: int) -> str:
        """Return what is to be said of sensors that do not move; empty if all do."""
        if not self.any_stuck[position]:
            return ""
        stuck = self._stuck[position]
        names = [self.spec.channels[index] for index in np.flatnonzero(stuck)]
        return stuck_sentence(names, int(self._unmoved[position][stuck].min()))

    def each(self, positions: Sequence[int]) -> list[tuple[Weight, ...]]:
        """Return every kind of evidence of some windows, for those who ask what others said."""
        if self.weights is not None:
            return [(self.weights[position],) for position in positions]
        return weigh_each(self.found, self._unmoved, self.spec, positions)

    def cause(self, position: int, change: AlarmChange, policy: AlarmPolicy) -> Cause:
        """Return what an alert says of why an alarm changed at this reading."""
        judged = self.judged
        evidence = WARNERS[judged.speakers[position]]
        score, threshold = float(judged.scores[position]), float(judged.thresholds[position])
        if change.state is Transition.CLEARED:
            threshold -= policy.deadband * abs(threshold)
        elif change.level is Level.CRITICAL:
            evidence, score, threshold = self._critical(position)
        return Cause(
            evidence,
            self.severities[position],
            score,
            threshold,
            self._channels(position),
            self._life(position, change),
        )

    def _critical(self, position: int) -> tuple[Evidence, float, float]:
        thresholds, life = self.spec.thresholds, self.found.life
        if life is not None and thresholds.life is not None:
            expected = max(float(life.expected[position]), SHORTEST_LIFE)
            return Evidence.LIFE, thresholds.life / expected, 1.0
        return Evidence.DEGRADATION, float(self.found.scores[position]), thresholds.critical

    def _channels(self, position: int) -> tuple[ChannelShare, ...]:
        judged, against = self.judged, self.found.against
        if against is None or WARNERS[judged.speakers[position]] is not Evidence.DEGRADATION:
            against = judged.directions
        return contributions(
            self.spec.channels,
            judged.shares[position],
            judged.directions[position],
            against[position],
        )

    def _life(self, position: int, change: AlarmChange) -> RemainingLife | None:
        life = self.found.life
        if life is None:
            return None
        low, high = life.low, life.high
        if change.state is Transition.RAISED:  # a statement made once in an alarm's life
            low, high = life.at_alarm_low, life.at_alarm_high
        return RemainingLife(
            expected=float(life.expected[position]),
            low=float(low[position]),
            high=float(high[position]),
            at_least=bool(high[position] >= life.cap),
            coverage=life.coverage,
        )


def weigh(
    rows: NDArray[np.float32], ends: NDArray[np.int64], found: WindowScores, spec: ScorerSpec
) -> Weighed:
    """Weigh the windows of a batch.

    Args:
        rows: The rows they are cut from, as measured or held, shape ``(m, width)``.
        ends: At which of them each ends, shape ``(n,)``.
        found: Their scores.
        spec: The model's, with the fleet's thresholds.
    """
    channels = rows[:, len(spec.machine.conditions) :]
    unmoved = unmoved_runs(channels, ends, spec.window_length)
    judged = judge(found, unmoved, spec)
    stuck = stuck_channels(unmoved, spec)
    return Weighed(
        spec,
        found,
        judged,
        _findings(found, judged, spec),
        judged.severities.tolist(),
        judged.critical.tolist(),
        np.any(stuck, axis=1),
        unmoved,
        stuck,
    )


def _findings(found: WindowScores, judged: Judged, spec: ScorerSpec) -> Findings:
    thresholds, life = spec.thresholds, found.life
    return Findings(
        found.scores,
        np.full(len(found), thresholds.warning),
        None if decided_by_life(found, thresholds) else thresholds.critical,
        judged.ranks(),
        [*map(WARNERS.__getitem__, judged.speakers.tolist())],
        judged.severities,
        None if life is None else np.stack([life.expected, life.low, life.high], axis=1),
        spec.channels,
        judged.shares,
    )


def unmoved_of(
    assets: Sequence[tuple[Assembled, slice]], machine: MachineType
) -> NDArray[np.int64]:
    """Return for how long each channel has not moved at the end of some windows.

    Args:
        assets: What their readings came to, and which of the windows are meant.
        machine: What their rows are.

    Returns:
        Readings, shape ``(n, n_channels)``, in the order given.
    """
    conditions, length = len(machine.conditions), machine.window.length
    parts = [
        unmoved_runs(asset.rows[:, conditions:], ends, length)
        for asset, which in assets
        if len(ends := asset.ends[which])
    ]
    if not parts:
        return np.empty((0, len(machine.used)), np.int64)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
