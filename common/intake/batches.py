"""One batch of records: its header, its checksum, its records.

A batch is checked as a whole before its first record is used, so it is readable or it is not, also
when it is read again from its middle. Of a batch of very many, records are then decoded once more,
one by one as they are taken: 64 MiB of tiny records would be gigabytes of objects.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import inf
from typing import Final, NamedTuple, Protocol

import msgspec
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import calc_crc32c, decode_varint

from common.errors import RejectReason
from common.intake import legacy
from common.intake.codecs import MAX_DECOMPRESSED_BYTES, decompress
from common.intake.errors import UnreadableBatchError, damaged
from common.intake.plain import PlainRecord


class Header(NamedTuple):
    """The header of a batch of format 2.

    Attributes:
        base: Its first offset.
        length: Bytes behind this field.
        leader_epoch: Of the partition.
        magic: Number of the format.
        checksum: CRC-32C of everything behind it: not of the fields above.
        attributes: Codec, kind of stamps, transactional, control.
        delta: From the first offset to the last.
        first_stamp: Of the first record, UTC epoch milliseconds.
        largest_stamp: The largest one.
        producer_id: -1 for none.
        producer_epoch: -1 for none.
        sequence: -1 for none.
        records: Records in it; compaction leaves fewer than offsets.
    """

    base: int
    length: int
    leader_epoch: int
    magic: int
    checksum: int
    attributes: int
    delta: int
    first_stamp: int
    largest_stamp: int
    producer_id: int
    producer_epoch: int
    sequence: int
    records: int


HEADER: Final = struct.Struct(">qiibIhiqqqhii")
CURRENT: Final = 2
MAGIC: Final = 16
"""Where the number of the format stands, in each of them."""

AFTER_CHECKSUM: Final = 21

MAX_BATCH_RECORDS: Final = 1_000_000
"""Checking that many takes a second. No batch of readings comes near: each needs 300 bytes."""

MAX_AT_ONCE: Final = 10_000
"""Records of one batch that are in memory together; of more, only what was taken is."""

CODEC_BITS: Final = 0x07
LOG_APPEND_BIT: Final = 0x08
TRANSACTIONAL_BIT: Final = 0x10
CONTROL_BIT: Final = 0x20
ABORT: Final = 0
"""Of control records: 0 ends a transaction that is aborted, 1 one that is committed."""


class Record(Protocol):
    """A record, as aiokafka's decoders and ours give it."""

    @property
    def offset(self) -> int:
        """Its offset."""

    @property
    def timestamp(self) -> int | None:
        """Its stamp; none where the format has none."""

    @property
    def key(self) -> bytes | None:
        """Its key."""

    @property
    def value(self) -> bytes | None:
        """Its value."""


Decode = Callable[[], Iterable[Record]]
"""Yields a batch's records from the first; may raise anything on foreign bytes."""


class Batch(msgspec.Struct, frozen=True):
    """A batch whose checksum is right.

    Attributes:
        first_offset: Its first offset; of a compressed batch of the old formats its last one.
        last_offset: Its last offset, also when compaction has removed that record.
        producer_id: Of a transactional or idempotent producer; -1 for none.
        is_transactional: Whether it is part of a transaction.
        is_control: Whether it holds a transaction's end instead of records.
        most: Records in it at most; of a compressed batch of the old formats nobody knows.
        open: Decompresses; returns the ways to decode it, the fastest first.
    """

    first_offset: int
    last_offset: int
    producer_id: int
    is_transactional: bool
    is_control: bool
    most: float
    open: Callable[[], Sequence[Decode]]

    def records(self) -> Iterator[Record]:
        """Check all of it, then return its records; of very many, decoded as they are taken.

        Raises:
            UnreadableBatchError: If it cannot be decoded.
        """
        why: Exception | None = None
        try:
            for decode in self.open():
                try:
                    return self._checked(decode)
                except Exception as exc:  # noqa: BLE001 - whatever a decoder makes of foreign bytes
                    why = exc
        except UnreadableBatchError:
            raise
        except Exception as exc:  # noqa: BLE001 - as above
            why = exc
        if isinstance(why, UnreadableBatchError):
            raise why
        raise damaged(f"its records cannot be decoded: {why!r}") from why

    def ends_aborted(self) -> bool:
        """Whether this control batch ends a transaction that is aborted."""
        try:
            key = next(self.records()).key or b""
            return bool(struct.unpack_from(">hh", key)[1] == ABORT)
        except (UnreadableBatchError, StopIteration, struct.error):
            return False  # an end of no known kind; nobody's records are in it

    def _checked(self, decode: Decode) -> Iterator[Record]:
        if self.most > MAX_AT_ONCE:
            self._check(decode())
            return iter(decode())
        records = [*decode()]
        self._check(records)
        return iter(records)

    def _check(self, records: Iterable[Record]) -> None:
        previous = -1
        for record in records:
            if not previous < record.offset <= self.last_offset:
                raise damaged(
                    f"a record at offset {record.offset} behind one at {previous}, in a batch that "
                    f"ends at {self.last_offset}"
                )
            previous = record.offset


