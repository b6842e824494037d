"""What the state store knows of a batch's assets, made whole first where it was lost or is foreign.

Before a batch is looked at, the store must speak of the same life of the topic, reach up to the
batch, and hold a state of ours for each of its assets. What is missing is mended here, in this
order: a topic that was made anew, foreign values, single lost states, a partition's lost states,
and the homes of new assets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from common.errors import BackendUnavailableError
from common.logs import get_logger
from detector.core.claims import Moves, claims, of_this_life
from detector.core.fleet import Fleets
from detector.core.ledger import speakers
from detector.core.pipeline import AssetRun, DecodedBatch
from detector.core.reading.source import SourceBatch, Span
from detector.core.state.asset import AssetState
from detector.core.state.known import States
from detector.core.state.progress import NextProgress, Progress, behind
from detector.delivery.recovery import StateRebuilder, lost_on
from detector.failpoints import Point, PointListener
from detector.metrics import DetectorMetrics
from detector.ports import StateStore, Stored, TopicHistory, TopicLook

logger = get_logger(__name__)


class Try(Protocol):
    """Does a step of the protocol, again and again while a backend is down."""

    async def __call__(self, step: str, action: Callable[[], Awaitable[Any]]) -> Any:
        """Return what the action returns."""


@dataclass(frozen=True, slots=True)
class Footing:
    """What a batch stands on.

    Attributes:
        states: The state of each of its assets.
        stored: As the store has it: progress and intents.
    """

    states: Mapping[AssetRun, AssetState]
    stored: Stored


class StateKeeper:
    """Reads states for a batch.

    Args:
        fleets: Whose models judge the readings.
        states: The state store.
        history: The past of the readings topic.
        rebuilder: Brings lost states back.
        moves: Notices assets that have moved.
        attempt: Does a step.
        catch_up: Processes a batch with its outputs.
        metrics: Counts.
        at: Told when a point is reached.
    """

    def __init__(
        self,
        fleets: Fleets,
        states: StateStore,
        history: TopicHistory,
        rebuilder: StateRebuilder,
        moves: Moves,
        attempt: Try,
        catch_up: Callable[[SourceBatch], Awaitable[object]],
        metrics: DetectorMetrics,
        at: PointListener,
    ) -> None:
        self._fleets = fleets
        self._states, self._history, self._rebuilder = states, history, rebuilder
        self._moves, self._try, self._catch_up = moves, attempt, catch_up
        self._metrics, self._at = metrics, at
        self._known: set[int] = set()

    def serve(self, fleets: Fleets, rebuilder: StateRebuilder) -> None:
        """Go on with other fleets."""
        self._fleets, self._rebuilder = fleets, rebuilder

    def reassigned(self) -> None:
        """Take note that partitions were assigned anew: their topic may be another one by now."""
        self._known.clear()

    async def footing(self, batch: DecodedBatch, source: SourceBatch) -> Footing:
        """Return what the batch stands on.

        Raises:
            BackendRefusedError: If a backend refuses for good.
        """
        keys, speaking = list(batch.by_asset), speakers(batch)
        while True:
            stored: Stored = await self._try(
                "read_states", lambda: self._states.read(keys, list(source.spans), speaking)
            )
            if await self._notices_new_life(source, stored):
                continue
            if await self._replaces_unreadable(batch, stored):
                continue
            if await self._takes_back(stored):
                continue
            if not await self._reaches(source, stored):
                continue
            self._at(Point.STATES_READ)
            return await self._settled(batch, stored)

    async def _notices_new_life(self, source: SourceBatch, stored: Stored) -> bool:
        """Look whether the topic is still the one the states speak of; if not, say so in the store.

        It is looked at, as it is now, whenever a batch begins behind what is applied: a
        redelivery, or offsets that began anew. The id that came with the batch may be some seconds
        old, so that it settles nothing there. Elsewhere it does; without one, the topic is looked
        at once after each assignment, and when its id is heard for the first time.
        """
        doubtful = {
            partition: known
            for partition, known in stored.progress.items()
            if known.next_offset and self._doubts(source, partition, known)
        }
        self._known.update(source.spans)
        if not doubtful:
            return False
        look: TopicLook = await self._try("look_back", partial(self._history.look_back, doubtful))
        for partition in look.gone:
            known = stored.progress[partition]
            logger.error(
                "the readings topic was deleted and made anew: its states start over, and it is "
                "read from its beginning",
                partition=partition,
                applied_before=known.next_offset,
            )
            self._metrics.topics_made_anew.inc()
            unread_before = max(known.next_offset, known.unread_before)
            anew = Progress(0, known.life + 1, None, unread_before, look.topic_id)
            await self._try(
                "write_states",
                partial(self._states.write, {}, {partition: NextProgress(anew, known)}),
            )
        return bool(look.gone)

    def _doubts(self, source: SourceBatch, partition: int, known: Progress) -> bool:
        if source.spans[partition].begin < known.next_offset:
            return True
        if source.topic_id:
            return source.topic_id != known.topic_id
        return partition not in self._known

    async def _replaces_unreadable(self, batch: DecodedBatch, stored: Stored) -> bool:
        by_partition: dict[int, dict[AssetRun, Any]] = {}
        for key, fence in stored.unreadable.items():
            partition = batch.by_asset[key][0].record.position.partition
            by_partition.setdefault(partition, {})[key] = fence
        for partition, fences in by_partition.items():
            self._metrics.unreadable_states.inc(len(fences))
            known = stored.progress.get(partition, Progress(0))
            await self._try(
                "rebuild",
                partial(self._rebuilder.replace_unreadable, partition, known, fences),
            )
        return bool(by_partition)

    async def _takes_back(self, stored: Stored) -> bool:
        """Take partitions back of which a state is lost, so that they are rebuilt from there."""
        any_lost = False
        for partition, known in stored.progress.items():
            if lost := lost_on(stored, partition, known.life):
                any_lost = True
                self._metrics.lost_states.inc(len(lost))
                take_back = partial(self._rebuilder.take_back, partition, known)
                await self._try("rebuild", take_back)
        return any_lost

    async def _reaches(self, source: SourceBatch, stored: Stored) -> bool:
        """Bring states up to the batch where they do not reach it; false if any did not."""
        lost = behind(source.spans, stored.progress)
        for partition in lost:
            known = stored.progress.get(partition)
            if known is not None and known.catching_up:
                await self._try("catch_up", partial(self._catches_up, source, partition, known))
                continue
            await self._try("rebuild", partial(self._rebuilds, source, partition, known))
            self._metrics.rebuilds.inc()
            self._at(Point.REBUILT)
        return not lost

    async def _rebuilds(self, source: SourceBatch, partition: int, known: Progress | None) -> None:
        """Rebuild a partition's states, unless the topic was made anew meanwhile.

        Raises:
            BackendUnavailableError: If the past cannot be read although it should be there.
        """
        end = source.spans[partition].begin
        try:
            await self._rebuilder.rebuild(partition, known, end)
        except BackendUnavailableError:
            expected = known or Progress(end, topic_id=source.topic_id)
            look = await self._history.look_back({partition: expected})
            if partition not in look.gone:
                raise
            if known is not None:
                self._known.discard(partition)  # it is noticed when the store is read next
            else:
                logger.exception("the past was deleted: assets warm up again", partition=partition)
                await self._stand_at(partition, Progress(end, topic_id=source.topic_id))

    async def _catches_up(self, source: SourceBatch, partition: int, known: Progress) -> None:
        """Give readings of a topic made anew their outputs, up to where the batch begins."""
        end = source.spans[partition].begin
        logger.warning(
            "the beginning of the topic made anew is read",
            partition=partition,
            start=known.next_offset,
            end=end,
        )
        begin = known.next_offset
        try:
            await self._read_anew(source, partition, begin, end)
        except BackendUnavailableError:
            look = await self._history.look_back({partition: Progress(end)})
            if partition not in look.gone:
                raise
            # what is in hand is of the topic that is gone: it is not waited for
            await self._stand_at(partition, Progress(end, known.life))

    async def _stand_at(self, partition: int, progress: Progress) -> None:
        """Let a partition's states count as reaching so far, whatever they are."""
        stored = await self._states.read([], [partition])
        before = stored.progress.get(partition)
        await self._states.write({}, {partition: NextProgress(progress, before)})

    async def _read_anew(self, source: SourceBatch, partition: int, begin: int, end: int) -> None:
        async with aclosing(self._history.read(partition, begin, end)) as history:
            async for records in history:
                after = records[-1].position.offset + 1
                await self._catch_up(
                    SourceBatch(records, {partition: Span(begin, after)}, topic_id=source.topic_id)
                )
                begin = after
        if begin < end:
            await self._catch_up(
                SourceBatch([], {partition: Span(begin, end)}, topic_id=source.topic_id)
            )

    async def _settled(self, batch: DecodedBatch, stored: Stored) -> Footing:
        """Write down where new and moved assets are at home, and return all states."""
        lives = {partition: known.life for partition, known in stored.progress.items()}
        moved = self._moves.due(batch)
        states = States.of(stored.states)
        while wanted := claims(batch, states, lives, moved, self._fleets):
            refused = await self._try("claim", partial(self._states.write, wanted, {}))
            mine = wanted.keys() - set(refused)
            for key in moved.keys() & mine:
                logger.warning("an asset is followed to another partition", asset=list(key))
            states = states.without(mine)
            states.update(States({key: wanted[key].state for key in mine}))
            moved = {}
            if refused:
                again: Stored = await self._try(
                    "read_states", partial(self._states.read, list(refused), [])
                )
                states = states.without(set(refused))
                states.update(States.of(again.states))
        return Footing(of_this_life(states, lives), replace(stored, states=states))
