"""What the adapters share about writing: one row per identity, and no number that is not one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, TypeAlias

import numpy as np

from common.records.verdict_batch import VerdictBatch, VerdictColumns
from common.records.verdicts import FinalScore, ScoreRecord

RunKey: TypeAlias = tuple[str, str]
"""(asset_id, run_id)."""

RepeatKey: TypeAlias = tuple[str, str, str, int, int, int]
"""(asset_id, run_id, topic, partition, offset, published_ts_ms)."""

FEW: Final = 12
"""Of fewer rows columns cost more than records: numpy takes its time for each call."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to write, without rows that a later row of the same batch replaces.

    Attributes:
        columns: Verdicts on cycles, to be written before the others; each run's cycles ascend, and
            a run is in it once.
        verdicts: Single ones, by run, then by cycle.
        repeats: By where the repeated message stood and when it was published.
        finals: Final scores of these verdicts and of earlier ones.
    """

    verdicts: dict[RunKey, dict[int, ScoreRecord]]
    repeats: dict[RepeatKey, ScoreRecord]
    finals: Sequence[FinalScore] = ()
    columns: Sequence[VerdictColumns] = ()

    @property
    def runs(self) -> list[RunKey]:
        """Whose verdicts and repeats they are, in order; some more than once."""
        repeats = ((record.asset_id, record.run_id) for record in self.repeats.values())
        return [*(run for part in self.columns for run in part.runs), *self.verdicts, *repeats]


def repeat_key(record: ScoreRecord) -> RepeatKey:
    """Return the identity of a repeat.

    The broker's timestamp and the run are part of it because a topic that was deleted and made
    again starts at offset 0 again: another message then, and another row. A redelivery has the
    same timestamp, hence the same row.
    """
    source = record.source
    return (
        record.asset_id,
        record.run_id,
        source.topic,
        source.partition,
        source.offset,
        record.published_ts_ms,
    )


def gather(
    records: Sequence[ScoreRecord], finals: Sequence[FinalScore] = (), few: int = FEW
) -> Batch:
    """Sort records into verdicts and repeats; of two with one identity, the later one stays.

    Columns of which no row replaces another stay columns; of others the rows are taken one by one.

    Args:
        records: Verdicts.
        finals: Final scores of these and of earlier ones.
        few: Columns of fewer rows are taken row by row.

    Raises:
        ValueError: If a score, threshold or share is NaN or infinite: a defect of the caller, and
            stores disagree about what they would do with it.
    """
    columns: list[VerdictColumns] = []
    batch = Batch({}, {}, finals, columns)
    for final in finals:
        if not isfinite(final.score):
            raise ValueError(
                f"{final.asset_id} {final.run_id} cycle {final.cycle}: its final score is not "
                f"finite ({final.score})."
            )
    if not isinstance(records, VerdictBatch):
        _add(batch, records)
        return batch
    known: set[RunKey] = set()
    for part in records.columns:
        on_cycles, repeats = part.split()
        runs = {*part.runs}
        once = len(runs) == len(part.runs) and known.isdisjoint(runs)
        if once and len(part) >= few and _is_plain(on_cycles):
            columns += [on_cycles] if len(on_cycles) else []
            _add(batch, repeats)
        else:
            _add(batch, part.records())
        known |= runs
    _add(batch, records.records)
    return batch


def _add(batch: Batch, records: Iterable[ScoreRecord]) -> None:
    for record in records:
        _check_finite(record)
        if record.status.of_message:
            batch.repeats[repeat_key(record)] = record
        else:
            run = batch.verdicts.setdefault((record.asset_id, record.run_id), {})
            run[record.cycle] = record


def _is_plain(part: VerdictColumns) -> bool:
    """Return whether cycles ascend in each run, and all numbers are numbers."""
    ascends = part.cycles[1:] > part.cycles[:-1]
    ascends[np.cumsum(part.counts[:-1], dtype=np.int64) - 1] = True  # from one run to the next
    return bool(ascends.all()) and part.findings.is_finite


def _check_finite(record: ScoreRecord) -> None:
    total = sum(record.shares.values())  # one check for all: NaN and infinity survive addition
    numbers = (record.score, record.warning_threshold, record.critical_threshold, record.severity)
    for value in (*numbers, *(record.life or ())):
        if value is not None:
            total += value
    if not isfinite(total):
        raise ValueError(
            f"{record.asset_id} {record.run_id} cycle {record.cycle}: a score, threshold or share "
            f"is not finite (score {record.score})."
        )
