"""Quix Streams: a dataframe into a sink of one's own, which gets the batch of each checkpoint.

Runs in a virtual environment of its own (``requirements-quix.txt``).
"""

from __future__ import annotations

from typing import Any

from confluent_kafka import Producer
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch
from redis import Redis

from bench.peers.pipeline import Model, from_dict, open_database, write_rows
from bench.peers.settings import FETCH_MAX_WAIT_MS, PeerSettings, given

COMMIT_EVERY = 4000
COMMIT_INTERVAL_S = 0.2


class ScoringSink(BatchingSink):  # type: ignore[misc]
    """Scores a checkpoint's readings at once, and stores them."""

    def __init__(self, settings: PeerSettings) -> None:
        super().__init__()
        self._settings = settings
        self._model = Model(settings.model)
        self._redis = Redis.from_url(settings.redis_url)
        self._database = open_database(settings.path)
        self._producer = Producer({"bootstrap.servers": settings.brokers, "linger.ms": 0})

    def write(self, batch: SinkBatch) -> None:
        """Take one partition's readings."""
        settings, model = self._settings, self._model
        readings = [from_dict(item.value) for item in batch]
        keys = model.keys(readings, settings.prefix)
        values: list[Any] = self._redis.mget(keys)
        cut = model.cut(readings, dict(zip(keys, values, strict=True)), settings.prefix)
        found = model.score(cut)
        write_rows(self._database, found.rows)
        for asset, alert in found.alerts:
            self._producer.produce(settings.alerts, alert, asset)
        self._producer.flush()
        if found.rings:
            self._redis.mset(dict(found.rings))


def main() -> None:
    """Run until killed."""
    settings = given()
    app = Application(
        broker_address=settings.brokers,
        consumer_group=settings.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        commit_every=COMMIT_EVERY,
        commit_interval=COMMIT_INTERVAL_S,
        consumer_extra_config={"fetch.wait.max.ms": FETCH_MAX_WAIT_MS},
        loglevel="WARNING",
    )
    topic = app.topic(settings.topic, value_deserializer="json", key_deserializer="bytes")
    app.dataframe(topic).sink(ScoringSink(settings))
    app.run()


if __name__ == "__main__":
    main()
