"""Runs the api under uvicorn: binds first, says where it listens, stops cleanly."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable

import typer
import uvicorn
from fastapi import FastAPI
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from api.access.guard import check_keys, keys_are_on
from api.adapters.sql.access import SqlAccessStore
from api.adapters.sql.database import open_database
from api.app import create_app
from api.live.websocket import MAX_MESSAGE_BYTES
from common.clock import SystemClock
from common.errors import BackendMissingError
from common.logs import configure_logging
from common.settings import ApiSettings, Settings, load_settings
from common.terminal.cli import friendly_errors, output_console

BACKLOG = 2048
STOP_GRACE_S = 5
"""How long open requests may take once the api is told to stop, s; streams end at once."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@friendly_errors
def serve() -> None:
    """Serve the api until Ctrl-C. The first line of output says where it listens.

    All of it is set by SURGELINE_ variables; see `surgeline settings`. With SURGELINE_API__PORT=0
    a free port is taken.
    """
    settings = load_settings()
    configure_logging(settings.log, "api")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # we say it ourselves, once a try
    asyncio.run(_check_keys(settings))
    listener = bound_socket(settings.api)
    # uvicorn stops at these signals and then raises them again; a clean stop is exit code 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    asyncio.run(_serve(create_app(settings), settings, listener))


async def _check_keys(settings: Settings) -> None:
    """Refuse to listen where keys are needed and there is none, before anything is listened on."""
    if keys_are_on(settings.api):
        async with open_database(settings.alerts) as engine:
            await check_keys(settings.api, SqlAccessStore(engine), SystemClock().now())


async def _serve(served: FastAPI, settings: Settings, listener: socket.socket) -> None:
    config = config_of(served, settings)
    async with served.router.lifespan_context(served):
        spare_what_is_loaded()
        server = _Server(config, on_stop=served.state.services.changed.close)
        await server.serve(sockets=[listener])


def spare_what_is_loaded() -> None:
    """Have the collector pass over what is there for good: modules, routes, schemas.

    An answer of 10,000 rows makes it look at everything several times, which took as long as the
    answer itself (``bench.api.queries``).
    """
    gc.collect()
    gc.freeze()


def config_of(served: FastAPI, settings: Settings) -> uvicorn.Config:
    """Return how uvicorn serves the api."""
    return uvicorn.Config(
        served,
        lifespan="off",  # entered below, so that a store that will not open is one clear line
        log_config=None,
        log_level=settings.log.level.lower() if settings.log.level == "DEBUG" else "warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_GRACE_S,
        ws=OneWaySocket,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # 0.3 MB for each client; a proxy may do it
        ws_ping_interval=None,  # heartbeats tell who is gone; one that reads slowly is waited for
    )


class OneWaySocket(WebSocketsSansIOProtocol):
    """A WebSocket that is answered only as fast as its client reads."""

    def handle_ping(self) -> None:
        """Answer a ping; cut who sends them and reads nothing, or answers would pile up."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()

    async def send(self, message: ASGISendEvent) -> None:
        """Send; a handshake that was refused is complete, and no error for the log."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True


class _Server(uvicorn.Server):
    """Says where it listens, once it does; ends streams before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the address: with port 0 nobody knows it otherwise."""
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            console = output_console(soft_wrap=True)
            console.print(f"api listening on http://{shown}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then stop."""
        self._on_stop()
        await super().shutdown(sockets)


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
