"""One micro-batch, from records to windows; with ``conclusion.py`` the detector's whole decision.

Two pure halves around the one thing that takes time, scoring the windows::

    batch = decode_batch(records, fleets)      # readings, and dead letters
    parts = by_fleet(batch, states)            # each fleet's share of the batch
    plan = prepare(part, states, ...)          # drop what was applied, assemble windows
    scores = scorer.score(plan.windows, plan.trail)  # elsewhere, in a thread
    outcome = conclude(plan, scores, ...)      # conclusion.py: alarms, records, alerts, next states
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from common.errors import InvalidRecordError
from common.records.letters import DeadLetter
from common.records.verdicts import ScoreRecord
from detector.core.assembler import Assembled
from detector.core.fleet import Fleet, Fleets
from detector.core.letters import dead_letter, rejected_verdict
from detector.core.reading.columns import EPOCH as EPOCH
from detector.core.reading.columns import AssetRun as AssetRun
from detector.core.reading.columns import Decoded as Decoded
from detector.core.reading.columns import PlacedReadings, ReadingColumns
from detector.core.reading.decoding import decode
from detector.core.reading.many import decode_many
from detector.core.reading.source import Reading, SourceRecord, SourceRecords
from detector.core.reading.table import (
    AssetReadings,
    ReadingTable,
    by_asset,
    cycles_of,
    fleets_said,
    place_of,
    put_together,
    said_by,
)
from detector.core.state.asset import AssetState, Fence, fresh_state
from detector.core.state.known import States
from detector.core.state.starts import Starts
from detector.core.steady import AssembledBatch, ReadingBatch, assemble_batch
from models.scoring.history import Trail

NO_FENCE: Final = Fence()


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """A batch after decoding.

    Attributes:
        by_asset: The readings of each (asset, run), in the order of the topic.
        dead_letters: What could not be used.
        rejected: A verdict for each dead letter that says whose reading it was.
    """

    by_asset: Mapping[AssetRun, Sequence[Decoded]]
    dead_letters: Sequence[DeadLetter]
    rejected: Sequence[ScoreRecord]


class AssetPlan(msgspec.Struct, frozen=True):
    """One asset's part of a batch: fresh readings, and what they came to.

    Attributes:
        before: The fence of the stored state; the next one is written over this alone.
        start: The state before them.
        fresh: The readings, in the order of the topic.
        assembled: What they came to.
    """

    before: Fence
    start: AssetState
    fresh: Sequence[Decoded]
    assembled: Assembled

    @property
    def fence(self) -> Fence:
        """How far the topic is applied with them."""
        partition, offset = place_of(self.fresh, -1)
        return Fence(partition, offset + 1, self.start.fence.life)

    @property
    def decoded(self) -> Sequence[Decoded]:
        """The readings that have a verdict."""
        if len(self.assembled.taken) == len(self.fresh):
            return self.fresh
        return [self.fresh[index] for index in self.assembled.taken]

    @property
    def cycles(self) -> Sequence[int]:
        """The cycles of the readings that have a verdict."""
        found = cycles_of(self.fresh)
        if len(self.assembled.taken) == len(found):
            return found
        return [found[index] for index in self.assembled.taken]

    @property
    def refused(self) -> Sequence[tuple[Decoded, InvalidRecordError]]:
        """Readings that cannot be used beside those before them, and why not."""
        return [(self.fresh[index], error) for index, error in self.assembled.refused]


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch ready to score.

    Attributes:
        keys: The assets' runs of which any reading was not applied before.
        fresh: These readings of each, in the order of the topic.
        before: The fence of each one's stored state.
        found: What the readings came to, asset by asset.
        misplaced: Readings that came on another partition than their asset's own.
        placed: All fresh readings, asset by asset.
    """

    keys: Sequence[AssetRun]
    fresh: Sequence[Sequence[Decoded]]
    before: Sequence[Fence]
    found: AssembledBatch
    misplaced: Mapping[AssetRun, Sequence[Decoded]]
    placed: PlacedReadings

    @property
    def windows(self) -> NDArray[np.float32]:
        """All windows to score, asset by asset, shape ``(n, window_length, n_channels)``."""
        return self.found.windows

    @property
    def trail(self) -> Trail:
        """What was remembered of its run at each window, shape ``(n, ...)``."""
        return self.found.trail

    @property
    def assets(self) -> Mapping[AssetRun, AssetPlan]:
        """Each asset's part; made anew each time, so ask for :meth:`some` where some will do."""
        return dict(zip(self.keys, self.some(range(len(self.keys))), strict=True))

    def some(self, which: Sequence[int]) -> list[AssetPlan]:
        """Return some assets' parts, in the order asked for."""
        return [
            AssetPlan(self.before[asset], start, self.fresh[asset], assembled)
            for asset, start, assembled in zip(
                which, self.found.starts.some(which), self.found.some(which), strict=True
            )
        ]

    @property
    def refused(self) -> Iterator[tuple[Decoded, InvalidRecordError]]:
        """Readings that cannot be used beside those before them, and why not."""
        for asset, assembled in sorted(self.found.apart.items()):
            for at, error in assembled.refused:
                yield self.fresh[asset][at], error

    @property
    def held(self) -> int:
        """In how many readings an earlier value stands in for a missing one."""
        return sum(assembled.held for assembled in self.found.apart.values())

    @property
    def bridged(self) -> int:
        """Before how many of them cycles are missing that a window may span."""
        return sum(assembled.bridged for assembled in self.found.apart.values())