def read_batch(data: memoryview) -> Batch:
    """Return a batch, its checksum checked, nothing of it decoded yet.

    Args:
        data: Its bytes, as long as its header says.

    Raises:
        UnreadableBatchError: If it is too short, of an unknown format, or its checksum is wrong.
    """
    magic = data[MAGIC] if len(data) > MAGIC else -1
    if magic in (0, 1) and len(data) >= legacy.HEADER.size:
        offset, ways = legacy.read_message(data, magic)
        return Batch(offset, offset, -1, False, False, inf, ways)
    if magic == CURRENT and len(data) >= HEADER.size:
        return _current(data)
    raise damaged(f"{len(data)} bytes of format {magic}; formats are 0, 1 and 2")


def _current(data: memoryview) -> Batch:
    header = Header._make(HEADER.unpack_from(data))
    found = calc_crc32c(data[AFTER_CHECKSUM:])
    if found != header.checksum:
        raise damaged(f"its checksum is {found:08x}; its header says {header.checksum:08x}")
    if header.base < 0 or header.delta < 0 or header.records < 0:
        raise damaged(
            f"{header.records} records from {header.base} over {header.delta} more offsets"
        )
    return Batch(
        header.base,
        header.base + header.delta,
        header.producer_id,
        bool(header.attributes & TRANSACTIONAL_BIT),
        bool(header.attributes & CONTROL_BIT),
        header.records,
        partial(_open, data, header),
    )


def _open(data: memoryview, header: Header) -> Sequence[Decode]:
    if header.records > MAX_BATCH_RECORDS:
        raise UnreadableBatchError(
            RejectReason.BATCH_TOO_LARGE,
            f"{header.records:,} records in one batch; at most {MAX_BATCH_RECORDS:,} are read",
        )
    if codec := header.attributes & CODEC_BITS:
        plain = header._replace(attributes=header.attributes & ~CODEC_BITS)
        data = decompress(codec, data[HEADER.size :], HEADER.pack(*plain), MAX_DECOMPRESSED_BYTES)
    return [partial(DefaultRecordBatch, data), partial(_without_headers, data, header)]


def _without_headers(data: memoryview, header: Header) -> Iterator[Record]:
    """Yield records without their headers, which nobody here reads and which may be at fault.

    Each field is checked against the end of its record.
    """
    buffer = bytearray(data)  # what aiokafka's number decoder takes
    by_broker = bool(header.attributes & LOG_APPEND_BIT)
    position = HEADER.size
    for _ in range(header.records):
        size, position = decode_varint(buffer, position)
        end = position + size
        if not position < end <= len(buffer):
            raise damaged(f"a record of {size} bytes where {len(buffer) - position} are left")
        stamp_delta, position = decode_varint(buffer, position + 1)  # one byte of attributes
        offset_delta, position = decode_varint(buffer, position)
        key, position = _field(buffer, position, end)
        value, _ = _field(buffer, position, end)
        stamp = header.largest_stamp if by_broker else header.first_stamp + stamp_delta
        yield PlainRecord(header.base + offset_delta, stamp, int(by_broker), key, value)
        position = end
    if position != len(buffer):
        raise damaged(f"{len(buffer) - position} bytes behind its {header.records} records")


def _field(buffer: bytearray, position: int, end: int) -> tuple[bytes | None, int]:
    size, position = decode_varint(buffer, position)
    if size < 0:
        return None, position
    if position + size > end:
        raise damaged(f"a field of {size} bytes where {end - position} are left")
    return bytes(buffer[position : position + size]), position + size
