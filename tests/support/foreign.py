"""Somebody else's Kafka clients: librdkafka's, as C, Go, .NET, Python and PHP programs use it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from common.settings import KafkaSettings
from tests.support.servers.backends import wait_until

Sent = tuple[bytes | str | None, bytes | None]

DELIVERED_WITHIN_S: Final = 30.0

SILENT = logging.getLogger("tests.foreign")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """Where the broker put a message, as it told the producer.

    Attributes:
        number: Which of the messages it was.
        partition: The partition.
        offset: The offset there.
    """

    number: int
    partition: int
    offset: int


@dataclass
class ForeignProducer:
    """A producer by librdkafka.

    Attributes:
        kafka: Which broker.
        topic: Where everything goes.
        conf: Its settings, by librdkafka's names.
        headers: Of every message.
    """

    kafka: KafkaSettings
    topic: str
    conf: Mapping[str, str | int | bool]
    headers: Sequence[tuple[str, bytes]] = ()
    _delivered: list[Delivered] = field(default_factory=list)
    _failed: list[str] = field(default_factory=list)

    def send(self, messages: Iterable[Sent]) -> list[Delivered]:
        """Send all, and return where they went, once each is acknowledged.

        Raises:
            AssertionError: If one was not, with the broker's words.
        """
        self._delivered, self._failed = [], []
        producer = Producer(
            {
                "bootstrap.servers": self.kafka.bootstrap_servers,
                "acks": "all",
                "message.timeout.ms": int(DELIVERED_WITHIN_S * 1000),
                **self.conf,
            },
            logger=SILENT,
        )
        for number, (key, value) in enumerate(messages):
            producer.produce(
                self.topic,
                value,
                key,
                headers=list(self.headers) or None,
                on_delivery=self._noting(number),
            )
            producer.poll(0)
        assert producer.flush(DELIVERED_WITHIN_S) == 0, self._failed
        assert not self._failed, self._failed
        return self._delivered

    def _noting(self, number: int) -> Any:
        def note(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failed.append(error.str())
                return
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            self._delivered.append(Delivered(number, partition, offset))

        return note


@contextmanager
def _consumer(kafka: KafkaSettings, group: str) -> Iterator[Consumer]:
    conf: dict[str, str | int | bool] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        # the local broker lets a consumer of librdkafka join after half its session timeout
        "session.timeout.ms": 6000,
    }
    consumer = Consumer(conf, logger=SILENT)
    try:
        yield consumer
    finally:
        consumer.close()


def read_all(kafka: KafkaSettings, topic: str) -> list[Message]:
    """Return what is on partition 0 of a topic now, read by assignment: no group is joined.

    Its end is where the fetches say it is: the local broker's watermarks are wrong.
    """
    with _consumer(kafka, "nobodys") as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Message] = []
        wait_until(lambda: not _take(consumer, found), f"the end of {topic}")
    return found


def read_in_group(kafka: KafkaSettings, topic: str, group: str, count: int) -> list[Message]:
    """Return the group's next messages, each committed once it is taken, then leave the group."""
    with _consumer(kafka, group) as consumer:
        consumer.subscribe([topic])
        found: list[Message] = []

        def enough() -> bool:
            before = len(found)
            _take(consumer, found)
            if len(found) > before:
                consumer.commit(message=found[-1], asynchronous=False)
            return len(found) == count

        wait_until(enough, f"{count} messages of {topic} for {group}")
    return found


def _take(consumer: Consumer, found: list[Message]) -> bool:
    """Take a message if there is one; return whether there may be more before the end."""
    message = consumer.poll(0.2)
    if message is None:
        return True
    error = message.error()
    if error is None:
        found.append(message)
        return True
    if error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return False
