"""Takes a recording through the detector's own core, and counts what would become of it.

No model is asked: rows are laid out and windows are cut as live, with a normaliser that knows every
row. With a model, conditions it has never seen would be left out, too.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.machines.rows import as_rows
from common.readers.recording_file import AssetCounts, RecordingFile
from common.recording import AssetRecord
from common.records import Verdict
from detector.core.assembler import NO_ROW, Readings, assemble, lay_out
from detector.core.policy import InputPolicy
from detector.core.state import AssetState, Fence
from detector.tools.check.refusals import Refusals, find_refusals
from detector.tools.check.report import AssetTally, ChannelTally, CheckReport, Outcome
from detector.tools.topic import Progress, silent
from models.scoring.scorer import NormalisedRows

OUTCOMES: Final = {
    Verdict.SCORED: Outcome.SCORED,
    Verdict.WARMING_UP: Outcome.WARMING_UP,
    Verdict.GAP: Outcome.GAP,
    Verdict.LATE: Outcome.REPEATED,
    Verdict.DUPLICATE: Outcome.REPEATED,
}
"""A normaliser that knows every row leaves no ``unknown_regime``."""

NO_MODEL: Final = bytes(16)


def check_recording(
    file: RecordingFile, policy: InputPolicy, progress: Progress = silent
) -> CheckReport:
    """Count what would become of each reading.

    Args:
        file: The recording, and what was left out while it was read.
        policy: Which gaps a window may span.
        progress: Told how far it is.
    """
    recording = file.recording
    assets: list[AssetTally] = []
    for record, counts in zip(recording.assets, file.counts, strict=True):
        assets.append(_tally(record, counts, recording.machine, policy))
        progress("checking assets", len(assets), len(recording.assets))
    return CheckReport(
        recording.name,
        recording.machine.name,
        recording.machine.window.length,
        tuple(assets),
        file.remarks,
        file.without_asset,
    )


def _tally(
    record: AssetRecord, counts: AssetCounts, machine: MachineType, policy: InputPolicy
) -> AssetTally:
    values = record.values(machine)
    blank = np.isnan(values[:, len(machine.conditions) :])
    refusals = find_refusals(record.cycles, values, machine)
    usable = np.flatnonzero(refusals.usable)
    course = lay_out(_nothing_known(machine), _readings(record, values, usable), machine, policy)
    everything_known = NormalisedRows(
        np.empty((len(course.rows), 0), np.float32), np.ones(len(course.rows), bool)
    )
    assembled = assemble(course, everything_known, machine.window.length)
    outcomes = Counter(OUTCOMES[verdict] for verdict in assembled.verdicts)
    outcomes += Counter(
        {
            Outcome.BLANK_TOO_LONG: len(course.refused),
            Outcome.NO_CYCLE: int(refusals.no_cycle.sum()),
            Outcome.NO_CONDITION: int(refusals.no_condition.sum()),
            Outcome.NOTHING_MEASURED: int(refusals.nothing_measured.sum()),
            Outcome.OUT_OF_RANGE: int(refusals.out_of_range.sum()),
            Outcome.SAME_TICK: counts.same_tick,
            Outcome.OFF_TICK: counts.off_tick,
            Outcome.WITHOUT_TIME: counts.without_time,
        }
    )
    taken = zip(course.taken, course.steps, strict=True)
    used = usable[[index for index, step in taken if step.row != NO_ROW]]
    lost = usable[[refusal.at for refusal in course.refused]]
    held = blank[used]
    return AssetTally(
        record.asset_id,
        outcomes,
        int(np.count_nonzero(held.any(axis=1))),
        _by_channel(machine, blank, held, blank[lost], refusals),
    )


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
    rows = as_rows(values[usable])
    return Readings(usable.astype(np.int64), record.cycles[usable], clock_us[usable], rows)


def _by_channel(
    machine: MachineType,
    blank: NDArray[np.bool_],
    held: NDArray[np.bool_],
    lost: NDArray[np.bool_],
    refusals: Refusals,
) -> dict[str, ChannelTally]:
    columns = (each.sum(axis=0).tolist() for each in (blank, held, lost, refusals.beyond))
    return {
        name: ChannelTally(*counts)
        for name, *counts in zip(machine.channel_names, *columns, strict=True)
    }
