"""Where an asset is at home: what is claimed of a batch, and when an asset has moved for good."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from detector.core.claims import Moves, claims, of_this_life
from detector.core.pipeline import AssetRun, DecodedBatch, NextState, decode_batch, prepare
from detector.core.state.asset import MAX_FORMER_HOMES, AssetState, Fence, fresh_state
from tests.support.builders import MeanScorer, fleet_of, reading, record

FLEET = fleet_of(MeanScorer())
FLEETS = {FLEET.name: FLEET}
KEY = ("engine-1", "run-1")
OTHER = ("engine-2", "run-1")


def batch(*places: tuple[int, int], asset_id: str = "engine-1") -> DecodedBatch:
    """A reading at each partition and offset, in this order."""
    records = [
        record(reading(cycle, asset_id=asset_id), offset, partition)
        for cycle, (partition, offset) in enumerate(places, start=1)
    ]
    return decode_batch(records, FLEETS)


def at_home(fence: Fence, *former: Fence) -> AssetState:
    return replace(fresh_state(FLEET, fence), last_cycle=31, former=former)


def claimed(
    of: DecodedBatch,
    stored: AssetState | None = None,
    lives: Mapping[int, int] | None = None,
    moved_to: int | None = None,
) -> NextState | None:
    states = {} if stored is None else {KEY: stored}
    moved = {} if moved_to is None else {KEY: moved_to}
    found = claims(of, states, lives or {}, moved, FLEETS)
    assert found.keys() <= {KEY}
    return found.get(KEY)


@pytest.mark.parametrize(
    ("lives", "life"), [({}, 0), ({2: 0, 5: 3}, 0), ({2: 3, 5: 7}, 3)], ids=["none", "0", "3"]
)
def test_a_new_asset_is_at_home_where_its_first_reading_stands(
    lives: dict[int, int], life: int
) -> None:
    found = claimed(batch((2, 40), (5, 7), (2, 41)), lives=lives)

    assert found is not None
    assert found.state.fence == Fence(2, 40, life)
    assert found.state.last_cycle == fresh_state(FLEET).last_cycle
    assert found.expected == Fence()


def test_an_asset_that_has_a_home_is_not_claimed_again() -> None:
    of = batch((2, 40), (5, 7))

    assert claimed(of, at_home(Fence(2, 30)), {2: 0, 5: 0}) is None
    assert claimed(of, at_home(Fence(0, 30)), {2: 0, 5: 0}) is None


def test_a_home_in_another_life_of_the_topic_is_replaced_by_a_new_one() -> None:
    stored = at_home(Fence(2, 900, 1), Fence(5, 3, 1))

    found = claimed(batch((2, 4)), stored, {2: 2})

    assert found is not None
    assert found.expected == stored.fence
    assert found.state.fence == Fence(2, 4, 2)
    assert found.state.former == ()
    assert found.state.last_cycle != stored.last_cycle


def test_a_home_on_a_partition_that_is_not_looked_at_holds() -> None:
    here, elsewhere = at_home(Fence(2, 9, 1)), at_home(Fence(5, 9, 1))

    assert of_this_life({KEY: here, OTHER: elsewhere}, {2: 2}) == {OTHER: elsewhere}
    assert of_this_life({KEY: here, OTHER: elsewhere}, {2: 1}) == {KEY: here, OTHER: elsewhere}


@pytest.mark.parametrize(("lives", "life"), [({}, 0), ({2: 0, 5: 4}, 4)])
def test_a_moved_asset_keeps_its_state_and_remembers_where_it_was(
    lives: dict[int, int], life: int
) -> None:
    stored = at_home(Fence(2, 40), Fence(7, 3))

    found = claimed(batch((2, 41), (9, 1), (5, 12), (5, 13)), stored, lives, moved_to=5)

    assert found is not None
    assert found.expected == Fence(2, 40)
    assert found.state.fence == Fence(5, 12, life)
    assert found.state.former == (Fence(7, 3), Fence(2, 40))
    assert found.state.last_cycle == 31


def test_an_asset_that_moves_back_goes_on_behind_what_was_applied_there() -> None:
    stored = at_home(Fence(5, 30), Fence(2, 40), Fence(7, 3))

    found = claimed(batch((2, 38), (2, 39), (2, 40), (2, 41)), stored, {2: 0}, moved_to=2)

    assert found is not None
    assert found.state.fence == Fence(2, 40)
    assert found.state.former == (Fence(7, 3), Fence(5, 30))


def test_an_asset_of_which_nothing_new_came_there_does_not_move() -> None:
    stored = at_home(Fence(5, 30), Fence(2, 40))

    assert claimed(batch((2, 38), (2, 39), (5, 30), (9, 1)), stored, {}, moved_to=2) is None


def test_of_very_many_moves_the_last_are_remembered() -> None:
    former = [Fence(number, 1) for number in range(100, 100 + MAX_FORMER_HOMES)]

    found = claimed(batch((5, 12)), at_home(Fence(2, 40), *former), {}, moved_to=5)

    assert found is not None
    assert found.state.former == (*former[1:], Fence(2, 40))


class Watched:
    """An asset at home on partition 0, or elsewhere, as a worker sees it batch by batch."""

    def __init__(self, follow_after: int) -> None:
        self.moves = Moves(follow_after)
        self.home = Fence(0, 0)

    def comes(self, *places: tuple[int, int], asset_id: str = "engine-1") -> None:
        of = batch(*places, asset_id=asset_id)
        states = {(asset_id, "run-1"): fresh_state(FLEET, self.home)}
        self.moves.note(prepare(of, states, FLEET), states)

    @property
    def due(self) -> dict[AssetRun, int]:
        return self.moves.due(batch((5, 99)))


def test_an_asset_is_due_once_enough_has_come_elsewhere_and_only_while_it_comes() -> None:
    watched = Watched(follow_after=3)
    watched.comes((5, 1), (5, 2))
    assert watched.due == {}

    watched.comes((5, 3))

    assert watched.due == {KEY: 5}
    assert watched.moves.due(batch((5, 99), asset_id="engine-2")) == {}


def test_one_batch_may_be_enough() -> None:
    watched = Watched(follow_after=3)

    watched.comes((5, 1), (5, 2), (5, 3))

    assert watched.due == {KEY: 5}


def test_by_the_rule_that_follows_nothing_no_asset_is_ever_due() -> None:
    watched = Watched(follow_after=0)

    watched.comes((5, 1), (5, 2))

    assert watched.due == {}


def test_a_reading_at_home_begins_the_count_anew() -> None:
    watched = Watched(follow_after=3)
    watched.comes((5, 1), (5, 2))
    watched.comes((0, 1))

    watched.comes((5, 3), (5, 4))
    assert watched.due == {}
    watched.comes((5, 5))
    assert watched.due == {KEY: 5}


def test_what_comes_together_with_a_reading_at_home_is_not_counted() -> None:
    watched = Watched(follow_after=3)

    watched.comes((5, 1), (5, 2), (0, 1), (5, 3))

    assert watched.due == {}


def test_another_partition_begins_the_count_anew() -> None:
    watched = Watched(follow_after=3)
    watched.comes((5, 1), (5, 2), (6, 1), (6, 2))
    assert watched.due == {}

    watched.comes((6, 3))

    assert watched.due == {KEY: 6}


def test_another_home_begins_the_count_anew() -> None:
    watched = Watched(follow_after=3)
    watched.comes((5, 1), (5, 2))
    watched.home = Fence(0, 0, 1)

    watched.comes((5, 3))

    assert watched.due == {}


def test_another_asset_has_a_count_of_its_own() -> None:
    watched = Watched(follow_after=3)
    watched.comes((5, 1), (5, 2))
    watched.comes((5, 3), (5, 4), asset_id="engine-2")
    watched.comes((0, 1), asset_id="engine-2")

    watched.comes((5, 5))

    assert watched.due == {KEY: 5}
