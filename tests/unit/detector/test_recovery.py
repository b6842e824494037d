"""A rebuild goes part by part: it can be killed, robbed and overtaken, and needs no more memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from detector.adapters.memory import NO_ASSETS, MemoryHistory, MemoryStateStore
from detector.core.pipeline import AssetRun, NextState
from detector.core.reading.source import Span
from detector.core.state.progress import NextProgress, Progress, behind, unpack_progress
from detector.delivery.recovery import PART_BATCHES, PORTION_KEYS, StateRebuilder
from detector.failpoints import Point
from detector.ports import Stored
from tests.support.builders import MeanScorer, fleets_of, reading, records

SCORER = MeanScorer()
FLEET = 3
END = 10 * PART_BATCHES
PAST = records(
    [
        reading(1 + number // FLEET, 643.0 + number % 5, f"engine-{number % FLEET}")
        for number in range(END)
    ]
)
"""Ten parts of one partition's past, at one record a batch."""


class Killed(BaseException):
    """The process is gone."""


class Store(MemoryStateStore):
    """Remembers how much was asked and written at once; can be robbed before a read."""

    def __init__(self) -> None:
        super().__init__()
        self.most_keys = 0
        self.reads = 0
        self.lose_at_read: int | None = None

    async def read(
        self,
        keys: Sequence[AssetRun],
        partitions: Sequence[int],
        speakers: Mapping[int, Sequence[AssetRun]] = NO_ASSETS,
    ) -> Stored:
        self.reads += 1
        self.most_keys = max(self.most_keys, len(keys))
        if self.reads == self.lose_at_read:
            self.values.clear()
            self.progress.clear()
        return await super().read(keys, partitions, speakers)

    async def write(
        self, states: Mapping[AssetRun, NextState], progress: Mapping[int, NextProgress]
    ) -> Sequence[AssetRun]:
        self.most_keys = max(self.most_keys, len(states))
        return await super().write(states, progress)


class Rebuild:
    """A rebuilder over a past, and what it reaches."""

    def __init__(self, store: Store, die_at_part: int = 0) -> None:
        self.store = store
        self.history = MemoryHistory(PAST, batch=1)
        self.points: list[Point] = []
        self._die_at_part = die_at_part
        self._rebuilder = StateRebuilder(fleets_of(SCORER), store, self.history, self._at)

    def _at(self, point: Point) -> None:
        self.points.append(point)
        if len(self.points) == self._die_at_part:
            raise Killed

    async def run(self, rounds: int = 1) -> None:
        """Look how far the states reach and rebuild, as the service does."""
        for _ in range(rounds):
            progress = (await MemoryStateStore.read(self.store, [], [0])).progress
            for partition in behind({0: Span(END, END + 1)}, progress):
                await self._rebuilder.rebuild(partition, progress.get(partition), END)


@pytest.fixture
async def whole() -> Store:
    """What a rebuild that nothing happens to leaves behind."""
    store = Store()
    await Rebuild(store).run()
    assert store.progress == {0: Progress(END).pack()}
    return store


async def test_every_part_is_stored_before_the_next_is_read(whole: Store) -> None:
    store = Store()
    rebuild = Rebuild(store)

    await rebuild.run()

    assert rebuild.points == [Point.REBUILDING] * 9  # the tenth part is the end
    assert store.values == whole.values


@pytest.mark.parametrize("part", [1, 5, 9])
async def test_a_rebuild_that_was_killed_goes_on_where_it_was(whole: Store, part: int) -> None:
    store = Store()
    with pytest.raises(Killed):
        await Rebuild(store, die_at_part=part).run()
    successor = Rebuild(store)

    await successor.run()

    assert successor.history.reads == [(0, part * PART_BATCHES, END)]
    assert store.values == whole.values


class MortalStore(Store):
    """The process dies at a call of the store: just before it is made, or just after."""

    def __init__(self, dies_at: int, *, arrives: bool) -> None:
        super().__init__()
        self.calls = 0
        self._dies_at, self._arrives = dies_at, arrives

    async def read(
        self,
        keys: Sequence[AssetRun],
        partitions: Sequence[int],
        speakers: Mapping[int, Sequence[AssetRun]] = NO_ASSETS,
    ) -> Stored:
        self._call(dies=True)
        return await super().read(keys, partitions, speakers)

    async def write(
        self, states: Mapping[AssetRun, NextState], progress: Mapping[int, NextProgress]
    ) -> Sequence[AssetRun]:
        self._call(dies=not self._arrives)
        refused = await super().write(states, progress)
        if self.calls == self._dies_at:
            raise Killed
        return refused

    def _call(self, *, dies: bool) -> None:
        self.calls += 1
        if dies and self.calls == self._dies_at:
            raise Killed


@pytest.mark.parametrize("arrives", [True, False], ids=["after the call", "before the call"])
async def test_a_rebuild_that_dies_at_any_call_of_the_store_is_finished_by_the_next(
    whole: Store, arrives: bool
) -> None:
    undisturbed = MortalStore(0, arrives=arrives)
    await Rebuild(undisturbed).run()

    for dies_at in range(1, undisturbed.calls + 1):
        store = MortalStore(dies_at, arrives=arrives)
        with pytest.raises(Killed):
            await Rebuild(store).run()
        await Rebuild(store).run()

        assert store.values == whole.values, dies_at
        assert store.progress == {0: Progress(END).pack()}, dies_at

    assert undisturbed.calls > 3 * 9  # a read and two writes for each part, at least


@pytest.mark.parametrize("read", [1, 2, 6, 10])
async def test_states_lost_again_in_the_middle_are_rebuilt_from_the_beginning(
    whole: Store, read: int
) -> None:
    store = Store()
    store.lose_at_read = read
    rebuild = Rebuild(store)

    await rebuild.run()
    assert store.progress == {}
    await rebuild.run()

    assert rebuild.history.reads == [(0, None, END)] * 2
    assert store.values == whole.values
    assert store.progress == {0: Progress(END).pack()}


async def test_states_lost_between_a_read_and_its_write_are_noticed_at_the_next_read(
    whole: Store,
) -> None:
    store = Store()
    write = store.write

    async def lose_then_write(
        states: Mapping[AssetRun, NextState], progress: Mapping[int, NextProgress]
    ) -> Sequence[AssetRun]:
        if states and store.reads == 4:
            store.values.clear()
            store.progress.clear()
        return await write(states, progress)

    store.write = lose_then_write  # type: ignore[method-assign]
    rebuild = Rebuild(store)

    await rebuild.run(rounds=2)

    assert len(rebuild.history.reads) == 2
    assert store.values == whole.values


async def test_two_workers_that_rebuild_the_same_partition_come_to_the_same(whole: Store) -> None:
    store = Store()
    slow, fast = Rebuild(store, die_at_part=3), Rebuild(store)
    with pytest.raises(Killed):
        await slow.run()
    paused = store.values.copy(), store.progress.copy()
    await fast.run()

    # the slow one wakes up with what it had read, and goes on
    await slow._rebuilder.rebuild(0, unpack_progress(paused[1][0]), END)

    assert store.values == whole.values
    assert store.progress == {0: Progress(END).pack()}


async def test_states_are_read_and_written_a_portion_at_a_time() -> None:
    store = Store()
    fleet = records([reading(1, 643.0, f"engine-{number}") for number in range(PORTION_KEYS + 5)])
    history = MemoryHistory(fleet, batch=500)

    await StateRebuilder(fleets_of(SCORER), store, history).rebuild(0, None, len(fleet))

    assert len(store.values) == PORTION_KEYS + 5
    assert store.most_keys == PORTION_KEYS
