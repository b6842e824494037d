"""States that were lost come back from the topic: all of a partition's, or single ones.

Beside the states, the store holds for each partition how far they reach. When a batch begins
further on than that (Redis was restarted empty, or from an old snapshot, or a new key prefix was
chosen), the records in between are read again and taken through the same core, without outputs:
those were written before the offsets were committed. What retention has eaten is gone; such assets
warm up again, and nobody gets a score from half a window.

A single state that was lost, or has come back older than it was, is told by the partition's ledger
(``detector/core/ledger.py``). Then the whole partition's progress is taken back to where the states
still reach, and the rest is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Final, TypeVar

from msgspec import structs

from common.logs import get_logger
from detector.core.fleet import Fleets
from detector.core.ledger import losses, survivors
from detector.core.past import Past, Restorer
from detector.core.pipeline import AssetRun, NextState
from detector.core.state.asset import AssetState, Fence, fresh_state
from detector.core.state.progress import NextProgress, Progress
from detector.failpoints import Point, PointListener, ignore_points
from detector.ports import StateStore, Stored, TopicHistory

Each = TypeVar("Each")
logger = get_logger(__name__)

PART_BATCHES: Final = 16
"""Batches of the past in one part: 64,000 readings, 5 MB, at the usual batch size."""

PORTION_KEYS: Final = 1000
"""States read and written at once: 1.7 MB of the shipped models'."""


class StateRebuilder:
    """Rebuilds the states of a partition's assets from the topic, part by part.

    Each part ends with its states stored and the partition's progress moved on, as a batch does.
    So the memory a rebuild needs does not depend on how long the past is, and a rebuild that was
    killed goes on where it was. Progress is moved only from where this rebuild left it: whoever
    finds another value has lost the partition, or the store has lost its data once more.
    """

    def __init__(
        self,
        fleets: Fleets,
        states: StateStore,
        history: TopicHistory,
        at: PointListener = ignore_points,
    ) -> None:
        self._fleets = fleets
        self._states = states
        self._history = history
        self._restorer = Restorer(fleets)
        self._at = at

    async def rebuild(self, partition: int, start: Progress | None, end: int) -> None:
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
        begin = None if start is None else start.next_offset
        log.warning("states are rebuilt from the topic", start=begin, end=end)
        reached = start or Progress(0)
        if start is None:
            # From here on the store knows that nothing is known, so that a further loss shows.
            await self._states.write({}, {partition: NextProgress(reached, None)})
        async with aclosing(self._parts(partition, begin, end)) as parts:
            async for past, next_offset in parts:
                if not await self._store(past, reached, next_offset):
                    log.warning("the stored states have changed meanwhile", reached=begin)
                    return
                reached = replace(reached, next_offset=next_offset)
                if next_offset < end:
                    log.info("states are coming back", reached=next_offset, end=end)
                    self._at(Point.REBUILDING)
        log.warning("states are back", end=end)

    async def take_back(self, partition: int, known: Progress) -> None:
        """Take a partition's progress back to where the states still reach of all its assets.

        Every entry of its ledger is looked at, so that assets that were lost together come back
        together. What the ledger says of them is taken back too: a further loss shows again.

        Args:
            partition: Of which a state was found to be lost.
            known: Its progress, as stored.

        Raises:
            BackendError: If the store cannot be read or written.
        """
        ledger = await self._states.ledger(partition)
        lost: dict[AssetRun, int] = {}
        for keys in _portions(ledger):
            stored = await self._states.read(list(keys), [partition], {partition: list(keys)})
            lost |= lost_on(stored, partition, known.life)
        if not lost:
            return
        back = min(known.next_offset, max(0, min(lost.values())))
        told = {
            key: structs.replace(ledger[key], next_offset=far) if far >= 0 else None
            for key, far in lost.items()
        }
        logger.warning(
            "states are lost, or older than they were: their partition is taken back",
            partition=partition,
            assets=len(lost),
            some=[list(key) for key in list(lost)[:3]],
            start=back,
            end=known.next_offset,
        )
        earlier = replace(known, next_offset=back)
        await self._states.write({}, {partition: NextProgress(earlier, known, told)})

    async def replace_unreadable(
        self, partition: int, progress: Progress, fences: Mapping[AssetRun, Fence]
    ) -> None:
        """Rebuild single states in whose place the store has a foreign value.

        Args:
            partition: Where their readings stand.
            progress: How far the partition has been applied; they are brought up to there.
            fences: What the store must be told to expect, by key.

        Raises:
            BackendError: If the topic cannot be read or the states cannot be written.
        """
        end = progress.next_offset
        known: dict[AssetRun, AssetState] = {}
        async with aclosing(self._parts(partition, None, end)) as parts:
            async for past, _ in parts:
                readings = {key: part for key, part in past.by_asset().items() if key in fences}
                restored = await asyncio.to_thread(
                    self._restorer.restore, partition, progress.life, readings, known
                )
                known |= {key: item.state for key, item in restored.items()}
        # of whom the topic holds nothing, nothing is known, not even the fleet: seen as new by then
        gone = fences.keys() - known.keys()
        home = Fence(partition, end, progress.life)
        for key in gone:
            known[key] = fresh_state(next(iter(self._fleets.values())), home)
        await self._states.write(
            {key: NextState(state, fences[key]) for key, state in known.items()}, {}
        )
        logger.warning(
            "unreadable states are back", partition=partition, assets=len(known), lost=len(gone)
        )

    async def _parts(
        self, partition: int, start: int | None, end: int
    ) -> AsyncGenerator[tuple[Past, int], None]:
        """Yield the past in parts, each with the offset after it; the last one reaches the end."""
        past, batches = Past(partition, self._fleets), 0
        async with aclosing(self._history.read(partition, start, end)) as history:
            async for records in history:
                if batches == PART_BATCHES:
                    yield past, records[0].position.offset
                    past, batches = Past(partition, self._fleets), 0
                await asyncio.to_thread(past.add, records)
                batches += 1
        yield past, end

    async def _store(self, past: Past, reached: Progress, next_offset: int) -> bool:
        """Take the stored states through a part of the past; false if they are not as left."""
        partition = past.partition
        for readings in _portions(past.by_asset()):
            keys = list(readings)
            stored = await self._states.read(keys, [partition], {partition: keys})
            if stored.progress.get(partition) != reached:
                return False
            if lost_on(stored, partition, reached.life):
                await self.take_back(partition, reached)
                return False
            states = await asyncio.to_thread(
                self._restorer.restore, partition, reached.life, readings, stored.states
            )
            told = survivors(stored.states, states, partition)
            await self._states.write(states, {partition: NextProgress(reached, reached, told)})
        next_progress = replace(reached, next_offset=next_offset)
        await self._states.write({}, {partition: NextProgress(next_progress, reached)})
        return True


def lost_on(stored: Stored, partition: int, life: int) -> dict[AssetRun, int]:
    """Return whose state is lost, of those that were read with a partition's ledger."""
    ledger = stored.ledgers.get(partition, {})
    ours = {key: entry for key, entry in ledger.items() if key not in stored.unreadable}
    return losses(ours, stored.states, life)


def _portions(by_key: Mapping[AssetRun, Each]) -> Iterator[Mapping[AssetRun, Each]]:
    """Cut into portions of at most ``PORTION_KEYS``."""
    items = list(by_key.items())
    for first in range(0, len(items), PORTION_KEYS):
        yield dict(items[first : first + PORTION_KEYS])
