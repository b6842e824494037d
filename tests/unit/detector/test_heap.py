"""The allocator is asked to give memory back, where it can be asked."""

from __future__ import annotations

import platform
import subprocess
import sys

PROBE = "from detector.worker.heap import keep_heap_small; print(keep_heap_small())"


def test_glibc_takes_the_wish_and_others_are_left_alone() -> None:
    # in a process of its own: the wish cannot be taken back
    answer = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, check=True)

    assert answer.stdout.strip() == str(platform.libc_ver()[0] == "glibc").encode()
