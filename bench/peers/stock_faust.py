"""Stock Faust, as its guide begins: an agent over the events of a stream, one after the other.

Rows are written to SQLite ten times a second: a transaction for each event would measure the disk.
"""

from __future__ import annotations

import sys

import faust
from redis.asyncio import Redis

from bench.peers.faust_app import faust_app
from bench.peers.pipeline import Model, open_database, read, write_rows
from bench.peers.settings import given

FLUSH_S = 0.1

settings = given()
app = faust_app(settings)
readings = app.topic(settings.topic, value_type=bytes, value_serializer="raw")
alerts = app.topic(settings.alerts, value_type=bytes, value_serializer="raw")
model = Model(settings.model)
redis = Redis.from_url(settings.redis_url)
database = open_database(settings.path)
waiting: list[tuple[object, ...]] = []


@app.agent(readings)  # type: ignore[untyped-decorator]
async def score(stream: faust.Stream) -> None:
    """Score each reading as it comes."""
    async for value in stream:
        reading = read(value)
        (key,) = model.keys([reading], settings.prefix)
        cut = model.cut([reading], {key: await redis.get(key)}, settings.prefix)
        found = model.score(cut)
        waiting.extend(found.rows)
        for asset, alert in found.alerts:
            await alerts.send(key=asset, value=alert)
        await redis.mset(found.rings)


@app.timer(FLUSH_S)  # type: ignore[untyped-decorator]
async def flush() -> None:
    """Write what has come."""
    rows, waiting[:] = list(waiting), []
    write_rows(database, rows)


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "--without-web", "-l", "error"]
    app.main()
