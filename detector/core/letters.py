"""What becomes of a message that cannot be used: a dead letter, and a verdict if it says whose."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from common.errors import InvalidRecordError, RejectReason
from common.records.ids import DEFAULT_FLEET
from common.records.letters import (
    MAX_MESSAGE_CHARS,
    MAX_ORIGINAL_BYTES,
    MAX_ORIGINAL_KEY_BYTES,
    DeadLetter,
)
from common.records.verdicts import ScoreRecord, Verdict
from detector.core.fleet import Fleets
from detector.core.reading.decoding import identify
from detector.core.reading.source import FailedRecord, SourceRecord, UnreadableBatch

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MAX_DETAIL_CHARS: Final = 500
NO_MODEL: Final = "none"
"""In the verdict of a reading that no fleet's model judges."""


def dead_letter(record: SourceRecord, error: InvalidRecordError) -> DeadLetter:
    """Return the dead letter of a record; the same on every redelivery."""
    value = record.value or b""
    return DeadLetter(
        reason=error.reason.value,
        message=_clean(str(error))[:MAX_MESSAGE_CHARS],
        original_key=None if record.key is None else _base64(record.key[:MAX_ORIGINAL_KEY_BYTES]),
        original=_base64(value[:MAX_ORIGINAL_BYTES]),
        original_size=len(value),
        original_sha256=hashlib.sha256(value).hexdigest(),
        topic=record.position.topic,
        partition=record.position.partition,
        offset=record.position.offset,
        received_at=(
            EPOCH + timedelta(milliseconds=record.published_ts_ms)
            if record.published_ts_ms
            else None
        ),
    )


def unreadable_letter(batch: UnreadableBatch) -> DeadLetter:
    """Return the dead letter of a batch of records nobody can read."""
    return DeadLetter(
        reason=batch.reason.value,
        message=_clean(batch.message)[:MAX_MESSAGE_CHARS],
        original_key=None,
        original=_base64(batch.original[:MAX_ORIGINAL_BYTES]),
        original_size=batch.original_size,
        original_sha256=batch.original_sha256,
        topic=batch.position.topic,
        partition=batch.position.partition,
        offset=batch.position.offset,
        last_offset=batch.last_offset,
        received_at=None,
    )


def rejected_verdict(
    record: SourceRecord, error: InvalidRecordError, fleets: Fleets
) -> Sequence[ScoreRecord]:
    """Return the verdict of a message that cannot be used; none if it does not say whose it is."""
    identity = identify(record)
    if identity is None:
        return []
    name = identity.fleet if identity.schema_version > 1 else DEFAULT_FLEET
    fleet = fleets.get(name)
    return [
        ScoreRecord(
            asset_id=identity.asset_id,
            run_id=identity.run_id,
            cycle=identity.cycle,
            ts=identity.ts,
            status=Verdict.REJECTED,
            model=NO_MODEL if fleet is None else fleet.spec.ref.label,
            fleet=name,
            detail=_clean(f"{error.reason.value}: {error}")[:MAX_DETAIL_CHARS],
            source=record.position,
            published_ts_ms=record.published_ts_ms,
        )
    ]


def wrong_partition(asset_id: str, partition: int, home: int) -> InvalidRecordError:
    """Return why a reading on another partition than its asset's own is set aside."""
    return InvalidRecordError(
        RejectReason.WRONG_PARTITION,
        f"{asset_id} comes on partition {partition}, and on {home} already: the order of its "
        "readings is lost. All its producers must use the same partitioner.",
    )


def wrong_fleet(asset_id: str, came: str, own: str) -> InvalidRecordError:
    """Return why a reading that says another fleet than its asset's own is set aside."""
    return InvalidRecordError(
        RejectReason.WRONG_FLEET,
        f"{asset_id} comes as of fleet {came!r}, and is of {own!r} in this run already. Begin a "
        "new run_id to move it, or mend its source.",
    )


def failure(item: FailedRecord) -> InvalidRecordError:
    """Return why a record that nothing is known to be wrong with is set aside."""
    return InvalidRecordError(
        RejectReason.INTERNAL_ERROR,
        f"Processing this record failed, which is a defect of Surgeline: {item.message}",
    )


def _clean(text: str) -> str:
    """Return text that can be written as UTF-8: a key may hold half a character."""
    return text.encode(errors="backslashreplace").decode()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
