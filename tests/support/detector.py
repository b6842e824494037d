"""The real detector as a process, on the real broker, Valkey and score store."""

from __future__ import annotations

import subprocess

from bench.support.installation import Installation
from tests.support import forked


class DetectorBench(Installation):
    """An installation whose workers are forked: their imports were done before."""

    def start(self, **extra: str) -> subprocess.Popen[bytes]:
        """Start a worker; it may not be ready yet."""
        with (self.folder / "detector.log").open("ab") as log:
            return forked.start(["detector"], self.environment(**extra), log, log)
