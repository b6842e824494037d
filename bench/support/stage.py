"""A broker and a Valkey of a benchmark's own, and installations of the detector on them."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.support.installation import Installation
from bench.support.processes import program
from common.settings import KafkaSettings, RedisSettings
from deploy.local.programs import broker_command, free_port, valkey_command


@dataclass
class Servers:
    """Servers that run, and a folder.

    Attributes:
        kafka: The broker; its prefix is nobody's.
        redis: Valkey; its prefix likewise.
        redis_port: Where it listens.
        broker_pid: The broker's process.
        redis_pid: Valkey's.
        folder: For logs and stores.
    """

    kafka: KafkaSettings
    redis: RedisSettings
    redis_port: int
    broker_pid: int
    redis_pid: int
    folder: Path
    _made: int = field(default=0, init=False)

    def installation(self, partitions: int = 8) -> Installation:
        """Return an installation with topics, keys and files of its own."""
        return self.beside(
            self.kafka.model_copy(
                update={"topic_prefix": f"bench-{uuid.uuid4().hex[:8]}", "partitions": partitions}
            )
        )

    def beside(self, kafka: KafkaSettings) -> Installation:
        """Return another installation on the same topics: its own group, keys and files."""
        self._made += 1
        name = f"{self._made:03}"
        folder = self.folder / name
        folder.mkdir()
        redis = self.redis.model_copy(update={"key_prefix": f"bench-{name}"})
        return Installation(kafka, redis, folder, group=f"{kafka.topic_prefix}-{name}")


@contextmanager
def servers() -> Iterator[Servers]:
    """Run a broker and Valkey on loopback until the block ends."""
    broker_port, valkey_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="surgeline-bench-") as name:
        folder = Path(name)
        with (
            program(broker_command(broker_port), folder / "broker.log", port=broker_port) as broker,
            program(
                valkey_command(valkey_port, folder), folder / "valkey.log", port=valkey_port
            ) as valkey,
        ):
            yield Servers(
                KafkaSettings(bootstrap_servers=f"127.0.0.1:{broker_port}"),
                RedisSettings.model_validate({"url": f"redis://127.0.0.1:{valkey_port}/0"}),
                valkey_port,
                broker.pid,
                valkey.pid,
                folder,
            )


@contextmanager
def stage(partitions: int = 8) -> Iterator[Installation]:
    """Run the servers until the block ends, and yield one installation on them.

    Args:
        partitions: Of the readings topic.
    """
    with servers() as running:
        yield running.installation(partitions)
