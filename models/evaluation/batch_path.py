"""The batch path: whole records to scores, through the same scorer as the live detector.

Parity tests compare the live scores with these. Both ask the same :class:`WindowScorer` and round
measured values by the same function, so they can differ only in how windows are put together: here
whole stretches are cut at once, and nothing of the live assembler is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from common.alarm_defaults import BRIDGE_CYCLES
from common.cmapss.reader import EngineSeries
from common.machines.machine import MachineType
from common.machines.rows import as_rows, split_rows
from common.machines.turbofan import SENSOR_NAMES
from models.scoring.evidence import Judged, judge
from models.scoring.history import NO_HISTORY, Trail, follow
from models.scoring.life import Life
from models.scoring.scorer import NormalisedRows, ScorerSpec, WindowScorer
from models.scoring.unmoved import unmoved_runs
from models.scoring.windows import complete_window_ends, sliding_windows

BRIDGE: Final = BRIDGE_CYCLES
"""Missing cycles that a window may span: the live detector's default."""


class RowNormaliser(Protocol):
    """Puts readings on the model's scale: a scorer, or a bare regime table."""

    def normalise(
        self, conditions: NDArray[np.float64], channels: NDArray[np.float64]
    ) -> NormalisedRows:
        """See :meth:`models.scoring.scorer.WindowScorer.normalise`."""


@dataclass(frozen=True, slots=True)
class RecordScores:
    """Scores of one asset's record, one for each cycle that completes a window.

    Attributes:
        cycles: Shape ``(m,)``; ascending.
        scores: Shape ``(m,)``; higher is more anomalous.
        shares: Shape ``(m, n_channels)``; of whatever speaks loudest (``judged``); rows sum to 1.
        directions: Shape ``(m, n_channels)``; +1 above the healthy level, -1 below.
        judged: What is held against the asset, and how much.
        life: How long is left, if the model knows.
    """

    cycles: NDArray[np.int64]
    scores: NDArray[np.float64]
    shares: NDArray[np.float64]
    directions: NDArray[np.int8]
    judged: Judged
    life: Life | None = None


@dataclass(frozen=True, slots=True)
class RecordWindows:
    """The complete windows of one record.

    Attributes:
        begins: Shape ``(m,)``; the row each begins at.
        ends: Shape ``(m,)``; the row each ends at.
        windows: Shape ``(m, window_length, n_channels)``, on the model's scale.
        unmoved: Shape ``(m, n_channels)``; readings in a row, up to the window's end and within it,
            for which each channel held one value.
        trail: What is remembered of the record at each window (``models.scoring.history``).
    """

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    windows: NDArray[np.float32]
    unmoved: NDArray[np.int64]
    trail: Trail


def engine_values(machine: MachineType, series: EngineSeries) -> NDArray[np.float64]:
    """Return what an engine's record holds of a machine type's values, shape ``(n, width)``."""
    columns = [SENSOR_NAMES.index(name) for name in machine.channel_names]
    return np.concatenate([series.settings, series.sensors[:, columns]], axis=1)


def engine_rows(machine: MachineType, series: EngineSeries) -> NDArray[np.float32]:
    """Return an engine's record as rows, shape ``(n, width)``."""
    return as_rows(engine_values(machine, series))


def record_windows(
    normaliser: RowNormaliser,
    machine: MachineType,
    cycles: NDArray[np.int64],
    rows: NDArray[np.float32],
    bridge_cycles: int = BRIDGE,
) -> RecordWindows:
    """Return the complete windows of one record.

    A window that holds a row of an unknown regime, or that spans a longer gap than may be bridged,
    is left out. A value that is missing is the one before, for as long as its channel may be held
    and the machine is run alike; a row in which one is missing otherwise counts as not there.

    Args:
        normaliser: Puts rows on the model's scale.
        machine: What the rows are.
        cycles: Shape ``(n,)``; in the order they came: one that is not above all before it that
            count, does not count.
        rows: Shape ``(n, width)``; NaN where nothing was measured.
        bridge_cycles: Longest gap a window may span, missing cycles.
    """
    length = machine.window.length
    kept, filled = counting_rows(machine, cycles, rows)
    normalised = normaliser.normalise(*split_rows(filled, len(machine.conditions)))
    ends = complete_window_ends(normalised.known, length)
    stretches = np.cumsum(np.diff(cycles[kept], prepend=cycles[kept][:1]) > bridge_cycles + 1)
    ends = ends[stretches[ends] == stretches[ends - (length - 1)]]
    windows = sliding_windows(normalised.rows, length)
    if len(ends) < len(windows):
        windows = windows[ends - (length - 1)]
    unmoved = unmoved_runs(filled[:, len(machine.conditions) :], ends, length)
    trail, _ = follow(NO_HISTORY, windows, cycles[kept[ends]])
    return RecordWindows(kept[ends - (length - 1)], kept[ends], windows, unmoved, trail)


def counting_rows(
    machine: MachineType, cycles: NDArray[np.int64], rows: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return which rows count, and these with earlier values where something is missing."""
    blank = np.isnan(rows)
    if not blank.any():
        highest_before = np.maximum.accumulate(np.concatenate(([0], cycles)))[:-1]
        rising = np.flatnonzero(cycles > highest_before)
        return rising, rows[rising]
    conditions = len(machine.conditions)
    tolerances = np.array([each.tolerance for each in machine.conditions], np.float32)
    longest = np.concatenate([np.zeros(conditions), [channel.max_hold for channel in machine.used]])
    filled = rows.copy()
    measured_at = np.full(rows.shape[1], -np.inf)  # the cycle each value held is of
    kept: list[int] = []
    for index, cycle in enumerate(cycles.tolist()):
        if kept and cycle <= cycles[kept[-1]]:
            continue
        here = blank[index]
        if here.any():
            if (cycle - measured_at > longest)[here].any():
                continue
            moved = np.abs(rows[index, :conditions] - rows[kept[-1], :conditions])
            if (moved > tolerances).any():  # what was measured is of another way to run it
                continue
            filled[index, here] = filled[kept[-1], here]
        measured_at[~here] = cycle
        kept.append(index)
    which = np.array(kept, np.int64)
    return which, filled[which]


def score_record(
    scorer: WindowScorer,
    cycles: NDArray[np.int64],
    rows: NDArray[np.float32],
    bridge_cycles: int = BRIDGE,
    spec: ScorerSpec | None = None,
) -> RecordScores:
    """Score every cycle of one record that completes a window.

    Args:
        scorer: The model.
        cycles: Shape ``(n,)``; in the order they came.
        rows: Shape ``(n, width)``; NaN where nothing was measured.
        bridge_cycles: Longest gap a window may span, missing cycles.
        spec: With the thresholds that count; none for the scorer's own.
    """
    laid = record_windows(scorer, scorer.spec.machine, cycles, rows, bridge_cycles)
    found = scorer.score(laid.windows, laid.trail)
    judged = judge(found, laid.unmoved, spec or scorer.spec)
    return RecordScores(
        cycles[laid.ends], found.scores, judged.shares, judged.directions, judged, found.life
    )


def score_engine(scorer: WindowScorer, series: EngineSeries) -> RecordScores:
    """Score every cycle of one engine that completes a window of known rows."""
    return score_record(scorer, series.cycles, engine_rows(scorer.spec.machine, series))
