"""Programs that ``.ci/tools`` fetches: Docker Compose v2 and Helm. Neither needs a server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.servers.backends import require

REPOSITORY = Path(__file__).parents[2]
FETCHED = REPOSITORY / ".cache" / "tools"


def compose() -> list[str]:
    """The command line of Docker Compose v2; skips (in CI: fails) where there is none."""
    fetched = FETCHED / "docker-compose"
    candidates = [[str(fetched)], ["docker", "compose"], ["docker-compose"]]
    return _first("Docker Compose v2", candidates, "version", "version 2", "version v2")


def helm() -> str:
    """The Helm program; skips (in CI: fails) where there is none."""
    candidates = [[str(FETCHED / "helm")], ["helm"]]
    return _first("Helm", candidates, "version", 'Version:"v3', 'Version:"v4')[0]


def _first(name: str, candidates: list[list[str]], question: str, *answers: str) -> list[str]:
    for command in candidates:
        if shutil.which(command[0]) is None:
            continue
        said = subprocess.run([*command, question], capture_output=True, text=True, check=False)
        if said.returncode == 0 and any(answer in said.stdout for answer in answers):
            return command
    require(f"{name} is needed: run .ci/tools, which fetches it, or install it")
    raise AssertionError("unreachable")
