"""A broker, Valkey and a score store of a benchmark's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.settings import KafkaSettings, RedisSettings
from deploy.local.programs import broker_command, free_port, valkey_command
from tests.support.detector import DetectorBench
from tests.support.servers.backends import server


@contextmanager
def stage(partitions: int = 8) -> Iterator[DetectorBench]:
    """Run the servers until the block ends, and yield an installation on them.

    Args:
        partitions: Of the readings topic.
    """
    broker_port, valkey_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            server(broker_command(broker_port), broker_port, folder / "broker.log"),
            server(valkey_command(valkey_port, folder), valkey_port, folder / "valkey.log"),
        ):
            yield DetectorBench(
                KafkaSettings(bootstrap_servers=f"127.0.0.1:{broker_port}", partitions=partitions),
                RedisSettings.model_validate({"url": f"redis://127.0.0.1:{valkey_port}/0"}),
                folder,
            )
