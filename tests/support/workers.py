"""Several workers of one installation, each with its own log and status page."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.support.installation import ANSWERS_WITHIN_S
from deploy.local.programs import free_port
from tests.support import forked
from tests.support.detector import DetectorBench
from tests.support.servers.backends import wait_until

ENDS_WITHIN_S = 40.0
"""Far more than any deadline of a worker: these tests ask whether it ends, not how fast."""


@dataclass
class Worker:
    """One worker.

    Attributes:
        process: Its process.
        port: Of its status page.
        file: What it says goes here.
    """

    process: subprocess.Popen[bytes]
    port: int
    file: Path

    def log(self) -> str:
        """What it has said."""
        return self.file.read_text(errors="replace")

    def status(self) -> dict[str, Any] | None:
        """What its /ready says; none when nobody answers."""
        try:
            page = f"http://127.0.0.1:{self.port}/ready"
            with urllib.request.urlopen(page, timeout=ANSWERS_WITHIN_S) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as answer:
            found = json.load(answer)
        except OSError:
            return None
        return found

    def metrics(self) -> str:
        """Its metrics, in Prometheus' words."""
        page = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(page, timeout=ANSWERS_WITHIN_S) as answer:
            return str(answer.read(), "utf-8")

    def is_ready(self) -> bool:
        """Whether it says so."""
        return (self.status() or {}).get("ready") is True

    def wait_ready(self) -> None:
        """Return when it is ready."""

        def ready() -> bool:
            assert self.process.poll() is None, self.log()[-3000:]
            return self.is_ready()

        try:
            wait_until(ready, "a worker is ready", timeout_s=60)
        except TimeoutError as exc:
            raise TimeoutError(f"it says {self.status()}; {self.log()[-2000:]}") from exc

    def wait_said(self, words: str) -> None:
        """Return when its log has these words."""
        wait_until(lambda: words in self.log(), f"{words!r} in the log", timeout_s=60)

    def wait_end(self) -> int:
        """Return its exit code; the deadline is generous, but there is one."""
        try:
            return self.process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired as exc:
            raise AssertionError(f"it does not end; {self.log()[-3000:]}") from exc

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end()


@dataclass
class Workers:
    """The workers of a bench. As a context manager: all are ended, whatever state they are in."""

    bench: DetectorBench
    started: list[Worker] = field(default_factory=list)

    def start(self, *disturbances: str, **extra: str) -> Worker:
        """Start one, disturbed as ``disturbed_worker.py`` says; it may not be ready yet."""
        module = "tests.support.disturbed_worker" if disturbances else "detector"
        return self._started(forked.start, [module, *disturbances], extra)

    def start_anew(self) -> Worker:
        """Start one that is not forked: it imports all it needs, which takes a second or two."""
        return self._started(forked.start_anew, ["detector"], {})

    def _started(
        self, start: forked.Start, arguments: Sequence[str], extra: Mapping[str, str]
    ) -> Worker:
        port = free_port()
        file = self.bench.folder / f"worker-{len(self.started)}.log"
        environment = self.bench.environment(SURGELINE_DETECTOR__HTTP_PORT=str(port), **extra)
        with file.open("ab") as log:
            process = start(arguments, environment, log, log)
        self.started.append(Worker(process, port, file))
        return self.started[-1]


@contextmanager
def workers_of(bench: DetectorBench) -> Iterator[Workers]:
    """Workers of a bench, all ended with the block."""
    workers = Workers(bench)
    try:
        yield workers
    finally:
        for worker in workers.started:
            worker.process.kill()
            worker.process.wait()
