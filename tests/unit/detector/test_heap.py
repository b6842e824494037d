"""The allocator is asked to give memory back, where it can be asked."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

ASKED = "from detector.worker.heap import keep_heap_small; print(keep_heap_small())"
MEASURED = """
import pathlib
import numpy as np
from detector.worker.heap import give_back, keep_heap_for_much, keep_heap_small

def resident_mb():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

keep_heap_small()
keep_heap_for_much()
kept = [np.ones(1_000_000) for _ in range(3)]  # 8 MB each
del kept
before = resident_mb()
give_back()
print(before - resident_mb() > 15)
"""


def test_glibc_takes_the_wish_and_others_are_left_alone() -> None:
    # in a process of its own: the wish cannot be taken back
    answer = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, check=True)

    assert answer.stdout.strip() == str(platform.libc_ver()[0] == "glibc").encode()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_what_was_kept_for_much_is_given_back() -> None:
    answer = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, check=True)

    assert answer.stdout.strip() == b"True"
