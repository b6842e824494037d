"""``python -m api``: serves the api until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys

import uvicorn
from rich.console import Console

from api.app import create_app
from common.cli import friendly_errors
from common.errors import BackendMissingError
from common.logs import configure_logging
from common.settings import ApiSettings, load_settings

BACKLOG = 2048
STOP_GRACE_S = 5


class _Server(uvicorn.Server):
    """Says where it listens once it does, and keeps the error that kept it from starting."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the address: with port 0 nobody knows it otherwise."""
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            Console(highlight=False, soft_wrap=True).print(
                f"api listening on http://{shown}:{port}", markup=False
            )
            sys.stdout.flush()


def bound_socket(settings: ApiSettings) -> socket.socket:
    """Return a listening socket at the settings' address.

    Raises:
        BackendMissingError: If the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise BackendMissingError(
            f"The api cannot listen on {settings.host}:{settings.port} ({exc.strerror}). Set "
            "SURGELINE_API__PORT to another port, or to 0 for a free one."
        ) from exc
    return listener


@friendly_errors
def main() -> None:
    """Serve."""
    settings = load_settings()
    configure_logging(settings.log, "api")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # we say it ourselves, once a try
    listener = bound_socket(settings.api)
    server = _Server(
        uvicorn.Config(
            create_app(settings),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=STOP_GRACE_S,
        )
    )
    # uvicorn stops at these signals and then raises them again; a clean stop is exit code 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
