"""A topic through aiokafka, without a consumer group.

Offsets are the history's business: it keeps them in the transaction of the items, so what was read
and what is stored cannot disagree. A group's committed offset could.

Offsets mean something only within one life of the topic. The local broker keeps everything in
memory, so every start of it is a new life; its cluster id tells. A topic deleted and made anew on
the same cluster is recognised by its records (``topic_log.py``). In both cases reading starts
over: items carry derived ids, so reading them again is harmless.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Generic

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from api.adapters.kafka.topic_log import AnotherLifeError, TopicLog
from api.ports import FeedBatch, FeedPosition, Item, Resume
from common.errors import BackendError, BackendMissingError, BackendUnavailableError
from common.links.kafka import ensure_topics, make_admin, make_consumer, started
from common.logs import get_logger
from common.settings import KafkaSettings, RetentionSettings

_log = get_logger(__name__)


class KafkaFeed(Generic[Item]):
    """Reads all partitions of a topic.

    Args:
        settings: Which broker.
        retention: How topics are made that are missing.
        what: What is on the topic, such as ``alerts``, for the log.
        topic: Which one.
        decode: Makes an item of a record; nothing of what is none, for it would block all others.
        settle_s: How long what arrives may lie before it is read, s: for what nobody waits for.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        retention: RetentionSettings,
        what: str,
        topic: str,
        decode: Callable[[Any], Item | None],
        settle_s: float = 0.0,
    ) -> None:
        self._settings, self._retention = settings, retention
        self._what, self._topic, self._decode = what, topic, decode
        self._settle_s = settle_s
        self._admin: Any = None
        self._trouble = "not connected yet"

    async def batches(self, resume: Resume) -> AsyncGenerator[FeedBatch[Item], None]:
        """Connect and yield what arrives; see the port."""
        try:
            with our_errors(self._settings):
                async with AsyncExitStack() as stack:
                    await ensure_topics(self._settings, self._retention)
                    admin = await self._start_admin(stack)
                    consumer = await stack.enter_async_context(
                        started(make_consumer(self._settings), self._settings)
                    )
                    source = await self._source(admin)
                    positions = await self._assign(consumer, await resume(source))
                    self._admin = admin
                    _log.info(f"reading {self._what}", topic=self._topic, partitions=len(positions))
                    log = TopicLog(consumer, source, positions, self._decode, self._settle_s)
                    async for batch in self._read(consumer, log):
                        yield batch
                    _log.warning(f"the {self._what} topic is another one now", topic=self._topic)
        except BackendError as exc:
            self._trouble = str(exc)
            raise
        finally:
            self._admin = None

    async def ping(self) -> None:
        """Return when the broker answers on the feed's own connection."""
        if self._admin is None:
            raise BackendUnavailableError(
                f"not reading from the broker at {self._settings.bootstrap_servers}: "
                f"{self._trouble}"
            )
        with our_errors(self._settings):
            await self._source(self._admin)

    async def _start_admin(self, stack: AsyncExitStack) -> Any:
        admin = make_admin(self._settings)
        stack.push_async_callback(admin.close)
        await admin.start()
        return admin

    async def _assign(
        self, consumer: Any, known: Mapping[int, FeedPosition]
    ) -> dict[TopicPartition, FeedPosition]:
        await consumer.topics()  # brings the metadata that the next line needs
        numbers = consumer.partitions_for_topic(self._topic)
        if not numbers:
            raise BackendUnavailableError(f"The broker has no topic {self._topic} yet.")
        positions = {
            TopicPartition(self._topic, number): known.get(number, FeedPosition(0))
            for number in sorted(numbers)
        }
        consumer.assign(list(positions))
        return positions

    async def _read(
        self, consumer: Any, log: TopicLog[Item]
    ) -> AsyncGenerator[FeedBatch[Item], None]:
        """Yield what arrives until the topic is another one.

        What was fetched just before the change is yielded all the same: the items are items, and
        the offset is noted under the old source, where it does no harm.
        """
        async for batch in log.start():
            yield batch
        numbers = {partition.partition for partition in log.positions}
        while True:
            try:
                async for batch in log.news():
                    yield batch
            except AnotherLifeError:
                return
            if consumer.partitions_for_topic(self._topic) != numbers:
                return
            if await self._source(self._admin) != log.source:
                return

    async def _source(self, admin: Any) -> str:
        described = await admin.describe_cluster()
        return f"{described['cluster_id']}/{self._topic}"


@contextmanager
def our_errors(settings: KafkaSettings) -> Iterator[None]:
    """Turn what the driver raises into our errors."""
    try:
        yield
    except BackendMissingError as exc:
        raise BackendUnavailableError(str(exc)) from exc
    except (KafkaError, OSError) as exc:
        raise BackendUnavailableError(
            f"The broker at {settings.bootstrap_servers} failed: {exc!r}"
        ) from exc
