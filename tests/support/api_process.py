"""The api as a real process: ``python -m api`` on a free port, to be stopped or killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Final

from common.settings import PREFIX, KafkaSettings
from tests.support import forked
from tests.support.servers.backends import wait_until
from tests.support.variables import kafka_variables

LISTENING: Final = re.compile(r"listening on (http://\S+)")


class ApiProcess:
    """One api with its own stores in ``folder``; start it again there and it goes on.

    Args:
        kafka: Its broker.
        folder: Where its stores and logs are.
        settings: More settings, by variable.
    """

    def __init__(self, kafka: KafkaSettings, folder: Path, **settings: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        self._environment = (
            kept
            | kafka_variables(kafka)
            | {
                "SURGELINE_ALERTS__URL": f"sqlite+aiosqlite:///{folder}/alerts.db",
                "SURGELINE_SCORES__SQLITE_PATH": f"{folder}/scores.db",
                "SURGELINE_API__PORT": "0",
            }
            | settings
        )
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """The process id of the running api."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it listens."""
        out, err = self._folder / "api.out", self._folder / "api.err"
        with out.open("wb") as stdout, err.open("ab") as stderr:
            self._process = forked.start(["api"], self._environment, stdout, stderr)
        process = self._process

        def listens() -> bool:
            assert process.poll() is None, f"the api ended: {self.log()}"
            return LISTENING.search(out.read_text()) is not None

        wait_until(listens, "the api listens")
        found = LISTENING.search(out.read_text())
        assert found is not None
        self.url = found[1]

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it politely; return its exit code."""
        return self._end(signal.SIGTERM)

    def log(self) -> str:
        """Return what it has logged."""
        return (self._folder / "api.err").read_text()

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            return process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
