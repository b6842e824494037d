"""The reference design: a consumer that asks a scoring service over HTTP, one request a window."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
from redis.asyncio import Redis

from bench.peers.clients import consumer_of, producer_of
from bench.peers.http_scorer import as_scores
from bench.peers.pipeline import Model, open_database, read, write_rows
from bench.peers.settings import given

MAX_ROWS = 500
AT_ONCE = 32
"""Requests on their way: more only wait at the service."""


async def main() -> None:
    """Run until killed."""
    settings = given()
    model, redis = Model(settings.model), Redis.from_url(settings.redis_url)
    database = open_database(settings.path)
    consumer, producer = consumer_of(settings), producer_of(settings)
    await consumer.start()
    await producer.start()
    free = asyncio.Semaphore(AT_ONCE)
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(
        base_url=settings.scorer_url, limits=limits, timeout=60, trust_env=False
    ) as client:

        async def ask(window: np.ndarray) -> dict[str, object]:
            async with free:
                answer = await client.post("/score", json={"window": window.tolist()})
            found: dict[str, object] = answer.raise_for_status().json()
            return found

        while True:
            fetched = await consumer.getmany(timeout_ms=1000, max_records=MAX_ROWS)
            readings = [read(message.value) for part in fetched.values() for message in part]
            if not readings:
                continue
            keys = model.keys(readings, settings.prefix)
            stored = dict(zip(keys, await redis.mget(keys), strict=True))
            cut = model.cut(readings, stored, settings.prefix)
            answers = await asyncio.gather(*map(ask, cut.windows))
            found = model.concluded(cut, as_scores(answers, model.width))
            write_rows(database, found.rows)
            for asset, alert in found.alerts:
                await producer.send_and_wait(settings.alerts, alert, key=asset)
            if found.rings:
                await redis.mset(found.rings)
            await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main())
