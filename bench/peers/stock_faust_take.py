"""Stock Faust with ``stream.take``: its own way to micro-batches."""

from __future__ import annotations

import sys

import faust
from redis.asyncio import Redis

from bench.peers.faust_app import faust_app
from bench.peers.pipeline import Model, open_database, read, write_rows
from bench.peers.settings import given

ROWS, WITHIN_S = 500, 0.05

settings = given()
app = faust_app(settings)
readings = app.topic(settings.topic, value_type=bytes, value_serializer="raw")
alerts = app.topic(settings.alerts, value_type=bytes, value_serializer="raw")
model = Model(settings.model)
redis = Redis.from_url(settings.redis_url)
database = open_database(settings.path)


@app.agent(readings)  # type: ignore[untyped-decorator]
async def score(stream: faust.Stream) -> None:
    """Score readings in batches."""
    async for values in stream.take(ROWS, within=WITHIN_S):
        batch = [read(value) for value in values]
        keys = model.keys(batch, settings.prefix)
        stored = dict(zip(keys, await redis.mget(keys), strict=True))
        found = model.score(model.cut(batch, stored, settings.prefix))
        write_rows(database, found.rows)
        for asset, alert in found.alerts:
            await alerts.send(key=asset, value=alert)
        await redis.mset(found.rings)


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "--without-web", "-l", "error"]
    app.main()
