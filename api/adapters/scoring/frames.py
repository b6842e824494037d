"""What goes through the pipe between the api and its scoring process: a head and a bulk.

Eight bytes say how long each is, big-endian. What they hold: ``messages.py``.
"""

from __future__ import annotations

import asyncio
import struct
from typing import BinaryIO, Final

LENGTHS: Final = struct.Struct(">II")
MOST_BYTES: Final = 512 * 1024 * 1024


def lengths(head: bytes, bulk: bytes) -> bytes:
    """Return what goes before a frame."""
    return LENGTHS.pack(len(head), len(bulk))


def write_frame(stream: BinaryIO, head: bytes, bulk: bytes = b"") -> None:
    """Write a frame."""
    stream.write(lengths(head, bulk))
    stream.write(head)
    stream.write(bulk)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """Return the next frame; none at the end.

    Raises:
        ValueError: If it is none, or cut short.
    """
    start = stream.read(LENGTHS.size)
    if not start:
        return None
    sizes = _sizes(start)
    parts = [stream.read(size) for size in sizes]
    if [len(part) for part in parts] != list(sizes):
        raise ValueError("a frame was cut short")
    return parts[0], parts[1]


async def receive_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the next frame.

    Raises:
        asyncio.IncompleteReadError: If the stream ends before it.
        ValueError: If it is none.
    """
    head, bulk = _sizes(await reader.readexactly(LENGTHS.size))
    return await reader.readexactly(head), await reader.readexactly(bulk)


def _sizes(start: bytes) -> tuple[int, int]:
    if len(start) != LENGTHS.size:
        raise ValueError("a frame was cut short")
    head, bulk = LENGTHS.unpack(start)
    if head + bulk > MOST_BYTES:
        raise ValueError(f"a frame of {head + bulk} bytes came; at most {MOST_BYTES} are read")
    return head, bulk
