"""A real PostgreSQL server for tests, from whatever version the machine has."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.local.programs import LOOPBACK, answers, free_port
from tests.support.backends import require, wait_until

SUPERUSER = "postgres"


def programs() -> Path:
    """The folder of initdb and postgres; skips (in CI: fails) where there is none."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    if (found := shutil.which("postgres")) and shutil.which("initdb"):
        return Path(found).parent
    require("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    raise AssertionError("unreachable")


def _is_ready(folder: Path, port: int) -> bool:
    """Whether it takes connections: while it starts it answers, and refuses."""
    if not answers(port):
        return False
    question = [str(folder / "pg_isready"), "-h", LOOPBACK, "-p", str(port), "-q"]
    return not (folder / "pg_isready").exists() or subprocess.run(question).returncode == 0


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a server until the block ends; yields its SQLAlchemy URL, of the maintenance database."""
    folder = programs()
    # The server refuses to run as root; the package has made a user for it.
    identity: dict[str, Any] = {"user": SUPERUSER, "group": SUPERUSER} if os.geteuid() == 0 else {}
    place = Path(tempfile.mkdtemp(prefix="surgeline-postgres-"))
    data, port = place / "data", free_port()
    try:
        if identity:
            shutil.chown(place, SUPERUSER, SUPERUSER)
        subprocess.run(
            [folder / "initdb", "-D", data, "-U", SUPERUSER, "-A", "trust", "-N", "-E", "UTF8"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=place,
            **identity,
        )
        command = [str(folder / "postgres"), "-D", str(data), "-h", LOOPBACK, "-p", str(port)]
        server = subprocess.Popen(
            [*command, "-k", str(place), "-c", "fsync=off"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=place,
            **identity,
        )
        try:
            wait_until(lambda: _is_ready(folder, port), f"PostgreSQL on port {port}")
            yield f"postgresql+asyncpg://{SUPERUSER}@{LOOPBACK}:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: connections are closed
            server.wait(30)
    finally:
        shutil.rmtree(place, ignore_errors=True)
