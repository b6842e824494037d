"""What the adapters share about writing: one row per identity, and no number that is not one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TypeAlias

from common.records.verdicts import FinalScore, ScoreRecord

RunKey: TypeAlias = tuple[str, str]
"""(asset_id, run_id)."""

RepeatKey: TypeAlias = tuple[str, str, str, int, int, int]
"""(asset_id, run_id, topic, partition, offset, published_ts_ms)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to write, without rows that a later row of the same batch replaces.

    Attributes:
        verdicts: By run, then by cycle.
        repeats: By where the repeated message stood and when it was published.
        finals: Final scores of these verdicts and of earlier ones.
    """

    verdicts: dict[RunKey, dict[int, ScoreRecord]]
    repeats: dict[RepeatKey, ScoreRecord]
    finals: Sequence[FinalScore] = ()


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


def gather(records: Sequence[ScoreRecord], finals: Sequence[FinalScore] = ()) -> Batch:
    """Sort records into verdicts and repeats; of two with one identity, the later one stays.

    Raises:
        ValueError: If a score, threshold or share is NaN or infinite: a defect of the caller, and
            stores disagree about what they would do with it.
    """
    batch = Batch({}, {}, finals)
    for final in finals:
        if not isfinite(final.score):
            raise ValueError(
                f"{final.asset_id} {final.run_id} cycle {final.cycle}: its final score is not "
                f"finite ({final.score})."
            )
    for record in records:
        _check_finite(record)
        if record.status.of_message:
            batch.repeats[repeat_key(record)] = record
        else:
            run = batch.verdicts.setdefault((record.asset_id, record.run_id), {})
            run[record.cycle] = record
    return batch


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
