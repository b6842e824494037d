"""States that were lost come back from the topic.

Beside the states, the store holds for each partition how far they reach. When a batch begins
further on than that (Redis was restarted empty, or from an old snapshot, or a new key prefix was
chosen), the records in between are read again and taken through the same core, without outputs:
those were written before the offsets were committed. What retention has eaten is gone; such assets
warm up again, and nobody gets a score from half a window.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from common.logs import get_logger
from detector.core.decoding import SourceRecord
from detector.core.pipeline import AssetRun, NextState, conclude, decode_batch, prepare
from detector.core.policy import InputPolicy
from detector.core.state import AssetState, Fence
from detector.ports import NextProgress, StateStore, TopicHistory
from models.alarm import AlarmPolicy
from models.serving import WindowScorer

logger = get_logger(__name__)


def first_offsets(records: Sequence[SourceRecord]) -> dict[int, int]:
    """Return the first offset of each partition in a batch."""
    found: dict[int, int] = {}
    for record in records:
        found.setdefault(record.position.partition, record.position.offset)
    return found


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
    records: Sequence[SourceRecord], progress: Mapping[int, int]
) -> dict[int, NextProgress]:
    """Return how far each partition reaches after a batch; a redelivery never takes it back.

    Args:
        records: The batch.
        progress: What is stored.
    """
    ends: dict[int, int] = {}
    for record in records:
        ends[record.position.partition] = record.position.offset + 1
    return {
        partition: NextProgress(max(end, progress.get(partition, 0)), progress.get(partition))
        for partition, end in ends.items()
    }


class StateRebuilder:
    """Rebuilds the states of a partition's assets from the topic."""

    def __init__(
        self,
        scorer: WindowScorer,
        states: StateStore,
        history: TopicHistory,
        alarm: AlarmPolicy,
        input_policy: InputPolicy,
    ) -> None:
        self._scorer = scorer
        self._states = states
        self._history = history
        self._alarm = alarm
        self._input = input_policy

    async def rebuild(self, partition: int, start: int | None, end: int) -> None:
        """Bring the stored states of one partition up to ``end``. Idempotent.

        Args:
            partition: Which partition.
            start: How far the stored states reach; none if nothing is known.
            end: Where the next batch begins.

        Raises:
            BackendError: If the topic cannot be read or the states cannot be written.
        """
        logger.warning(
            "states are rebuilt from the topic", partition=partition, start=start, end=end
        )
        states: dict[AssetRun, AssetState] = {}
        expected: dict[AssetRun, Fence] = {}
        async for records in self._history.read(partition, start, end):
            batch = decode_batch(records, self._scorer, self._input)
            unread = [key for key in batch.by_asset if key not in expected]
            stored = (await self._states.read(unread, ())).states
            states.update(stored)
            expected.update(
                (key, stored[key].fence if key in stored else Fence()) for key in unread
            )
            plan = prepare(batch, states, self._scorer, self._input)
            scores = await asyncio.to_thread(self._scorer.score, plan.windows)
            outcome = conclude(plan, scores, self._alarm, self._scorer)
            states.update((key, item.state) for key, item in outcome.states.items())
        await self._states.write(
            {key: NextState(state, expected[key]) for key, state in states.items()},
            {partition: NextProgress(end, start)},
        )
        logger.warning("states are back", partition=partition, assets=len(states))