class NextState(msgspec.Struct, frozen=True, gc=False):
    """A state to write, if the stored one is still the one it was made from."""

    state: AssetState
    expected: Fence


def decode_batch(records: Sequence[SourceRecord], fleets: Fleets) -> DecodedBatch:
    """Decode every record; what cannot be used becomes a dead letter with its reason."""
    came = SourceRecords.of(records)
    plain = decode_many(came, fleets)
    alone: dict[str, tuple[list[int], list[Reading]]] = {}
    dead_letters: list[DeadLetter] = []
    rejected: list[ScoreRecord] = []
    for at in _left(len(came), plain.values()):
        record = came[at]
        try:
            reading = decode(record, fleets)
        except InvalidRecordError as exc:
            dead_letters.append(dead_letter(record, exc))
            rejected.extend(rejected_verdict(record, exc, fleets))
        else:
            places, readings = alone.setdefault(reading.fleet, ([], []))
            places.append(at)
            readings.append(reading)
    parts = {name: [columns] for name, columns in plain.items()}
    for name, found in alone.items():
        columns = ReadingColumns.of(*found, fleets[name].spec.machine)
        parts.setdefault(name, []).append(columns)
    tables = [
        ReadingTable(name, ReadingColumns.joined(columns), came) for name, columns in parts.items()
    ]
    return DecodedBatch(by_asset(tables), dead_letters, rejected)


def _left(count: int, decoded: Collection[ReadingColumns]) -> Sequence[int]:
    """Return which of a batch's records are not decoded yet."""
    if sum(len(columns.at) for columns in decoded) == count:
        return ()
    left = np.ones(count, np.bool_)
    for columns in decoded:
        left[columns.at] = False
    found: list[int] = np.flatnonzero(left).tolist()
    return found


@dataclass(frozen=True, slots=True)
class Shares:
    """A batch, cut by fleet.

    Attributes:
        parts: Each fleet's readings, in the order of the topic.
        strangers: Readings that say another fleet than their asset's own, each with that.
    """

    parts: Mapping[str, DecodedBatch]
    strangers: Sequence[tuple[Decoded, str]]


