"""Streams with everything in them that can go wrong, for property tests.

A stream is drawn as a list of small steps ("the next cycle", "a cycle too many", "garbage") and
then spelled out as messages, so that a failing example shrinks to the steps that matter.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.machines.turbofan import TURBOFAN
from common.records.readings import SensorReading
from common.records.verdicts import SourcePosition
from detector.core.reading.source import SourceRecord
from models.scoring.history import Trail, whole_runs
from models.scoring.life import Life
from models.scoring.scorer import Thresholds, WindowScores
from tests.support.builders import START, TOPIC, MeanScorer, changed, reading

MAX_BYTES = 4096
ORDINARY = 645.0
"""A value that T24, T30 and T50 can all have."""

Message = tuple[bytes | None, bytes | None]


class WeighingScorer(MeanScorer):
    """Scores a window by a weighted sum of all its rows: any other window has another score.

    All numbers are multiples of a quarter, so that sums are exact in whatever order.
    """

    def __init__(self) -> None:
        machine = TURBOFAN.using(("T24", "T30", "T50"), 4)
        super().__init__(thresholds=Thresholds(ORDINARY + 1, ORDINARY + 2), machine=machine)
        self._spec = replace(self._spec, knows_life=True)

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        """Return ``sum(weight * row) / sum(weight)`` with weights 1, 2, 3, ... from the oldest."""
        weights = np.arange(1, windows.shape[1] + 1, dtype=np.float64)
        rows = windows.astype(np.float64).mean(axis=2)
        plain = super().score(windows, trail)
        scores = (rows * weights).sum(axis=1) / weights.sum()
        assert trail is not None
        return replace(plain, scores=scores, life=life_remembered(trail))


def life_remembered(trail: Trail) -> Life:
    """Return a life that another trail would hardly give: all of it is weighed in."""
    left = (trail * np.arange(1.0, trail.shape[1] + 1.0)).sum(axis=1) % 100.0
    wide = np.where(whole_runs(trail), 0.0, left)
    return Life(left, wide, left, wide, left, 100.0, 0.9)


@dataclass
class Machine:
    """One (asset, run) while a stream is spelled out."""

    asset_id: str
    run_id: str
    cycle: int = 0

    def reading(self, cycle: int, value: float = ORDINARY, altitude: float = 0.0) -> SensorReading:
        """Return a reading of this machine."""
        return reading(max(1, cycle), value, self.asset_id, self.run_id, altitude)

    def sound(self, value: float, ahead: int = 1, **fields: object) -> Message:
        """Return the next reading, ``ahead`` cycles on; 0 repeats one, less goes back."""
        cycle = max(1, self.cycle + ahead)
        self.cycle = max(self.cycle, cycle)
        return self.asset_id.encode(), changed(self.reading(cycle, value), **fields)

    def spoiled(self, **fields: object) -> Message:
        """Return the next reading with fields replaced; its cycle is used up."""
        self.cycle += 1
        return self.asset_id.encode(), changed(self.reading(self.cycle), **fields)

    def sensors(self, **values: object) -> dict[str, object]:
        """Return ordinary sensors, some replaced."""
        return {**self.reading(1).sensors, **values}

    def raw(self, value: bytes | None) -> Message:
        """Return bytes that hold no reading."""
        return self.asset_id.encode(), value


Step = Callable[[Machine, float], Message]

USUAL: dict[str, Step] = {
    "next": lambda m, value: m.sound(value),
    "next, with a stuck sensor": lambda m, value: m.sound(
        value, sensors=m.sensors(T24=ORDINARY, T30=value, T50=value)
    ),
    "next, anomalous": lambda m, value: m.sound(value + 3),
}
OUT_OF_STEP: dict[str, Step] = {
    "a cycle missing": lambda m, value: m.sound(value, ahead=2),
    "three cycles missing": lambda m, value: m.sound(value, ahead=4),
    "the same cycle again": lambda m, value: m.sound(value, ahead=0),
    "two cycles back": lambda m, value: m.sound(value, ahead=-2),
    "one cycle back": lambda m, value: m.sound(value, ahead=-1),
    "another run": lambda m, value: Machine(m.asset_id, f"{m.run_id}-b").sound(value),
    "the clock goes back": lambda m, value: m.sound(
        value, ts=(START - timedelta(days=m.cycle)).isoformat()
    ),
    "unknown regime": lambda m, value: m.sound(
        value, settings={"altitude": -1.0, "mach": 0.0, "tra": 100.0}
    ),
}
BLANK: dict[str, Step] = {
    "nan": lambda m, value: m.sound(value, sensors=m.sensors(T24=float("nan"))),
    "infinite": lambda m, value: m.sound(value, sensors=m.sensors(T24=float("-inf"))),
    "null": lambda m, value: m.sound(value, sensors=m.sensors(T30=None)),
    "used sensors missing": lambda m, value: m.sound(value, sensors={"T24": value}),
}
ODD: dict[str, Step] = {
    "unknown fields": lambda m, value: m.sound(value, note={"by": "hand"}),
    "an unused sensor missing": lambda m, value: m.sound(
        value, sensors={"T24": value, "T30": value, "T50": value}
    ),
    "ten times": lambda m, value: m.spoiled(sensors=m.sensors(T24=ORDINARY * 10)),
    "a tenth": lambda m, value: m.spoiled(sensors=m.sensors(T30=ORDINARY / 10)),
    "subnormal": lambda m, value: m.spoiled(sensors=m.sensors(T50=5e-324)),
    "near the largest float": lambda m, value: m.spoiled(sensors=m.sensors(T50=1.7e308)),
    "no used sensor at all": lambda m, value: m.spoiled(sensors={"P2": value, "T24": None}),
    "a number as text": lambda m, value: m.spoiled(sensors=m.sensors(T24="645")),
    "unknown schema": lambda m, value: m.spoiled(schema_version=3),
    "cycle 0": lambda m, value: m.spoiled(cycle=0),
    "somebody else's key": lambda m, value: (b"engine-9", m.spoiled()[1]),
    "no key": lambda m, value: (None, m.spoiled()[1]),
    "huge": lambda m, value: m.spoiled(note="x" * MAX_BYTES),
    "another encoding": lambda m, value: m.raw('{"note": "größer"}'.encode("latin-1")),
    "cut off": lambda m, value: m.raw(m.reading(1).to_json()[:99]),
    "empty": lambda m, value: m.raw(b""),
    "tombstone": lambda m, value: m.raw(None),
    "garbage": lambda m, value: m.raw(b"\x00\xff\xfe{"),
}

Stretch = tuple[str, str, str, int, int]
"""Asset, run, what comes, how often, and how many quarters above ordinary its values begin."""

STEPS = USUAL | OUT_OF_STEP | BLANK | ODD

_machines = st.sampled_from(
    [("engine-1", "run-1"), ("engine-1", "run-1"), ("engine-2", "run-1"), ("engine-1", "run-2")]
)
_stretches = st.one_of(
    st.tuples(_machines, st.sampled_from(sorted(USUAL)), st.integers(1, 9), st.integers(-4, 4)),
    st.tuples(_machines, st.sampled_from(sorted(OUT_OF_STEP)), st.just(1), st.integers(-4, 4)),
    st.tuples(_machines, st.sampled_from(sorted(BLANK)), st.integers(1, 5), st.integers(-4, 4)),
    st.tuples(_machines, st.sampled_from(sorted(ODD)), st.just(1), st.integers(-4, 4)),
).map(lambda drawn: (*drawn[0], *drawn[1:]))


def spelled_out(stretches: Sequence[Stretch]) -> list[Message]:
    """Return the messages of stretches."""
    machines: dict[tuple[str, str], Machine] = {}
    messages = []
    for asset_id, run_id, name, count, quarters in stretches:
        machine = machines.setdefault((asset_id, run_id), Machine(asset_id, run_id))
        for index in range(count):
            messages.append(STEPS[name](machine, ORDINARY + (quarters + index % 3) / 4))
    return messages


streams = st.lists(_stretches, min_size=4, max_size=30).map(spelled_out)


@dataclass(frozen=True, slots=True)
class Topic:
    """Messages on a topic of some partitions.

    Attributes:
        records: By partition, in order.
        number_of: Which message a position holds.
    """

    records: dict[int, list[SourceRecord]]
    number_of: dict[tuple[int, int], int]


def on_topic(messages: Sequence[Message], partitions: int) -> Topic:
    """Put messages on a topic, each key in a partition of its own choosing, as producers do."""
    records: dict[int, list[SourceRecord]] = defaultdict(list)
    number_of = {}
    for number, (key, value) in enumerate(messages):
        partition = zlib.crc32(key or b"") % partitions
        offset = len(records[partition])
        position = SourcePosition(TOPIC, partition, offset)
        # milliseconds by number, so that the same message has the same stamp on every topic
        records[partition].append(SourceRecord(position, 1_767_225_600_000 + number, key, value))
        number_of[partition, offset] = number
    return Topic(dict(records), number_of)
