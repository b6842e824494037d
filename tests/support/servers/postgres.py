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
from tests.support.secure.certificates import Pair
from tests.support.servers.backends import require, wait_until

SUPERUSER = "postgres"
SUPERUSER_PASSWORD = "open-postgres-3c8e"  # noqa: S105 - of a server that lives as long as the test


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
def postgres_server(shows: Pair | None = None) -> Iterator[str]:
    """Run a server until the block ends; yields its SQLAlchemy URL, of the maintenance database.

    Args:
        shows: Its certificate; with one it lets in, over TLS alone, whoever knows their password.
            The superuser's is ``SUPERUSER_PASSWORD``.
    """
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
        if shows is not None:
            command += _secured(place, shows, identity)
            (data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")
            _set_password(folder, data, identity)
        server = subprocess.Popen(
            [*command, "-k", str(place), "-c", "fsync=off"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=place,
            **identity,
        )
        try:
            wait_until(lambda: _is_ready(folder, port), f"PostgreSQL on port {port}")
            login = SUPERUSER if shows is None else f"{SUPERUSER}:{SUPERUSER_PASSWORD}"
            yield f"postgresql+asyncpg://{login}@{LOOPBACK}:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: connections are closed
            server.wait(30)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _secured(place: Path, shows: Pair, identity: dict[str, Any]) -> list[str]:
    """Return the options for TLS; the key must belong to whom the server runs as."""
    options = ["-c", "ssl=on"]
    for option, file in (("ssl_cert_file", shows.cert), ("ssl_key_file", shows.key)):
        own = place / file.name
        shutil.copy(file, own)
        own.chmod(0o600)
        if identity:
            shutil.chown(own, SUPERUSER, SUPERUSER)
        options += ["-c", f"{option}={own}"]
    return options


def _set_password(folder: Path, data: Path, identity: dict[str, Any]) -> None:
    """Give the superuser a password before the server starts."""
    subprocess.run(
        [folder / "postgres", "--single", "-D", data, "postgres"],
        input=f"ALTER USER {SUPERUSER} PASSWORD '{SUPERUSER_PASSWORD}'".encode(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=data.parent,
        **identity,
    )
