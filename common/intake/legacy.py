"""Batches of Kafka's formats 0 and 1, which an old topic may still hold.

One message is one batch. A compressed one holds other messages in its value, and its offset is that
of the last of them. aiokafka reads these too, but decompresses without bound.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from common.intake.codecs import MAX_DECOMPRESSED_BYTES, decompress
from common.intake.errors import damaged
from common.intake.plain import PlainRecord

HEADER: Final = struct.Struct(">qiIbb")
"""offset, length, checksum, magic, attributes."""

OVERHEAD: Final = 12
"""Offset and length, which the length does not count."""

AFTER_CHECKSUM: Final = 16
CODEC_BITS: Final = 0x07
LOG_APPEND_BIT: Final = 0x08

Ways = Sequence[Callable[[], Iterator[PlainRecord]]]


def read_message(data: memoryview, magic: int) -> tuple[int, Callable[[], Ways]]:
    """Return a message's offset, and what decompresses it and returns the ways to decode it.

    Raises:
        UnreadableBatchError: If its checksum is wrong.
    """
    offset, _, checksum, _, attributes = HEADER.unpack_from(data)
    found = zlib.crc32(data[AFTER_CHECKSUM:])
    if found != checksum:
        raise damaged(f"its checksum is {found:08x}; its header says {checksum:08x}")
    if not attributes & CODEC_BITS:
        return offset, lambda: [partial(_single, data, magic)]
    return offset, partial(_open, data, magic, offset, attributes)


def _single(data: memoryview, magic: int) -> Iterator[PlainRecord]:
    yield _message(data, magic)


def _open(data: memoryview, magic: int, offset: int, attributes: int) -> Ways:
    wrapper = _message(data, magic)
    inner = decompress(
        attributes & CODEC_BITS, memoryview(wrapper.value or b""), b"", MAX_DECOMPRESSED_BYTES
    )
    shift = 0
    if magic == 1:  # inner offsets count from the first; the wrapper's is that of the last
        for message in _messages(inner):
            shift = offset - message.offset
    stamp = wrapper.timestamp if attributes & LOG_APPEND_BIT else None
    return [partial(_inner, inner, shift, stamp)]


def _inner(data: memoryview, shift: int, stamp: int | None) -> Iterator[PlainRecord]:
    for message in _messages(data):
        message.offset += shift
        if stamp is not None:
            message.timestamp, message.timestamp_type = stamp, 1
        yield message


def _messages(data: memoryview) -> Iterator[PlainRecord]:
    position = 0
    while position < len(data):
        _, size, _, magic, attributes = HEADER.unpack_from(data, position)
        end = position + OVERHEAD + size
        if size < 0 or end > len(data) or magic not in (0, 1) or attributes & CODEC_BITS:
            raise damaged(f"a message of {size} bytes, format {magic}, attributes {attributes}")
        yield _message(data[position:end], magic)
        position = end


def _message(data: memoryview, magic: int) -> PlainRecord:
    offset, _, _, _, attributes = HEADER.unpack_from(data)
    position = HEADER.size
    stamp = stamp_type = None
    if magic == 1:
        (stamp,) = struct.unpack_from(">q", data, position)
        stamp_type = int(bool(attributes & LOG_APPEND_BIT))
        position += 8
    key, position = _field(data, position)
    value, _ = _field(data, position)
    return PlainRecord(offset, stamp, stamp_type, key, value)


def _field(data: memoryview, position: int) -> tuple[bytes | None, int]:
    (size,) = struct.unpack_from(">i", data, position)
    position += 4
    if size < 0:
        return None, position
    if position + size > len(data):
        raise damaged(f"a field of {size} bytes where {len(data) - position} are left")
    return bytes(data[position : position + size]), position + size
