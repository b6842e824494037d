"""(g) Starting: `surgeline up` until everything is ready, and what the imports take."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.suite.failures import MeasurementError, ProgramEndedError
from bench.suite.figures import Findings
from bench.suite.machine import ROOT
from bench.suite.section import Context, Section
from bench.support.processes import running, start, stop, wait_until
from common.settings import PREFIX
from deploy.local.programs import free_port

READY: Final = "everything is ready"
TIMEOUT_S: Final = 120.0
IMPORTS: Final = {
    "surgeline --help": "deploy.cli",
    "a worker": "detector.app",
    "the api": "api.app",
    "the scorer": "models.artifact.onnx_scorer",
    "a notebook": "surgeline",
}


def run(context: Context) -> Findings:
    """Measure."""
    found = Findings()
    for _ in range(ups(context)):
        context.tell("surgeline up")
        ready_s, down_s = up_and_down()
        found.add("surgeline up: everything is ready", "s", ready_s)
        found.add("surgeline up: all stopped after Ctrl-C", "s", down_s)
    for what, module in IMPORTS.items():
        context.tell(f"imports of {what}")
        for _ in range(context.rounds):
            found.add(f"imports of {what} ({module})", "s", import_s(module))
    return found


def ups(context: Context) -> int:
    """Return how often the stack is started: its time hardly differs from once to once."""
    return min(2, context.rounds)


def up_and_down() -> tuple[float, float]:
    """Return how long the stack takes to be ready, and then to stop.

    Raises:
        ProgramEndedError: If it ends by itself.
        MeasurementError: If it does not end politely.
    """
    with tempfile.TemporaryDirectory(prefix="surgeline-bench-") as name:
        log = Path(name) / "up.log"
        environment = {key: value for key, value in os.environ.items() if PREFIX not in key}
        command = [
            sys.executable, "-m", "deploy.cli", "up",
            "--var", f"{name}/var", "--api-port", str(free_port()),
        ]  # fmt: skip
        begin = time.perf_counter()
        process = start(command, log, environment)
        try:
            wait_until(
                lambda: running(process, "surgeline up", log) and READY in log.read_text(),
                "surgeline up",
                TIMEOUT_S,
            )
            ready = time.perf_counter()
            code = stop(process, signal.SIGINT)
            down = time.perf_counter()
        finally:
            stop(process)
    if code:
        raise MeasurementError(f"`surgeline up` ended with code {code} after Ctrl-C")
    return ready - begin, down - ready


def import_s(module: str) -> float:
    """Return how long a fresh interpreter takes to import a module, s.

    Raises:
        ProgramEndedError: If it cannot.
    """
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ProgramEndedError(f"import {module}: {done.stderr[-500:].strip()}")
    return time.perf_counter() - begin


SECTION: Final = Section(
    "startup",
    "Starting",
    "`surgeline up` until ready and until stopped, and the imports of each program",
    lambda context: ups(context) + len(IMPORTS),
    run,
)
