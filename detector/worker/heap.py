"""Memory that is freed goes back to the operating system.

The C library of most Linux systems keeps an arena of free memory for every few threads, and after a
burst of large batches these hold much that is never used again: a worker that has caught up with a
backlog would stay at its highest for ever. Two arenas are plenty for a loop and its helpers.

What a batch needs for a moment, tens of arrays and buffers up to some megabytes, must not come
fresh from the system each time: the first touch of a page costs three times what copying 4 KiB
does. So a few megabytes are kept, and only larger blocks are the system's own.
"""

from __future__ import annotations

import ctypes
from typing import Final

ARENA_MAX: Final = -8
TRIM_THRESHOLD: Final = -1
MMAP_THRESHOLD: Final = -3
"""Names of glibc's parameters, from ``malloc.h``."""

ARENAS: Final = 2
TRIM_BYTES: Final = 4_000_000
"""What an arena may keep free at its end."""
MMAP_BYTES: Final = 1_000_000
"""From which size on a block is asked of the system, and given back when it is freed. glibc would
find its own as it goes, but not once the other is set, and then stays at 128 KiB."""

BUSY_TRIM_BYTES: Final = 32_000_000
BUSY_MMAP_BYTES: Final = 16_000_000
"""The same while large batches are scored in another process, and there: a twentieth faster, for
some 30 MB of each."""


def keep_heap_small() -> bool:
    """Ask the allocator to give back what is free; false where it cannot be asked.

    Call it for the first time before any thread is started. An allocator other than glibc's is left
    as it is.
    """
    return _keep(TRIM_BYTES, MMAP_BYTES)


def keep_heap_for_much() -> bool:
    """Ask the allocator to keep what large batches need again and again; likewise."""
    return _keep(BUSY_TRIM_BYTES, BUSY_MMAP_BYTES)


def give_back() -> None:
    """Keep the heap small again, and give back what is free of it."""
    if keep_heap_small():
        ctypes.CDLL(None).malloc_trim(0)


def _keep(trim_bytes: int, mmap_bytes: int) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = {TRIM_THRESHOLD: trim_bytes, MMAP_THRESHOLD: mmap_bytes, ARENA_MAX: ARENAS}
    return all([bool(mallopt(name, value)) for name, value in wanted.items()])
