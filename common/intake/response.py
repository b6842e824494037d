"""One partition's part of a fetch response: batch by batch, past whatever cannot be read.

Stands in for aiokafka's ``PartitionRecords``, which raises at the first batch it cannot decode, and
is then asked for the same batch for ever.

The checksum of a batch covers neither its offset nor its length, and where it is wrong nothing in
the header can be believed either. So how far a damaged batch reaches is taken from what surrounds
it, and never further than two witnesses agree: the next fetch then begins in front of whatever else
there is, and brings it with the broker's own boundaries.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.structs import ConsumerRecord

from common.errors import RejectReason
from common.intake.batches import CURRENT, HEADER, MAGIC, Batch, Header, Record, read_batch
from common.intake.errors import UnreadableBatchError, damaged
from common.intake.fetched import FetchedRecords, record_bytes
from common.records.letters import MAX_ORIGINAL_BYTES

LEADING: Final = struct.Struct(">qi")
"""Offset and length: the same in all formats."""

MAX_SET_ASIDE: Final = 4
"""Most batches set aside at one go. Each may have cost a fifth of a second to find out about, and
heartbeats wait meanwhile."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A batch nobody can read.

    Attributes:
        first_offset: Where it begins, or where reading began in it.
        last_offset: Where it ends, as far as is known.
        reason: ``damaged_batch``, ``unknown_codec`` or ``batch_too_large``.
        message: What came, what was expected.
        original: Its bytes, at most ``MAX_ORIGINAL_BYTES``.
        size: Its size before cutting, bytes.
        sha256: Digest of all of it.
    """

    first_offset: int
    last_offset: int
    reason: RejectReason
    message: str
    original: bytes
    size: int
    sha256: str


class Body:
    """The bytes of a partition's records; stands in for aiokafka's ``MemoryRecords``."""

    def __init__(self, data: bytes | None) -> None:
        self.data = memoryview(data or b"")

    def has_next(self) -> bool:
        """Whether there is anything, readable or not."""
        return len(self.data) > 0

    def size_in_bytes(self) -> int:
        """Return how much there is."""
        return len(self.data)


@dataclass(slots=True)
class Frame:
    """A stretch that should be a batch.

    Attributes:
        data: Its bytes.
        base: The offset it says it begins with (in the old formats ends with); -1 for none.
        batch: What it is, if it can be told.
        error: Why it cannot be told.
    """

    data: memoryview
    base: int
    batch: Batch | None = None
    error: UnreadableBatchError | None = None

    def look(self) -> Batch | None:
        """Return the batch if its checksum is right."""
        if self.batch is None and self.error is None:
            try:
                self.batch = read_batch(self.data)
            except UnreadableBatchError as exc:
                self.error = exc
        return self.batch


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Yields the records of all batches that can be read; the others are in ``set_aside``.

    Attributes:
        set_aside: What could not be read since it was last emptied.
        highwater: The partition's end when this was fetched; -1 while it is not known.
    """

    next_fetch_offset: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_aside: list[SetAside] = []
        self.highwater = -1
        self._steps = self._walk()

    def take(self, max_records: int, max_bytes: int) -> tuple[FetchedRecords, bool]:
        """Return some records, and whether there may be more; none, too, after much damage."""
        records: list[Record] = []
        size, more = 0, False
        for record in self._steps:
            if record is None:
                if more := len(self.set_aside) >= MAX_SET_ASIDE:
                    break
                continue
            records.append(record)
            size += record_bytes(record)
            if more := len(records) >= max_records or size >= max_bytes:
                break
        return FetchedRecords(records, size, partial(self._consumer_record, self._tp)), more

    def _unpack_records(self) -> Iterator[ConsumerRecord]:
        found = (record for record in self._walk() if record is not None)
        return map(partial(self._consumer_record, self._tp), found)

    def _walk(self) -> Iterator[Record | None]:
        """Yield records, and none after each batch that was set aside."""
        began_at = self.next_fetch_offset
        frames = _frames(self._records.data)
        for number, frame in enumerate(frames):
            if 0 <= self.highwater <= self.next_fetch_offset:
                break  # whatever more there is lies behind the end
            if number and frame.data == frames[number - 1].data:
                continue  # the local broker fills up a response with its last batch
            batch = frame.look()
            if batch is None or (misplaced := self._misplaced(batch, number, frames)):
                error = misplaced if batch else frame.error
                following = frames[number + 1 :]
                goes_on = self._skip_frame(frame, following, error or damaged("it is no batch"))
                yield None
                if not goes_on:
                    break
                continue
            if batch.last_offset < self.next_fetch_offset:
                continue  # the broker sent from further back than it was asked for
            if self._concerns_us(batch):
                yield from self._records_of(frame, batch)
            self.next_fetch_offset = batch.last_offset + 1
        if frames and self.next_fetch_offset == began_at:
            self._set_aside(
                frames[0], began_at, damaged(f"nothing in it is at or behind offset {began_at}")
            )

    def _records_of(self, frame: Frame, batch: Batch) -> Iterator[Record | None]:
        try:
            records = batch.records()
        except UnreadableBatchError as exc:
            self._set_aside(frame, batch.last_offset, exc)
            yield None
            return
        for record in records:
            if record.offset >= self.next_fetch_offset:
                self.next_fetch_offset = record.offset + 1
                yield record

    def _concerns_us(self, batch: Batch) -> bool:
        """Whether the batch holds records, of no aborted transaction if only committed are read."""
        if self._isolation_level == fetcher.READ_COMMITTED:
            self._consume_aborted_up_to(batch.first_offset)
            aborted = self._aborted_producers
            if batch.is_control and batch.producer_id in aborted and batch.ends_aborted():
                aborted.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in aborted:
                return False
        return not batch.is_control

    def _misplaced(
        self, batch: Batch, number: int, frames: Sequence[Frame]
    ) -> UnreadableBatchError | None:
        """Return what is wrong with where a batch says it stands, which no checksum covers."""
        expected, last = self.next_fetch_offset, batch.last_offset
        if (number > 0 and last < expected) or 0 <= self.highwater <= last:
            return damaged(f"it says it ends at {last}, which is not from {expected} to the end")
        if batch.first_offset > expected and number + 1 < len(frames):
            after = frames[number + 1].look()
            if after is not None and expected <= after.first_offset <= last:
                return damaged(f"it says it ends at {last}, and the next begins before that")
        return None

    def _skip_frame(
        self, frame: Frame, following: Sequence[Frame], error: UnreadableBatchError
    ) -> bool:
        """Set a stretch aside that is no batch; return whether what follows can be relied on."""
        expected = self.next_fetch_offset
        sound = [b for f in following if (b := f.look()) and b.last_offset >= expected]
        bound = sound[0].first_offset if sound else self.highwater
        last = max(expected, _claimed_end(frame, expected, bound, known=bool(sound)))
        self._set_aside(frame, last, error)
        if not following:
            return False
        after = following[0]
        return after.base == last + 1 or (bool(sound) and after.batch is sound[0])

    def _set_aside(self, frame: Frame, last: int, error: UnreadableBatchError) -> None:
        first = self.next_fetch_offset
        if first <= frame.base <= last and _is_current(frame.data):
            first = frame.base
        self.set_aside.append(
            SetAside(
                first,
                last,
                error.reason,
                str(error)[:500],
                bytes(frame.data[:MAX_ORIGINAL_BYTES]),
                len(frame.data),
                hashlib.sha256(frame.data).hexdigest(),
            )
        )
        self.next_fetch_offset = last + 1