def by_fleet(batch: DecodedBatch, states: Mapping[AssetRun, AssetState]) -> Shares:
    """Cut a batch by fleet. An asset's run is of one fleet: that which its first reading said.

    Args:
        batch: The decoded records.
        states: What is stored of their assets.
    """
    known = States.of(states)
    parts: dict[str, dict[AssetRun, Sequence[Decoded]]] = {}
    strangers: list[tuple[Decoded, str]] = []
    for key, decoded in batch.by_asset.items():
        name = known.fleet_of(key) if key in known else next(iter(fleets_said(decoded)))
        own, others = said_by(decoded, name)
        strangers += [(item, name) for item in others]
        if own:
            parts.setdefault(name, {})[key] = own
    return Shares({name: DecodedBatch(part, (), ()) for name, part in parts.items()}, strangers)


def judged(shares: Shares, fleets: Fleets) -> list[tuple[Fleet, DecodedBatch]]:
    """Return each share with what judges it: its fleet, or each asset's own part of a model.

    Reads the parts that are asked for the first time.
    """
    found: list[tuple[Fleet, DecodedBatch]] = []
    for name, part in shares.parts.items():
        fleet = fleets[name]
        if fleet.parts is None:
            found.append((fleet, part))
            continue
        by_asset: dict[str, dict[AssetRun, Sequence[Decoded]]] = {}
        for key, decoded in part.by_asset.items():
            by_asset.setdefault(key[0], {})[key] = decoded
        found += [
            (fleet.of(asset_id), DecodedBatch(own, (), ())) for asset_id, own in by_asset.items()
        ]
    return found


def prepare(
    batch: DecodedBatch,
    states: Mapping[AssetRun, AssetState],
    fleet: Fleet,
) -> Plan:
    """Drop what was applied before, set aside what is misplaced, and assemble the windows.

    Args:
        batch: The fleet's readings.
        states: What is stored of their assets. An asset without a state is new, and at home where
            its first reading stands.
        fleet: Its model, and which gaps a window may span.
    """
    known = States.of(states)
    new: dict[AssetRun, AssetState] = {}
    fresh: dict[AssetRun, Sequence[Decoded]] = {}
    misplaced: dict[AssetRun, Sequence[Decoded]] = {}
    for key, decoded in batch.by_asset.items():
        fence = known.fences.get(key)
        if fence is None:
            new[key] = fresh_state(fleet, home_of(decoded))
            fence = new[key].fence
        if _is_behind(decoded, fence):
            fresh[key] = decoded
            continue
        mine, elsewhere = _unapplied(decoded, fence, known.former(key))
        if mine:
            fresh[key] = mine
        if elsewhere:
            misplaced[key] = elsewhere
    keys = list(fresh)
    placed = put_together(list(fresh.values()), fleet.spec.machine)
    readings = ReadingBatch(placed.counts, placed.readings)
    found = assemble_batch(Starts.known(keys, known, new, fleet), readings, fleet)
    before = [known.fences.get(key, NO_FENCE) for key in keys]
    return Plan(keys, list(fresh.values()), before, found, misplaced, placed)


def home_of(decoded: Sequence[Decoded]) -> Fence:
    """Return the fence of a new asset: at home where its first reading stands, nothing applied."""
    return Fence(*place_of(decoded, 0))


def _is_behind(decoded: Sequence[Decoded], fence: Fence) -> bool:
    """Return whether none of an asset's readings is part of a state, as can be told at once."""
    return isinstance(decoded, AssetReadings) and decoded.is_behind(
        fence.partition, fence.next_offset
    )


def _unapplied(
    decoded: Sequence[Decoded], fence: Fence, former: Sequence[Fence]
) -> tuple[Sequence[Decoded], Sequence[Decoded]]:
    """Return the readings that are not part of a state: those at home, and those elsewhere."""
    home, reached = fence.partition, fence.next_offset
    mine: list[Decoded] = []
    elsewhere: list[Decoded] = []
    for item in decoded:
        position = item.record.position
        if position.partition == home:
            if position.offset >= reached:
                mine.append(item)
        elif not any(at.applied(position.partition, position.offset) for at in former):
            elsewhere.append(item)
    return mine, elsewhere
