"""What every user of the broker needs: topics that exist, clients alike, reading to the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError

from common.errors import BackendMissingError, BackendUnavailableError
from common.intake.consumer import IntakeConsumer
from common.intake.fetcher import log_set_aside
from common.links.kafka_access import connection, refusal
from common.settings import KafkaSettings, RetentionSettings
from common.topics import Topics

MAX_REQUEST_BYTES = 1024 * 1024
"""Largest message we send; brokers refuse more than 1 MiB unless told otherwise."""

FETCH_MAX_WAIT_MS = 25
"""How long the broker may hold a fetch back. The local broker looks again only when half of it is
over, so a record waits 7 ms for an idle reader, and 14 ms with 100. It costs an idle reader and the
broker a hundredth of a core each."""

FETCH_MAX_BYTES = 2 * 1024 * 1024
"""What one fetch may bring, as sent, and so what is held ahead, by the local broker's reading of it
for each partition. The driver's 50 MiB are no faster.
One batch of records that is larger comes whole all the same."""


NOT_CONNECTED: Final = (KafkaConnectionError, ValueError)
"""What a client raises that could not connect; the second where the broker's proof of SCRAM is
wrong."""


async def ensure_topics(
    settings: KafkaSettings,
    retention: RetentionSettings = RetentionSettings(),  # noqa: B008 - immutable
) -> None:
    """Create the topics that do not exist yet; those that do are left as they are.

    Args:
        settings: Which broker.
        retention: How long, and how many of them, dead letters are kept by the broker.

    Raises:
        BackendMissingError: If no broker answers at the address.
        BackendRefusedError: If it does not let us in, or cannot prove who it is.
    """
    topics = Topics(settings.topic_prefix)
    wanted = dict.fromkeys((topics.alerts, topics.evidence, topics.dead_letter), 1)
    wanted[topics.readings] = settings.partitions
    admin = make_admin(settings)
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = [
            NewTopic(
                name,
                partitions,
                settings.replication_factor,
                topic_configs=letter_configs(retention) if name == topics.dead_letter else {},
            )
            for name, partitions in wanted.items()
            if name not in existing
        ]
        if missing:
            await admin.create_topics(missing)
    except TopicAlreadyExistsError:
        pass  # another service was a moment faster
    except NOT_CONNECTED as exc:
        raise await refusal(settings) or BackendMissingError(
            f"No broker answers at {settings.bootstrap_servers}. Start one with `surgeline up`, or "
            f"set SURGELINE_KAFKA__BOOTSTRAP_SERVERS. A broker that hangs up may ask for TLS, a "
            f"certificate or a password: docs/security.md. ({exc})"
        ) from exc
    except KafkaError as exc:
        raise BackendUnavailableError(f"The broker could not create topics: {exc}") from exc
    finally:
        await admin.close()


def letter_configs(retention: RetentionSettings) -> dict[str, str]:
    """Return the configuration of the dead-letter topic: what the broker removes, and when.

    Example:
        >>> letter_configs(RetentionSettings(dead_letters_days=1, dead_letters_max_mib=0))
        {'cleanup.policy': 'delete', 'retention.ms': '86400000', 'retention.bytes': '-1'}
    """
    days, mib = retention.dead_letters_days, retention.dead_letters_max_mib
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(int(days * 86_400_000)) if days else "-1",
        "retention.bytes": str(mib * 1024 * 1024) if mib else "-1",
    }


def make_admin(settings: KafkaSettings) -> AIOKafkaAdminClient:
    """Return an unstarted client that asks and changes topics and groups."""
    return AIOKafkaAdminClient(**connection(settings))


def make_producer(settings: KafkaSettings, linger_ms: int | None = None) -> AIOKafkaProducer:
    """Return an unstarted producer that waits for all replicas.

    Args:
        settings: Which broker.
        linger_ms: How long to wait for more to send; as the settings say if left out. Whoever sends
            all there is and then waits for the acknowledgements gains nothing by it: 0.
    """
    return AIOKafkaProducer(
        **connection(settings),
        acks="all",
        enable_idempotence=settings.idempotent_producer,
        linger_ms=settings.linger_ms if linger_ms is None else linger_ms,
        max_batch_size=256 * 1024,
        max_request_size=MAX_REQUEST_BYTES,
    )


def make_consumer(
    settings: KafkaSettings, fetch_max_bytes: int = FETCH_MAX_BYTES, group_id: str | None = None
) -> IntakeConsumer:
    """Return an unstarted consumer of committed data, outside all groups unless told otherwise.

    Told to begin at an offset the broker no longer has, or never had, it begins at the oldest.

    Args:
        settings: Which broker.
        fetch_max_bytes: What one fetch may bring, as sent.
        group_id: The group it joins; none for none.
    """
    return IntakeConsumer(
        **connection(settings),
        group_id=group_id,
        session_timeout_ms=round(settings.ingest_session_timeout_s * 1000),
        heartbeat_interval_ms=round(settings.ingest_session_timeout_s * 1000 / 6),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        fetch_max_bytes=fetch_max_bytes,
    )


@asynccontextmanager
async def started(client: Any, settings: KafkaSettings | None = None) -> AsyncIterator[Any]:
    """Start a producer or consumer, and stop it whatever happens.

    Args:
        client: What to start.
        settings: What it was made with; without them nobody can tell a refusal.

    Raises:
        BackendMissingError: If no broker answers.
        BackendRefusedError: If it does not let us in, or cannot prove who it is.
    """
    try:
        await client.start()
    except BaseException as exc:
        await client.stop()  # also when cancelled: an unclosed client complains at exit
        if isinstance(exc, NOT_CONNECTED):
            why = None if settings is None else await refusal(settings)
            raise why or BackendMissingError(f"No broker answers: {exc}") from exc
        raise
    try:
        yield client
    finally:
        await client.stop()


async def read_to_end(settings: KafkaSettings, topic: str) -> AsyncGenerator[Any, None]:
    """Yield every committed record that is on ``topic`` now, from the beginning, and stop.

    The end is where each partition's committed data end as its fetches report it; the local
    broker's end offsets are wrong after batches of several records, so they are not asked for. A
    batch that nobody can read is skipped with a line in the log.

    Raises:
        BackendUnavailableError: If a partition does not reach its end within the timeout.
    """
    consumer = make_consumer(settings)
    async with started(consumer, settings):
        partitions = [
            TopicPartition(topic, number)
            for number in sorted(
                consumer.partitions_for_topic(topic) or await _all(consumer, topic)
            )
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        silent_fetches = 0
        limit = max(10, int(settings.op_timeout_s / 0.2))
        while not await _at_end(consumer, partitions):
            parts = await consumer.parts(timeout_ms=200, max_records=5000)
            silent_fetches = 0 if parts else silent_fetches + 1
            if silent_fetches > limit:
                raise BackendUnavailableError(f"The broker sent nothing of {topic} for too long.")
            log_set_aside(parts)
            for part in parts.values():
                for record in part.records:
                    yield record


async def _all(consumer: Any, topic: str) -> set[int]:
    await consumer._client._wait_on_metadata(topic)  # aiokafka has no public call for this
    return set(consumer.partitions_for_topic(topic) or ())


async def _at_end(consumer: IntakeConsumer, partitions: list[TopicPartition]) -> bool:
    for partition in partitions:
        end = consumer.end_of_committed(partition)
        if end is None or await consumer.position(partition) < end:
            return False
    return True
