"""The wall clock of a process, in the test's hand (libfaketime); its monotonic clock stays true."""

from __future__ import annotations

from pathlib import Path

from tests.support.servers.backends import require


class WallClock:
    """A clock that is off by as much as it is told, for every process started with its variables.

    Args:
        folder: Where the processes look up by how much.
    """

    def __init__(self, folder: Path) -> None:
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        if not libraries:
            require("libfaketime is needed: apt-get install libfaketime")
        self._file = folder / "wall-clock"
        self.set(0)
        self.variables = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # s; without it every look at a clock reads the file
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, off_by_s: int) -> None:
        """Step to that many seconds from the true time; processes notice within a second."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{off_by_s:+d}\n")
        new.replace(self._file)
