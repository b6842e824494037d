"""What a plain loop tells subscribers with: its alerts topic, relayed as Server-Sent Events."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from aiokafka import AIOKafkaConsumer
from fastapi import FastAPI
from sse_starlette import EventSourceResponse

from bench.peers.settings import given

FETCH_MAX_WAIT_MS = 25


def relay() -> FastAPI:
    """Return the app."""
    settings = given()
    subscribers: set[asyncio.Queue[str]] = set()

    async def pump() -> None:
        consumer = AIOKafkaConsumer(
            settings.alerts,
            bootstrap_servers=settings.brokers,
            auto_offset_reset="latest",
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        )
        await consumer.start()
        try:
            async for message in consumer:
                for queue in subscribers:
                    queue.put_nowait(message.value.decode())
        finally:
            await consumer.stop()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        pumping = asyncio.create_task(pump())
        yield
        pumping.cancel()
        with suppress(asyncio.CancelledError):
            await pumping

    app = FastAPI(lifespan=lifespan)

    @app.get("/stream")
    async def stream() -> EventSourceResponse:
        queue: asyncio.Queue[str] = asyncio.Queue()
        subscribers.add(queue)

        async def events() -> AsyncIterator[str]:
            try:
                while True:
                    yield await queue.get()
            finally:
                subscribers.discard(queue)

        return EventSourceResponse(events())

    return app


if __name__ == "__main__":
    uvicorn.run(relay(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
