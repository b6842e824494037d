"""States that were lost come back from the topic.

Beside the states, the store holds for each partition how far they reach. When a batch begins
further on than that (Redis was restarted empty, or from an old snapshot, or a new key prefix was
chosen), the records in between are read again and taken through the same core, without outputs:
those were written before the offsets were committed. What retention has eaten is gone; such assets
warm up again, and nobody gets a score from half a window.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from typing import Final

from common.logs import get_logger
from detector.core.past import Past, Readings, Restorer
from detector.core.pipeline import AssetRun
from detector.core.policy import InputPolicy
from detector.core.source import Span
from detector.ports import NextProgress, StateStore, TopicHistory
from detector.protocol import Point, PointListener, ignore_points
from models.alarm import AlarmPolicy
from models.serving import WindowScorer

logger = get_logger(__name__)

PART_BATCHES: Final = 16
"""Batches of the past in one part: 64,000 readings, 5 MB, at the usual batch size."""

PORTION_KEYS: Final = 1000
"""States read and written at once: 1.7 MB of the shipped models'."""


def behind(first: Mapping[int, int], progress: Mapping[int, int]) -> dict[int, int | None]:
    """Return the partitions whose states do not reach the batch, and from where they must.

    Args:
        first: The batch's first offset of each partition.
        progress: How far the stored states reach.

    Returns:
        By partition, the first offset to read again; none for the oldest there is.
    """
    return {
        partition: progress.get(partition)
        for partition, offset in first.items()
        if progress.get(partition, 0) < offset
    }


def next_progress(
    spans: Mapping[int, Span], progress: Mapping[int, int]
) -> dict[int, NextProgress]:
    """Return how far each partition reaches after a batch; a redelivery never takes it back.

    Args:
        spans: What the batch covered of each partition.
        progress: What is stored.
    """
    return {
        partition: NextProgress(max(span.end, progress.get(partition, 0)), progress.get(partition))
        for partition, span in spans.items()
    }


class StateRebuilder:
    """Rebuilds the states of a partition's assets from the topic, part by part.

    Each part ends with its states stored and the partition's progress moved on, as a batch does.
    So the memory a rebuild needs does not depend on how long the past is, and a rebuild that was
    killed goes on where it was. Progress is moved only from where this rebuild left it: whoever
    finds another value has lost the partition, or the store has lost its data once more.
    """

    def __init__(
        self,
        scorer: WindowScorer,
        states: StateStore,
        history: TopicHistory,
        alarm: AlarmPolicy,
        input_policy: InputPolicy,
        at: PointListener = ignore_points,
    ) -> None:
        self._scorer = scorer
        self._states = states
        self._history = history
        self._input = input_policy
        self._restorer = Restorer(scorer, alarm, input_policy)
        self._at = at

    async def rebuild(self, partition: int, start: int | None, end: int) -> None:
        """Bring the stored states of one partition up to ``end``, or some way there.

        Returns early when the stored progress is not what this rebuild left: the caller looks
        again how far the states reach.

        Args:
            partition: Which partition.
            start: How far the stored states reach; none if nothing is known.
            end: Where the next batch begins.

        Raises:
            BackendError: If the topic cannot be read or the states cannot be written.
        """
        log = logger.bind(partition=partition)
        log.warning("states are rebuilt from the topic", start=start, end=end)
        reached = start or 0
        if start is None:
            # From here on the store knows that nothing is known, so that a further loss shows.
            await self._states.write({}, {partition: NextProgress(reached, None)})
        async with aclosing(self._parts(partition, start, end)) as parts:
            async for past, next_offset in parts:
                if not await self._store(past, reached, next_offset):
                    log.warning("the stored states have changed meanwhile", reached=reached)
                    return
                reached = next_offset
                if reached < end:
                    log.info("states are coming back", reached=reached, end=end)
                    self._at(Point.REBUILDING)
        log.warning("states are back", end=end)

    async def _parts(
        self, partition: int, start: int | None, end: int
    ) -> AsyncGenerator[tuple[Past, int], None]:
        """Yield the past in parts, each with the offset after it; the last one reaches the end."""
        past, batches = Past(partition, self._scorer, self._input), 0
        async with aclosing(self._history.read(partition, start, end)) as history:
            async for records in history:
                if batches == PART_BATCHES:
                    yield past, records[0].position.offset
                    past, batches = Past(partition, self._scorer, self._input), 0
                await asyncio.to_thread(past.add, records)
                batches += 1
        yield past, end

    async def _store(self, past: Past, reached: int, next_offset: int) -> bool:
        """Take the stored states through a part of the past; false if they are not as left."""
        partition = past.partition
        for readings in _portions(past.by_asset()):
            stored = await self._states.read(list(readings), [partition])
            if stored.progress.get(partition) != reached:
                return False
            states = await asyncio.to_thread(
                self._restorer.restore, partition, readings, stored.states
            )
            await self._states.write(states, {})
        await self._states.write({}, {partition: NextProgress(next_offset, reached)})
        return True


def _portions(readings: Mapping[AssetRun, Readings]) -> Iterator[Mapping[AssetRun, Readings]]:
    """Cut into portions of at most ``PORTION_KEYS``."""
    items = list(readings.items())
    for first in range(0, len(items), PORTION_KEYS):
        yield dict(items[first : first + PORTION_KEYS])
