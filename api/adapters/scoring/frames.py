"""What goes through the pipe between the api and its scoring process: a head and numbers.

Eight bytes say how long each is, big-endian; the head is JSON, the numbers are float64.
"""

from __future__ import annotations

import asyncio
import struct
from typing import BinaryIO, Final

LENGTHS: Final = struct.Struct(">II")
MOST_BYTES: Final = 512 * 1024 * 1024


def lengths(head: bytes, numbers: bytes) -> bytes:
    """Return what goes before a frame."""
    return LENGTHS.pack(len(head), len(numbers))


def write_frame(stream: BinaryIO, head: bytes, numbers: bytes = b"") -> None:
    """Write a frame."""
    stream.write(lengths(head, numbers))
    stream.write(head)
    stream.write(numbers)
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


async def receive_frame(reader: asyncio.StreamReader) -> bytes:
    """Return the head of the next frame.

    Raises:
        asyncio.IncompleteReadError: If the stream ends before it.
        ValueError: If it is none.
    """
    head, numbers = _sizes(await reader.readexactly(LENGTHS.size))
    found = await reader.readexactly(head)
    await reader.readexactly(numbers)
    return found


def _sizes(start: bytes) -> tuple[int, int]:
    if len(start) != LENGTHS.size:
        raise ValueError("a frame was cut short")
    head, numbers = LENGTHS.unpack(start)
    if head + numbers > MOST_BYTES:
        raise ValueError(f"a frame of {head + numbers} bytes came; at most {MOST_BYTES} are read")
    return head, numbers
