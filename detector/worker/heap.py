"""Memory that is freed goes back to the operating system.

The C library of most Linux systems keeps an arena of free memory for every few threads, and after a
burst of large batches these hold much that is never used again: a worker that has caught up with a
backlog would stay at its highest for ever. Two arenas are plenty for a loop and its helpers.
"""

from __future__ import annotations

import ctypes
from typing import Final

ARENA_MAX: Final = -8
TRIM_THRESHOLD: Final = -1
"""Names of glibc's parameters, from ``malloc.h``."""

ARENAS: Final = 2
TRIM_BYTES: Final = 1_000_000


def keep_heap_small() -> bool:
    """Ask the allocator to give back what is free; false where it cannot be asked.

    Call it before any thread is started. An allocator other than glibc's is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(TRIM_THRESHOLD, TRIM_BYTES) and mallopt(ARENA_MAX, ARENAS))
