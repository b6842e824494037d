"""Virtual environments of peers whose packages clash with ours, made once and kept."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.suite.failures import MeasurementError
from bench.suite.machine import ROOT

FOLDER: Final = ROOT / ".cache/bench-venvs"
SAID_CHARS: Final = 1000


def python_of(requirements: Path) -> Path:
    """Return the interpreter of an environment that has these requirements; made if need be.

    Raises:
        MeasurementError: If it cannot be made, with what pip said.
    """
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = FOLDER / f"{requirements.stem}-{sys.version_info[0]}.{sys.version_info[1]}-{digest}"
    python = folder / "bin/python"
    ready = folder / ".ready"
    if ready.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    pip = (str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check")
    for command in (
        (sys.executable, "-m", "venv", str(folder)),
        (*pip, "-r", str(requirements)),
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            raise MeasurementError(
                f"no environment for {requirements.name}: {done.stderr[-SAID_CHARS:].strip()}"
            )
    ready.touch()
    return python
