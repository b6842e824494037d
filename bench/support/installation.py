"""One installation of the detector, its workers started as a user starts them.

The tests' own (``tests/support/detector.py``) starts the same workers from a fork server.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families

from bench.support.processes import start, wait_until
from common.intake.consumer import IntakeConsumer
from common.links.kafka import ensure_topics, read_to_end, started
from common.links.kafka_access import credentials
from common.metering.spec import MetricSpec
from common.records.alerts import Alert
from common.records.evidence import AlertEvidence
from common.records.letters import DeadLetter
from common.records.verdicts import ScoreRecord
from common.scorestore.factory import open_score_store
from common.scorestore.port import ScoreQuery
from common.settings import KafkaSettings, RedisSettings, ScoreStoreSettings
from common.topics import Topics
from deploy.local.programs import free_port

ANSWERS_WITHIN_S = 30.0
"""Far more than a status page takes, even of a worker that hardly gets its turn, s."""


@dataclass
class Installation:
    """One installation of the detector: its topics, keys, score store, and workers.

    Attributes:
        kafka: Its broker and topics.
        redis: Its states.
        folder: Where its files are.
        http_port: Of its status page.
        group: The consumer group of its workers; that of its topics if left out.
        scores: Where its verdicts are: a SQLite file in its folder, until set otherwise.
    """

    kafka: KafkaSettings
    redis: RedisSettings
    folder: Path
    http_port: int = field(default_factory=free_port)
    group: str = ""
    scores: ScoreStoreSettings = field(init=False)

    def __post_init__(self) -> None:
        """Choose the score store."""
        self.scores = ScoreStoreSettings(sqlite_path=self.folder / "scores.db")

    @property
    def topics(self) -> Topics:
        """Its topics."""
        return Topics(self.kafka.topic_prefix)

    @property
    def group_id(self) -> str:
        """The consumer group of its workers."""
        return self.group or f"{self.kafka.topic_prefix}-detector"

    def environment(self, **extra: str) -> dict[str, str]:
        """Environment of a worker."""
        kept = {name: value for name, value in os.environ.items() if "SURGELINE_" not in name}
        return kept | {
            "SURGELINE_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "SURGELINE_KAFKA__TOPIC_PREFIX": self.kafka.topic_prefix,
            "SURGELINE_KAFKA__PARTITIONS": str(self.kafka.partitions),
            "SURGELINE_REDIS__URL": self.redis.url.get_secret_value(),
            "SURGELINE_REDIS__KEY_PREFIX": self.redis.key_prefix,
            "SURGELINE_REDIS__CLUSTER": str(self.redis.cluster),
            "SURGELINE_REDIS__CLUSTER_NODES": self.redis.cluster_nodes,
            "SURGELINE_SCORES__BACKEND": self.scores.backend,
            "SURGELINE_SCORES__SQLITE_PATH": str(self.scores.sqlite_path),
            "SURGELINE_SCORES__INFLUX_URL": self.scores.influx_url,
            "SURGELINE_SCORES__INFLUX_BUCKET": self.scores.influx_bucket,
            "SURGELINE_SCORES__INFLUX_TOKEN": self.scores.influx_token.get_secret_value(),
            "SURGELINE_RETENTION__SCORES_DAYS": "0",  # the tests' readings are of a fixed date
            "SURGELINE_DETECTOR__GROUP_ID": self.group_id,
            "SURGELINE_DETECTOR__SESSION_TIMEOUT_S": "2",
            "SURGELINE_DETECTOR__HTTP_PORT": str(self.http_port),
            **extra,
        }

    def start(self, **extra: str) -> subprocess.Popen[bytes]:
        """Start a worker; it may not be ready yet."""
        command = [sys.executable, "-m", "detector"]
        return start(command, self.folder / "detector.log", self.environment(**extra))

    @contextmanager
    def running(self, **extra: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker, ready when the block begins; stopped politely at its end."""
        process = self.start(**extra)
        try:
            wait_until(
                lambda: self.ready(process), f"detector ready; {self.log()[-2000:]}", timeout_s=60
            )
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, self.log()[-3000:]
        finally:
            process.kill()
            process.wait()

    def ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether the worker says it is ready."""
        assert process.poll() is None, self.log()[-3000:]
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.http_port}/ready", timeout=ANSWERS_WITHIN_S
            ) as answer:
                return bool(json.load(answer)["ready"])
        except (urllib.error.URLError, OSError):
            return False

    def problems(self) -> dict[str, str]:
        """What the worker says is wrong, by step."""
        try:
            page = f"http://127.0.0.1:{self.http_port}/ready"
            with urllib.request.urlopen(page, timeout=ANSWERS_WITHIN_S):
                return {}
        except urllib.error.HTTPError as answer:
            found: dict[str, str] = json.load(answer)["problems"]
            return found

    def metric(self, spec: MetricSpec, **labels: str) -> float | None:
        """What the worker's page says of a metric; none where there is no such series."""
        page = f"http://127.0.0.1:{self.http_port}/metrics"
        with urllib.request.urlopen(page, timeout=ANSWERS_WITHIN_S) as answer:
            families = text_string_to_metric_families(str(answer.read(), "utf-8"))
            samples = [sample for family in families for sample in family.samples]
        found = [s.value for s in samples if (s.name, s.labels) == (spec.series, labels)]
        return found[0] if found else None

    def log(self) -> str:
        """What the workers have said."""
        file = self.folder / "detector.log"
        return file.read_text(errors="replace") if file.exists() else ""

    async def send(self, messages: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        """Put (key, value) messages on the readings topic, in order, all acknowledged.

        Large ones too: whoever writes to a topic decides what is on it.
        """
        await ensure_topics(self.kafka)
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka.bootstrap_servers,
            **credentials(self.kafka),
            linger_ms=20,
            max_batch_size=256 * 1024,
            max_request_size=32 * 1024 * 1024,
        )
        async with started(producer):
            for key, value in messages:
                await producer.send(self.topics.readings, value, key=key)
            await producer.flush()

    async def verdict_total(self) -> int:
        """How many readings have their verdict."""
        async with open_score_store(self.scores) as store:
            return sum((await store.verdict_counts()).values())

    async def wait_for_verdicts(self, count: int, timeout_s: float = 60.0) -> None:
        """Return when that many readings have their verdict: in the middle of the work.

        Verdicts come first. What follows them (alerts, dead letters, states, offsets) may still be
        on its way: whoever looks at those, or ends a worker for good, waits with :meth:`settled`.

        Raises:
            TimeoutError: With how far it came, and what the worker said last.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while await self.verdict_total() < count:  # noqa: ASYNC110 - another process writes
                    await asyncio.sleep(0.05)
        except TimeoutError as exc:
            came = await self.verdict_total()
            raise TimeoutError(f"{came} of {count} verdicts; {self.log()[-3000:]}") from exc

    async def wait_for_dead_letters(self, count: int, timeout_s: float = 60.0) -> None:
        """Return when that many dead letters are on the topic.

        Raises:
            TimeoutError: With how far it came, and what the worker said last.
        """
        came = 0
        try:
            async with asyncio.timeout(timeout_s):
                while (came := len(await self.dead_letters())) < count:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError as exc:
            raise TimeoutError(f"{came} of {count} letters; {self.log()[-3000:]}") from exc

    async def settled(self, timeout_s: float = 90.0) -> None:
        """Return when all that is on the readings topic now is done, and nothing is to follow.

        Its offsets are committed, which comes last: after verdicts, alerts, dead letters and
        states. Nothing changes any more unless another message is sent.

        Raises:
            TimeoutError: With how far the group came, and what the worker said last.
        """
        consumer = IntakeConsumer(
            bootstrap_servers=self.kafka.bootstrap_servers,
            **credentials(self.kafka),
            group_id=self.group_id,  # whose commits it reads; a client with partitions of its own
            enable_auto_commit=False,  # never joins
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
        )
        partitions = [
            TopicPartition(self.topics.readings, number) for number in range(self.kafka.partitions)
        ]
        ends: dict[int, int] = {}
        committed: dict[int, int] = {}
        try:
            async with asyncio.timeout(timeout_s), started(consumer):
                consumer.assign(partitions)
                ends = await _ends(consumer, partitions)
                while any(committed.get(number, 0) < end for number, end in ends.items()):
                    await asyncio.sleep(0.1)
                    with suppress(KafkaError):  # the line may be bad: asked again
                        committed = {
                            partition.partition: await consumer.committed(partition) or 0
                            for partition in partitions
                        }
        except TimeoutError as exc:
            raise TimeoutError(f"{committed} of {ends}; {self.log()[-3000:]}") from exc

    async def verdicts(self) -> list[ScoreRecord]:
        """All verdicts on cycles, by time and asset."""
        found: list[ScoreRecord] = []
        async with open_score_store(self.scores) as store:
            cursor: str | None = None
            while True:
                page = await store.query(ScoreQuery(limit=10_000, cursor=cursor))
                found += page.records
                cursor = page.next_cursor
                if cursor is None:
                    return found

    async def alerts(self) -> list[Alert]:
        """Every alert message on the topic, redeliveries included."""
        return [
            Alert.model_validate_json(record.value)
            async for record in read_to_end(self.kafka, self.topics.alerts)
        ]

    async def evidence(self) -> list[AlertEvidence]:
        """All evidence on its topic, redeliveries included."""
        return [
            AlertEvidence.model_validate_json(record.value)
            async for record in read_to_end(self.kafka, self.topics.evidence)
        ]

    async def dead_letters(self) -> list[DeadLetter]:
        """Every dead letter on the topic."""
        return [
            DeadLetter.model_validate_json(record.value)
            async for record in read_to_end(self.kafka, self.topics.dead_letter)
        ]


async def _ends(consumer: IntakeConsumer, partitions: Sequence[TopicPartition]) -> dict[int, int]:
    """Return the offset after each partition's last message, as fetches tell it.

    The local broker's answer to the question itself is wrong after batches of several records.
    """
    await consumer.seek_to_beginning(*partitions)
    while any(consumer.highwater(partition) is None for partition in partitions):
        await consumer.getmany(timeout_ms=100)
    return {partition.partition: consumer.highwater(partition) for partition in partitions}
