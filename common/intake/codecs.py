"""Kafka's codecs, each decompressing into a buffer of bounded size.

The sizes that compressed data state of themselves may lie, so none is believed: what comes out is
written into a buffer that has an end. A megabyte that would become a gigabyte is given up when the
buffer is full.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

import cramjam
import numpy as np

from common.errors import RejectReason
from common.intake.errors import UnreadableBatchError, damaged

GZIP: Final = 1
SNAPPY: Final = 2
LZ4: Final = 3
ZSTD: Final = 4
"""The numbers in a batch's attributes."""

NAMES: Final = {GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}

MAX_DECOMPRESSED_BYTES: Final = 64 * 1024 * 1024
"""What one batch may become. Of readings, a broker's usual 1 MiB becomes 10 to 30 MiB."""

FIRST_GUESS: Final = 16
"""The first buffer is this many times the compressed size; few batches need a second one."""

XERIAL_HEADER: Final = b"\x82SNAPPY\x00"
XERIAL_HEADER_BYTES: Final = 16
"""Java's snappy: this header with two version numbers, then blocks, each after its size."""


class _FullError(Exception):
    """The data do not fit into the buffer."""


def decompress(codec: int, data: memoryview, prefix: bytes, limit: int) -> memoryview:
    """Return decompressed data behind a prefix, in one buffer.

    Args:
        codec: Number of the codec.
        data: The compressed data.
        prefix: What goes before them.
        limit: Most bytes they may become.

    Raises:
        UnreadableBatchError: If they are damaged, become more than the limit, or no codec has this
            number.
    """
    if codec not in NAMES:
        raise UnreadableBatchError(
            RejectReason.UNKNOWN_CODEC, f"compressed with codec {codec}; codecs are 0 to 4"
        )
    room = min(limit, max(64 * 1024, FIRST_GUESS * len(data)))
    while True:
        buffer = np.empty(len(prefix) + room, np.uint8).data  # not touched, so not in memory
        try:
            size = _into(codec, data, buffer[len(prefix) :])
        except _FullError:
            if room == limit:
                raise UnreadableBatchError(
                    RejectReason.BATCH_TOO_LARGE,
                    f"{len(data):,} bytes of {NAMES[codec]} become more than {limit:,}",
                ) from None
            room = limit
        except (cramjam.DecompressionError, OSError, ValueError, struct.error) as exc:
            raise damaged(f"{NAMES[codec]} cannot be decompressed: {exc}") from exc
        else:
            buffer[: len(prefix)] = prefix
            return buffer[: len(prefix) + size]


def _into(codec: int, data: memoryview, out: memoryview) -> int:
    if codec == SNAPPY:
        return _snappy_into(data, out)
    return _stream_into(_STREAMS[codec], data, out)


_STREAMS: Final[dict[int, Callable[[Any, Any], int]]] = {
    GZIP: cramjam.gzip.decompress_into,
    LZ4: cramjam.lz4.decompress_into,
    ZSTD: cramjam.zstd.decompress_into,
}


def _stream_into(codec: Callable[[Any, Any], int], data: memoryview, out: memoryview) -> int:
    try:
        return codec(data, out)
    except cramjam.DecompressionError as exc:
        if "whole buffer" in str(exc):  # the only way it tells; the contract test pins it
            raise _FullError from exc
        raise


def _snappy_into(data: memoryview, out: memoryview) -> int:
    """Decompress the blocks one behind the other; snappy checks each against its stated size."""
    size = 0
    for block in _snappy_blocks(data):
        stated = cramjam.snappy.decompress_raw_len(block)
        if size + stated > len(out):
            raise _FullError
        size += cramjam.snappy.decompress_raw_into(block, out[size : size + stated])
    return size


def _snappy_blocks(data: memoryview) -> Iterator[memoryview]:
    if bytes(data[: len(XERIAL_HEADER)]) != XERIAL_HEADER:
        yield data
        return
    position = XERIAL_HEADER_BYTES
    while position < len(data):
        (size,) = struct.unpack_from(">i", data, position)
        position += 4
        if not 0 <= size <= len(data) - position:
            raise ValueError(f"a block of {size} bytes where {len(data) - position} are left")
        yield data[position : position + size]
        position += size
