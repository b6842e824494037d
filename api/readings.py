"""An asset's latest readings, put together from the ring in the state store and from evidence.

Pure: values in, a list out; and the port of the ring.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal, Protocol

import numpy as np

from common.machines.machine import MachineType
from common.records.evidence import AlertEvidence
from common.ring import Ring, shortest
from common.scorestore.port import RunSummary
from common.scorestore.tally import recency

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KeptRing:
    """A ring as the state store has it.

    Attributes:
        machine: Digest of the machine type whose values it holds.
        ring: The readings.
    """

    machine: bytes
    ring: Ring


class RingReader(Protocol):
    """The rings of the detector's workers, to look at."""

    async def read(self, asset_id: str, run_id: str) -> KeptRing | None:
        """Return the ring of an asset's run as the source calls it; none if there is none.

        Raises:
            BackendError: If the state store does not answer, or what it has cannot be read.
        """


@dataclass(frozen=True, slots=True)
class PastReading:
    """One reading, in the machine's units.

    Attributes:
        cycle: Its cycle; none where it is not known.
        ts: Its time, UTC; none likewise.
        source: Where it was found.
        alert_id: The alert whose evidence it is of; none for the ring.
        missing_before: So many cycles are missing between it and the one before.
        settings: The conditions.
        sensors: The channels.
        held: Channels of which nothing was measured: the value before stands in.
    """

    cycle: int | None
    ts: datetime | None
    source: Literal["ring", "evidence"]
    alert_id: str | None
    missing_before: int
    settings: Mapping[str, float]
    sensors: Mapping[str, float]
    held: Sequence[str]


def latest_run(runs: Iterable[RunSummary]) -> RunSummary | None:
    """Return the run that is the latest wherever assets are shown: which arrived last."""
    return max(runs, key=recency, default=None)


def of_ring(kept: KeptRing, machine: MachineType) -> list[PastReading]:
    """Return the readings of a ring, the oldest first."""
    ring, first = kept.ring, len(machine.conditions)
    moments = ring.marks.moments()
    missing = [0] + [
        after.cycle - before.cycle - 1 if before and after else 0
        for before, after in pairwise(moments)
    ]
    held = ring.marks.held_rows(len(machine.used))
    names = machine.channel_names
    found: list[PastReading] = []
    for index, moment in enumerate(moments):
        values = shortest(ring.rows[index])
        found.append(
            PastReading(
                moment and moment.cycle,
                moment and EPOCH + timedelta(microseconds=moment.taken_us),
                "ring",
                None,
                missing[index],
                dict(zip(machine.condition_names, values[:first], strict=True)),
                dict(zip(names, values[first:], strict=True)),
                [names[at] for at in np.flatnonzero(held[index])],
            )
        )
    return found


def of_evidence(evidence: AlertEvidence) -> Iterator[PastReading]:
    """Yield the readings of a window whose cycles are known, the oldest first."""
    window = evidence.window
    for index, cycle in enumerate(window.cycles):
        if cycle is None:
            continue
        yield PastReading(
            cycle,
            window.ts[index],
            "evidence",
            evidence.alert_id,
            window.missing_before[index],
            {each.name: each.values[index] for each in evidence.conditions},
            {each.name: each.values[index] for each in evidence.channels},
            [each.name for each in evidence.channels if index in each.held],
        )


def merged(
    ring: Sequence[PastReading], evidence: Sequence[AlertEvidence], limit: int
) -> list[PastReading]:
    """Return the latest readings, the oldest first, each cycle once; the ring goes first.

    Args:
        ring: Of the ring.
        evidence: Of the same run, the latest first.
        limit: Most readings.
    """
    nameless = [reading for reading in ring if reading.cycle is None]
    by_cycle = {reading.cycle: reading for reading in ring if reading.cycle is not None}
    for piece in evidence:
        for reading in of_evidence(piece):
            if reading.cycle is not None:
                by_cycle.setdefault(reading.cycle, reading)
    # what a ring holds without a cycle is older than what it holds with one
    begin = min((reading.cycle for reading in ring if reading.cycle is not None), default=None)
    before = [by_cycle[cycle] for cycle in sorted(by_cycle) if begin is None or cycle < begin]
    after = [by_cycle[cycle] for cycle in sorted(by_cycle) if begin is not None and cycle >= begin]
    return [*before, *nameless, *after][-limit:]
