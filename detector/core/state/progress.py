"""How far a partition of the readings topic has been applied, and in which life of the topic.

Offsets mean something only within one life: a topic that is deleted and made anew starts at 0
again. So the progress of a partition carries a mark, the last record that was seen, by which a
later look at the topic tells whether it is still the same one.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from detector.core.reading.source import SourceBatch, SourceRecord, Span
from detector.core.state.asset import Fence


@dataclass(frozen=True, slots=True)
class Mark:
    """A record, as far as is needed to know it again.

    Attributes:
        offset: Where it stood.
        published_ts_ms: The broker's timestamp.
        checksum: CRC-32 of key and value.
    """

    offset: int
    published_ts_ms: int
    checksum: int


PARTS: Final = 5
"""Of packed progress: how far, life, mark, unread before, id of the topic."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the stored states of a partition's assets reach.

    Attributes:
        next_offset: The offset after the last one that was applied.
        life: How often the topic has been made anew, as far as was noticed.
        mark: The last record that was seen; none if there was none since a rebuild.
        unread_before: Below this offset, readings behind ``next_offset`` have had no outputs: a new
            life is read from its beginning, while the group's committed offset may still be one of
            the old life.
        topic_id: The broker's id of the topic; empty where it has none.
    """

    next_offset: int
    life: int = 0
    mark: Mark | None = None
    unread_before: int = 0
    topic_id: str = ""

    def pack(self) -> bytes:
        """Return it as one short text, as the store holds and compares it."""
        mark = self.mark
        told = f"{mark.offset}:{mark.published_ts_ms}:{mark.checksum:08x}" if mark else "-"
        topic_id = self.topic_id or "-"
        return f"{self.next_offset} {self.life} {told} {self.unread_before} {topic_id}".encode()

    @property
    def catching_up(self) -> bool:
        """Whether readings behind ``next_offset`` must be given their outputs."""
        return self.next_offset < self.unread_before


def unpack_progress(value: bytes) -> Progress:
    """Return the progress a value holds.

    Raises:
        ValueError: If it was not written by this program.

    Example:
        >>> unpack_progress(Progress(7, 1, Mark(6, 1_767_225_600_000, 255), 40, "id-1").pack())
        Progress(next_offset=7, life=1, mark=Mark(offset=6, published_ts_ms=1767225600000, \
checksum=255), unread_before=40, topic_id='id-1')
    """
    parts = value.decode("ascii").split(" ")
    if len(parts) != PARTS:
        raise ValueError(f"{PARTS} parts are expected, {len(parts)} came")
    reached, life, told, unread_before, topic_id = parts
    if not topic_id:
        raise ValueError("a topic's id is expected")
    mark = None
    if told != "-":
        offset, published_ts_ms, checksum = told.split(":")
        mark = Mark(_natural(offset), _natural(published_ts_ms), int(checksum, 16))
    known_id = "" if topic_id == "-" else topic_id
    found = Progress(_natural(reached), _natural(life), mark, _natural(unread_before), known_id)
    if found.pack() != value:  # the store compares bytes: it could never be replaced
        raise ValueError("progress is expected as this program writes it")
    return found


def mark_of(record: SourceRecord) -> Mark:
    """Return the mark of a record."""
    checksum = zlib.crc32(record.value or b"", zlib.crc32(record.key or b""))
    return Mark(record.position.offset, record.published_ts_ms, checksum)


def behind(spans: Mapping[int, Span], progress: Mapping[int, Progress]) -> list[int]:
    """Return the partitions whose stored states do not reach up to a batch."""
    return [
        partition
        for partition, span in spans.items()
        if (progress[partition].next_offset if partition in progress else 0) < span.begin
    ]


@dataclass(frozen=True, slots=True)
class NextProgress:
    """Progress to write, if the stored one is still the one it was made from.

    Attributes:
        progress: What to write.
        expected: What must be stored now; none for nothing.
        ledger: What the partition's ledger says from now on of some assets, by (asset, run)
            (:mod:`detector.core.ledger`); none to say nothing of one.
    """

    progress: Progress
    expected: Progress | None
    ledger: Mapping[tuple[str, str], Fence | None] = field(default_factory=dict)


def next_progress(source: SourceBatch, progress: Mapping[int, Progress]) -> dict[int, NextProgress]:
    """Return how far each partition reaches after a batch; a redelivery never takes it back.

    Args:
        source: The batch.
        progress: What is stored.
    """
    last = source.columns.last_of_each()
    found: dict[int, NextProgress] = {}
    for partition, span in source.spans.items():
        before = progress.get(partition)
        known = before or Progress(0)
        after = known
        if span.end > known.next_offset:
            record = last.get(partition)
            mark = known.mark if record is None else mark_of(record)
            unread_before = known.unread_before if span.end < known.unread_before else 0
            topic_id = known.topic_id or source.topic_id
            after = Progress(span.end, known.life, mark, unread_before, topic_id)
        found[partition] = NextProgress(after, before)
    return found


def _natural(text: str) -> int:
    number = int(text)
    if number < 0 or str(number) != text:
        raise ValueError(f"a natural number is expected, not {text!r}")
    return number
