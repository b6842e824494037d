"""Takes one asset's record through the detector's own core: what became of each reading.

Readings are refused, rows laid out and windows cut as live, whatever puts them on a scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.machines.rows import as_rows, split_rows
from common.recording import AssetRecord
from common.records.verdicts import Verdict
from detector.core.assembler import NO_ROW, assemble, lay_out
from detector.core.conclusion.weighing import unmoved_of
from detector.core.policy import InputPolicy
from detector.core.reading.columns import Readings
from detector.core.state.asset import AssetState, Fence
from detector.tools.check.refusals import Refusals, find_refusals
from detector.tools.check.report import Outcome
from models.scoring.history import Trail
from models.scoring.scorer import NormalisedRows

OUTCOMES: Final = {
    Verdict.SCORED: Outcome.SCORED,
    Verdict.WARMING_UP: Outcome.WARMING_UP,
    Verdict.GAP: Outcome.GAP,
    Verdict.LATE: Outcome.REPEATED,
    Verdict.DUPLICATE: Outcome.REPEATED,
    Verdict.UNKNOWN_REGIME: Outcome.UNKNOWN_REGIME,
}
NO_MODEL: Final = bytes(16)


class Normaliser(Protocol):
    """Puts readings on a model's scale: a scorer, or what stands in for one."""

    def normalise(
        self, conditions: NDArray[np.float64], channels: NDArray[np.float64], /
    ) -> NormalisedRows:
        """See :meth:`models.scoring.scorer.WindowScorer.normalise`."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What became of one asset's readings.

    Attributes:
        outcomes: Of each reading, shape ``(n,)``.
        windows: One for each ``scored`` reading, in order, on the normaliser's scale; shape
            ``(m, window_length, n_channels)``.
        unmoved: For how many readings each channel has not moved at the end of each window, shape
            ``(m, n_channels)``, int64.
        trail: What is remembered of the record at each window (``models.scoring.history``).
        scored: Which readings these are, shape ``(m,)``, int64.
        used: Which readings have a row in a window or may come to have one, int64, ascending.
        beyond: Which channels are not plausible, shape ``(n, n_channels)``.
    """

    outcomes: list[Outcome]
    windows: NDArray[np.float32]
    unmoved: NDArray[np.int64]
    trail: Trail
    scored: NDArray[np.int64]
    used: NDArray[np.int64]
    beyond: NDArray[np.bool_]


def take_through(
    record: AssetRecord, machine: MachineType, normaliser: Normaliser, policy: InputPolicy
) -> Course:
    """Return what becomes of each reading of a record, as live.

    Args:
        record: One asset's readings.
        machine: What they are, and how long a window is.
        normaliser: Puts them on a scale, and knows which conditions were learned.
        policy: Which gaps a window may span.
    """
    values = record.values(machine)
    refusals = find_refusals(record.cycles, values, machine)
    usable = np.flatnonzero(refusals.usable)
    laid = lay_out(_nothing_known(machine), _readings(record, values, usable), machine, policy)
    normalised = normaliser.normalise(*split_rows(laid.rows, len(machine.conditions)))
    assembled = assemble(laid, normalised, machine.window.length, follows=True)
    outcomes = _refused(refusals)
    for refusal in laid.refused:
        outcomes[usable[refusal.at]] = Outcome.BLANK_TOO_LONG
    for index, verdict in zip(laid.taken, assembled.verdicts, strict=True):
        outcomes[usable[index]] = OUTCOMES[verdict]
    taken = zip(laid.taken, laid.steps, strict=True)
    used = usable[[index for index, step in taken if step.row != NO_ROW]]
    # a row is numbered as the used readings are: nothing was remembered before the first
    unmoved = unmoved_of([(assembled, slice(None))], machine)
    return Course(
        outcomes,
        assembled.windows,
        unmoved,
        assembled.trail,
        used[assembled.ends],
        used,
        refusals.beyond,
    )


def _refused(refusals: Refusals) -> list[Outcome]:
    """Return the outcome of readings that decoding refuses; of others, one to be replaced."""
    outcomes = [Outcome.SCORED] * len(refusals.usable)
    for which, outcome in (
        (refusals.no_cycle, Outcome.NO_CYCLE),
        (refusals.no_condition, Outcome.NO_CONDITION),
        (refusals.nothing_measured, Outcome.NOTHING_MEASURED),
        (refusals.out_of_range, Outcome.OUT_OF_RANGE),
    ):
        for index in np.flatnonzero(which).tolist():
            outcomes[index] = outcome
    return outcomes


def _nothing_known(machine: MachineType) -> AssetState:
    ring = np.empty((0, machine.row_width), np.float32)
    return AssetState(machine.digest, NO_MODEL, ring, fence=Fence(0))


def _readings(
    record: AssetRecord, values: NDArray[np.float64], usable: NDArray[np.int64]
) -> Readings:
    """Return the readings that decoding lets pass, as if they stood on a topic of their own."""
    clock_us = np.arange(len(record), dtype=np.int64)
    if record.clock_us is not None:
        clock_us = record.clock_us
    stamps = np.column_stack([record.cycles, clock_us])[usable]
    return Readings(usable.astype(np.int64), stamps, stamps[:, 1], as_rows(values[usable]))