def _frames(data: memoryview) -> list[Frame]:
    """Cut at the lengths that are stated; what is cut off at the end counts only if it is all."""
    frames: list[Frame] = []
    position = 0
    while position + LEADING.size <= len(data):
        base, length = LEADING.unpack_from(data, position)
        end = position + LEADING.size + length
        if length < 0 or end > len(data):
            break
        frames.append(Frame(data[position:end], base))
        position = end
    if not frames and len(data):
        base = LEADING.unpack_from(data)[0] if len(data) >= LEADING.size else -1
        error = damaged(f"{len(data)} bytes came that are no whole batch")
        frames.append(Frame(data, base, error=error))
    return frames


def _is_current(data: memoryview) -> bool:
    return len(data) >= HEADER.size and data[MAGIC] == CURRENT


def _claimed_end(frame: Frame, expected: int, bound: int, known: bool) -> int:
    """Return the last offset of a frame whose header cannot be believed.

    Args:
        frame: The frame.
        expected: The offset it should begin with.
        bound: The first offset that is certainly not its own; -1 for none.
        known: Whether something readable begins there.
    """
    bounded = bound >= 0
    if not _is_current(frame.data):
        return bound - 1 if known else expected
    header = Header(*HEADER.unpack_from(frame.data))
    if known and header.delta != header.records - 1:
        return bound - 1
    credible = 0 <= header.base < bound if bounded else 0 <= header.base <= expected
    base = header.base if credible else expected
    end = base + max(0, min(header.delta, header.records - 1))
    return min(end, bound - 1) if bounded else end
