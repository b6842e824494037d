"""A Redis server with its own TLS and a user of its access list: Debian's, the wheel's has none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.programs import free_port
from tests.support.secure.certificates import Authority, Pair
from tests.support.servers.backends import require, server

CONFIG = """
bind 127.0.0.1
port 0
tls-port {port}
tls-cert-file {shows.cert}
tls-key-file {shows.key}
tls-ca-cert-file {authority.file}
tls-auth-clients {asks}
dir {folder}
save ""
appendonly no
user default off
user {user} on >{password} ~* &* +@all
"""


def program() -> str:
    """The server that can speak TLS; skips (in CI: fails) where there is none."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    require("a Redis with TLS is needed (Debian: apt-get install redis-server)")
    raise AssertionError("unreachable")


@contextmanager
def redis_over_tls(
    folder: Path,
    authority: Authority,
    shows: Pair,
    user: str,
    password: str,
    *,
    asks_clients: bool = False,
) -> Iterator[int]:
    """Run a server until the block ends; yields its port, where it speaks TLS alone."""
    port = free_port()
    config = folder / "redis.conf"
    config.write_text(
        CONFIG.format(
            port=port,
            shows=shows,
            authority=authority,
            asks="yes" if asks_clients else "no",
            folder=folder,
            user=user,
            password=password,
        )
    )
    with server([program(), str(config)], port, folder / "redis.log"):
        yield port
