"""Whether a topic is still the one we know: asked of the broker, now.

Told to begin at an offset that is not there, a consumer of ours begins at the oldest; the high
watermark tells how far a partition reaches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from common.errors import BackendMissingError, BackendUnavailableError
from common.links.kafka import make_consumer, started
from common.settings import KafkaSettings
from detector.adapters.source_records import source_records
from detector.core.state.progress import Progress, mark_of
from detector.ports import TopicLook

FETCH_WAIT_MS: Final = 500
FETCH_MAX_BYTES: Final = 256 * 1024

ENOUGH_SILENCE: Final = 2
"""Fetches without the record, by a broker that has told the high watermark: it does not come."""


async def look_back(
    settings: KafkaSettings, topic: str, progress: Mapping[int, Progress]
) -> TopicLook:
    """Look whether partitions of a topic are still those the progress speaks of.

    Args:
        settings: Which broker.
        topic: Which topic.
        progress: What is known of each partition; all have had records applied.

    Raises:
        BackendUnavailableError: If the broker does not tell.
    """
    try:
        async with started(make_consumer(settings, FETCH_MAX_BYTES), settings) as consumer:
            topic_id = await consumer.topic_id(topic) or ""
            told = {n for n, known in progress.items() if topic_id and known.topic_id}
            gone = {number for number in told if progress[number].topic_id != topic_id}
            unsure = {n: known for n, known in progress.items() if n not in told}
            search = _Search(consumer, topic, unsure)
            limit = max(4, int(settings.op_timeout_s * 1000 / FETCH_WAIT_MS))
            for _ in range(limit):
                if not search.undecided:
                    break
                await search.look()
    except (KafkaError, BackendMissingError) as exc:  # it was there when the worker started
        raise BackendUnavailableError(f"{topic} cannot be looked at: {exc!r}") from exc
    if search.undecided:
        raise BackendUnavailableError(
            f"The broker does not say how far {topic} reaches in partitions "
            f"{sorted(search.undecided)}."
        )
    return TopicLook(gone | search.gone, topic_id)


class _Search:
    """Looks at one place of each partition."""

    def __init__(self, consumer: Any, topic: str, progress: Mapping[int, Progress]) -> None:
        self.gone: set[int] = set()
        self.undecided = set(progress)
        self._consumer = consumer
        self._progress = progress
        self._silence = dict.fromkeys(progress, 0)
        self._partitions = {number: TopicPartition(topic, number) for number in progress}
        consumer.assign(list(self._partitions.values()))
        for number, known in progress.items():
            consumer.seek(self._partitions[number], _sought(known))

    async def look(self) -> None:
        """Fetch once, and decide what can be decided."""
        fetched = await self._consumer.getmany(timeout_ms=FETCH_WAIT_MS)
        for number in list(self.undecided):
            partition = self._partitions[number]
            self._decide(number, fetched.get(partition, ()), self._consumer.highwater(partition))

    def _decide(
        self, number: int, records: Sequence[ConsumerRecord], highwater: int | None
    ) -> None:
        known = self._progress[number]
        if highwater is None:
            return
        is_short = highwater < known.next_offset
        if is_short or not records:  # a new leader's high watermark may lag: looked at once more
            self._silence[number] += 1
            if self._silence[number] < ENOUGH_SILENCE:
                return
        if is_short or (records and _is_another(known, records[0])):
            self.gone.add(number)
        self.undecided.discard(number)


def _sought(known: Progress) -> int:
    return known.next_offset - 1 if known.mark is None else known.mark.offset


def _is_another(known: Progress, record: ConsumerRecord) -> bool:
    """Whether the first record that came is none of the topic that is known.

    One that stands before the place that was looked at came because the topic did not reach that
    far when it was asked, however far it reaches by now.
    """
    (found,) = source_records([record])
    offset, sought = found.position.offset, _sought(known)
    if offset != sought:
        return offset < sought
    return known.mark is not None and mark_of(found) != known.mark
