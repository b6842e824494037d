"""The api over fakes on a real socket, served by uvicorn as in life."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import uvicorn

from api.app import create_app
from api.serve import config_of
from api.services import Services
from common.settings import ApiSettings, Settings
from tests.support.api import Fakes, eventually


@dataclass(frozen=True, slots=True)
class Served:
    """An api that listens, and its fakes.

    Attributes:
        port: Where, on 127.0.0.1.
        fakes: What stands behind it.
        services: What its routes work with.
        client: Asks it over HTTP.
    """

    port: int
    fakes: Fakes
    services: Services
    client: httpx.AsyncClient

    @property
    def ws(self) -> str:
        """The beginning of its WebSockets' addresses."""
        return f"ws://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(
    fakes: Fakes | None = None, settings: ApiSettings | None = None
) -> AsyncIterator[Served]:
    """Serve an app over fakes; end its streams and stop it at the end."""
    used, chosen = fakes or Fakes(), Settings(api=settings or ApiSettings())
    app = create_app(chosen, used.opened)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        server = uvicorn.Server(config_of(app, chosen))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await eventually(lambda: server.started)
        services = app.state.services
        try:
            yield Served(port, used, services, client)
        finally:
            services.changed.close()
            server.should_exit = True
            await task
