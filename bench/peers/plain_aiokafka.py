"""A plain aiokafka loop: fetch many, one round trip to Valkey each way, one call of the network."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from bench.peers.clients import consumer_of, producer_of
from bench.peers.pipeline import Model, Reading, open_database, read, write_rows
from bench.peers.settings import PeerSettings, given

MAX_ROWS = 4000


class Batches:
    """Takes batches of readings through rings, network, database and alerts, in that order."""

    def __init__(self, settings: PeerSettings, producer: AIOKafkaProducer) -> None:
        self._settings = settings
        self._model = Model(settings.model)
        self._redis = Redis.from_url(settings.redis_url)
        self._database = open_database(settings.path)
        self._producer = producer

    async def take(self, readings: Sequence[Reading]) -> None:
        """Score a batch, store it, tell of alerts, and keep the rings."""
        settings, model = self._settings, self._model
        keys = model.keys(readings, settings.prefix)
        stored = dict(zip(keys, await self._redis.mget(keys), strict=True))
        cut = model.cut(readings, stored, settings.prefix)
        found = await asyncio.to_thread(model.score, cut)
        await asyncio.to_thread(write_rows, self._database, found.rows)
        sent = [await self._producer.send(settings.alerts, v, key=k) for k, v in found.alerts]
        await asyncio.gather(*sent)
        if found.rings:
            await self._redis.mset(found.rings)


async def main() -> None:
    """Run until killed."""
    settings = given()
    consumer, producer = consumer_of(settings), producer_of(settings)
    await consumer.start()
    await producer.start()
    try:
        batches = Batches(settings, producer)
        while True:
            found = await consumer.getmany(timeout_ms=1000, max_records=MAX_ROWS)
            readings = [read(message.value) for part in found.values() for message in part]
            if readings:
                await batches.take(readings)
                await consumer.commit()
    finally:
        await consumer.stop()
        await producer.stop()


if __name__ == "__main__":
    asyncio.run(main())
