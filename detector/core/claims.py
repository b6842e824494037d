"""Whose partition an asset is at home on: settled in the store before anything is put out.

All readings of an asset should come on one partition; only there is their order known. If two
producers use other partitioners, or partitions are added, they come on several, perhaps to several
workers at once. So an asset is at home on the partition where it was first seen. Its home is
written down before its first verdict, and of two workers who try, the store lets one. What comes
elsewhere gets a dead letter. An asset that has moved for good is followed: see ``Moves``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import structs

from detector.core.fleet import Fleets
from detector.core.pipeline import AssetRun, Decoded, DecodedBatch, NextState, Plan, home_of
from detector.core.state.asset import MAX_FORMER_HOMES, AssetState, Fence, fresh_state
from detector.core.state.known import States


def of_this_life(states: Mapping[AssetRun, AssetState], lives: Mapping[int, int]) -> States:
    """Return the states that hold: a fence counts only in the life of the topic it was made in.

    Args:
        states: What is stored.
        lives: The life of each partition of the batch.
    """
    known = States.of(states)
    gone = {
        key
        for key, fence in known.fences.items()
        if lives.get(fence.partition, fence.life) != fence.life
    }
    return known.without(gone) if gone else known


def claims(
    batch: DecodedBatch,
    stored: Mapping[AssetRun, AssetState],
    lives: Mapping[int, int],
    moved: Mapping[AssetRun, int],
    fleets: Fleets,
) -> dict[AssetRun, NextState]:
    """Return the states to write before anything is put out: of new assets, and of moved ones.

    Args:
        batch: The decoded records.
        stored: What is stored of their assets.
        lives: The life of each partition of the batch.
        moved: Assets that are to be followed to another partition.
        fleets: Whose models judge them.
    """
    found: dict[AssetRun, NextState] = {}
    known = States.of(stored)
    valid = of_this_life(known, lives)
    for key, decoded in batch.by_asset.items():
        if key not in valid:
            fence = home_of(decoded)
            fence = structs.replace(fence, life=lives.get(fence.partition, 0))
            expected = known.fences.get(key, Fence())
            found[key] = NextState(fresh_state(fleets[decoded[0].reading.fleet], fence), expected)
        elif key in moved:
            state = valid[key]
            there = [item for item in decoded if _is_new_at(item, moved[key], state)]
            if there:
                found[key] = _moved(state, home_of(there), lives)
    return found


def _is_new_at(item: Decoded, partition: int, state: AssetState) -> bool:
    position = item.record.position
    return position.partition == partition and not any(
        at.applied(position.partition, position.offset) for at in state.former
    )


def _moved(state: AssetState, home: Fence, lives: Mapping[int, int]) -> NextState:
    former = (*state.former, state.fence)[-MAX_FORMER_HOMES:]
    fence = structs.replace(home, life=lives.get(home.partition, 0))
    kept = tuple(at for at in former if at.partition != fence.partition)
    return NextState(structs.replace(state, fence=fence, former=kept), state.fence)


@dataclass(frozen=True, slots=True)
class _Sighting:
    partition: int
    home: Fence
    count: int


class Moves:
    """Notices assets that have moved to another partition for good.

    An asset is followed once ``follow_after`` of its readings have come elsewhere, all on one
    partition, while nothing came at its home. This is remembered by a worker alone: when it ends,
    its successor counts anew, and the asset is followed a little later.

    Args:
        follow_after: Readings elsewhere until an asset is followed; 0 never follows.
    """

    def __init__(self, follow_after: int) -> None:
        self._follow_after = follow_after
        self._sightings: dict[AssetRun, _Sighting] = {}

    def due(self, batch: DecodedBatch) -> dict[AssetRun, int]:
        """Return the assets of a batch that are to be followed, and to which partition."""
        if not self._sightings or not self._follow_after:
            return {}
        return {
            key: seen.partition
            for key in batch.by_asset
            if (seen := self._sightings.get(key)) and seen.count >= self._follow_after
        }

    def note(self, plan: Plan, states: Mapping[AssetRun, AssetState]) -> None:
        """Take note of what a batch brought.

        Args:
            plan: The batch.
            states: The states it was planned with.
        """
        if not self._sightings and not plan.misplaced:
            return
        at_home, fences = set(plan.keys), States.of(states).fences
        for key in at_home & self._sightings.keys():
            del self._sightings[key]  # it speaks at home
        for key, items in plan.misplaced.items():
            if key in at_home:
                continue
            home = fences[key]
            for item in items:
                partition = item.record.position.partition
                seen = self._sightings.get(key)
                same = seen is not None and (seen.partition, seen.home) == (partition, home)
                count = seen.count + 1 if seen is not None and same else 1
                self._sightings[key] = _Sighting(partition, home, count)
