"""Counts what would become of a recording in the detector's own core (``course.py``).

No model is asked: the normaliser knows every row. With a model, conditions it has never seen would
be left out, too.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.readers.recording_file import AssetCounts, RecordingFile
from common.recording import AssetRecord
from detector.core.policy import InputPolicy
from detector.tools.check.course import take_through
from detector.tools.check.report import AssetTally, ChannelTally, CheckReport, Outcome
from detector.tools.topic import Progress, silent
from models.scoring.scorer import NormalisedRows


class KnowsEveryRow:
    """Stands in for a model's normaliser; its windows hold nothing."""

    def normalise(
        self, conditions: NDArray[np.float64], _channels: NDArray[np.float64]
    ) -> NormalisedRows:
        """Return rows without channels, each of them known."""
        rows = len(conditions)
        return NormalisedRows(np.empty((rows, 0), np.float32), np.ones(rows, bool))


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
    blank = np.isnan(record.values(machine)[:, len(machine.conditions) :])
    course = take_through(record, machine, KnowsEveryRow(), policy)
    outcomes = Counter(course.outcomes)
    outcomes += Counter(
        {
            Outcome.SAME_TICK: counts.same_tick,
            Outcome.OFF_TICK: counts.off_tick,
            Outcome.WITHOUT_TIME: counts.without_time,
        }
    )
    held = blank[course.used]
    lost = blank[[each is Outcome.BLANK_TOO_LONG for each in course.outcomes]]
    return AssetTally(
        record.asset_id,
        outcomes,
        int(np.count_nonzero(held.any(axis=1))),
        _by_channel(machine, blank, held, lost, course.beyond),
    )


def _by_channel(
    machine: MachineType,
    blank: NDArray[np.bool_],
    held: NDArray[np.bool_],
    lost: NDArray[np.bool_],
    beyond: NDArray[np.bool_],
) -> dict[str, ChannelTally]:
    columns = (each.sum(axis=0).tolist() for each in (blank, held, lost, beyond))
    return {
        name: ChannelTally(*counts)
        for name, *counts in zip(machine.channel_names, *columns, strict=True)
    }
