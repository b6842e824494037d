"""How far each asset's state reaches, said a second time: by this a single lost state is noticed.

Progress says that the states of a partition's assets reach up to some offset, but a store may lose
one state alone, or bring back an older one: a key is evicted, a shard is lost, a replica that had
lagged takes over. Without its state an asset would look new, and raise its alarm again under
another id. So beside the progress of a partition, under the same key, stands its ledger: the fence
of each state that was written. Both are lost together, or go back together. A state that does not
reach as far as the ledger says is lost, and is brought back from the topic
(``detector/delivery/recovery.py``); an asset of which the ledger says nothing is new.

The ledger may say less than the state has reached, after a crash between the two writes. It may say
more than the state has reached only if the state is lost, or was refused or never arrived, which
comes to the same.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from typing import Final

from detector.core.next_states import NextStates
from detector.core.pipeline import AssetRun, DecodedBatch, NextState
from detector.core.reading.table import heard_on
from detector.core.state.asset import MAX_FORMER_HOMES, AssetState, Fence
from detector.core.state.known import States

Ledger = Mapping[AssetRun, Fence]
"""Of one partition, by asset and run."""

ENTRY: Final = struct.Struct(">qI")
"""Next offset, life."""


def pack_entry(fence: Fence) -> bytes:
    """Return an entry's fence as 12 bytes; the partition is that of the ledger."""
    return ENTRY.pack(fence.next_offset, fence.life)


def unpack_entry(value: bytes, partition: int) -> Fence:
    """Return the fence an entry holds.

    Raises:
        ValueError: If it was not written by this program.

    Example:
        >>> unpack_entry(pack_entry(Fence(3, 120, 1)), 3)
        Fence(partition=3, next_offset=120, life=1)
    """
    try:
        return Fence(partition, *ENTRY.unpack_from(value))
    except struct.error as exc:
        raise ValueError(f"an entry of a ledger has {len(value)} bytes") from exc


def entry_name(key: AssetRun) -> str:
    """Return the name of an asset's entry; no two assets share one.

    Example:
        >>> entry_name(("engine-1", "run-1"))
        '8:engine-1:run-1'
    """
    asset_id, run_id = key
    return f"{len(asset_id)}:{asset_id}:{run_id}"


def entry_key(name: str) -> AssetRun:
    """Return whose entry has this name.

    Raises:
        ValueError: If no entry has.

    Example:
        >>> entry_key("3:a:b:run:1")
        ('a:b', 'run:1')
    """
    length, _, rest = name.partition(":")
    end = int(length) if length.isdecimal() else len(rest)
    if rest[end : end + 1] != ":":
        raise ValueError(f"{name!r} is not the name of an entry")
    return rest[:end], rest[end + 1 :]


def reached(state: AssetState | None, entry: Fence) -> int:
    """Return up to which offset a state says that the entry's partition was applied.

    -1 where it says nothing: there is no state, or it is of another life. A state whose list of
    former homes is full may have forgotten this one, and is believed.
    """
    if state is None:
        return -1
    for at in (state.fence, *reversed(state.former)):
        if (at.partition, at.life) == (entry.partition, entry.life):
            return at.next_offset
    return entry.next_offset if len(state.former) >= MAX_FORMER_HOMES else -1


def losses(ledger: Ledger, states: Mapping[AssetRun, AssetState], life: int) -> dict[AssetRun, int]:
    """Return whose state does not reach as far as the ledger says, and how far it does reach.

    Args:
        ledger: Of one partition, without assets whose state is there but foreign.
        states: What is stored of its assets.
        life: The partition's life; what the ledger says of another one is void.
    """
    known = States.of(states)
    return {
        key: far
        for key, entry in ledger.items()
        if entry.life == life and (far := _far(known, key, entry)) < entry.next_offset
    }


def _far(known: States, key: AssetRun, entry: Fence) -> int:
    """Return what :func:`reached` says of an asset's state; of one at home there, nearly always."""
    fence = known.fences.get(key)
    if fence is not None and (fence.partition, fence.life) == (entry.partition, entry.life):
        return fence.next_offset
    return reached(known.get(key), entry)


def entries(states: Mapping[AssetRun, NextState], partition: int) -> dict[AssetRun, Fence]:
    """Return what a partition's ledger says after these states are written."""
    fences = NextStates.of(states).after.fences
    return {key: fence for key, fence in fences.items() if fence.partition == partition}


def survivors(
    stored: Mapping[AssetRun, AssetState], written: Collection[AssetRun], partition: int
) -> dict[AssetRun, Fence]:
    """Return what a partition's ledger says of stored states that need not be written again."""
    return {
        key: fence
        for key, fence in States.of(stored).fences.items()
        if key not in written and fence.partition == partition
    }


def speakers(batch: DecodedBatch) -> dict[int, list[AssetRun]]:
    """Return the assets of whom a batch brings readings on each partition."""
    found: dict[int, dict[AssetRun, None]] = {}
    for key, decoded in batch.by_asset.items():
        for partition in heard_on(decoded):
            found.setdefault(partition, {})[key] = None
    return {partition: list(keys) for partition, keys in found.items()}
