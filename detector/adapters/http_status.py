"""/health, /ready and /metrics of one worker."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from common.logs import get_logger
from detector.metrics import DetectorMetrics
from detector.worker.health import Health

logger = get_logger(__name__)


class HttpStatus:
    """A small HTTP server, for whoever watches this worker."""

    def __init__(self, host: str, port: int, metrics: DetectorMetrics, health: Health) -> None:
        self._host = host
        self._port = port
        self._metrics = metrics
        self._health = health
        app = web.Application()
        app.router.add_get("/health", self._alive)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._exposition)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: If the port is taken.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        logger.info("status pages", addresses=[list(a[:2]) for a in self._runner.addresses])
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _alive(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _ready(self, request: web.Request) -> web.Response:
        problems, partitions = self._health.report(), self._health.partitions
        return web.json_response(
            {
                "ready": not problems,
                "problems": problems,
                "partitions": partitions,
                "standby": partitions == (),
            },
            status=503 if problems else 200,
        )

    async def _exposition(self, request: web.Request) -> web.Response:
        self._metrics.ready.set(0 if self._health.problems else 1)
        return web.Response(
            body=generate_latest(self._metrics.registry),
            headers={"Content-Type": CONTENT_TYPE_LATEST},
        )
