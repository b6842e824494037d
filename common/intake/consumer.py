"""aiokafka's consumer, reading through the intake: bounded, and past all damage."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError

from common.intake.fetcher import MAX_TAKEN_BYTES, Fetcher, Parts, rebound
from common.intake.topic_id import topic_id_of


class IntakeConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer on the fetcher above; ``getmany`` works as ever."""

    start = rebound(AIOKafkaConsumer.start, Fetcher=Fetcher)

    async def parts(
        self,
        *partitions: TopicPartition,
        timeout_ms: int,
        max_records: int,
        max_bytes: int = MAX_TAKEN_BYTES,
        top_up_ms: float = 0.0,
    ) -> Parts:
        """Return what has come, with how far it reaches and what cannot be read; see ``Fetcher``.

        A part may hold no record: a transaction's end, an aborted one, a gap, or damage.
        """
        if self._closed:
            raise ConsumerStoppedError
        self._coordinator.check_errors()
        with self._subscription.fetch_context():
            found: Parts = await self._fetcher.parts(
                partitions, timeout_ms / 1000, max_records, max_bytes, top_up_ms / 1000
            )
            return found

    def end_of_committed(self, where: TopicPartition) -> int | None:
        """Return where committed data of a partition end, as its last fetch said; none before.

        Transactions that are still open begin there.
        """
        end: int | None = self.highwater(where)
        stable: int | None = self.last_stable_offset(where)
        return end if end is None or stable is None or stable < 0 else min(end, stable)

    async def topic_id(self, topic: str) -> str | None:
        """Return the broker's id of a topic: another one when it was deleted and made anew.

        Returns:
            None where the broker has no ids, or does not know the topic.
        """
        return await topic_id_of(self._client, self._client.get_random_node(), topic)
