"""What all peers share, so that they differ in their framework alone: the network, rings, a sink.

Written as a good engineer would in an afternoon: a batch of readings, one read of all rings, one
call of the network, bulk writes. There is no verdict for a reading without a score, no dead letter,
no id of an alert, no fence and no ledger: a crash loses or doubles what it interrupts.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from common.machines.rows import as_rows, split_rows
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.scoring.scorer import WindowScorer, WindowScores

RING: Final = struct.Struct("<qH")
"""Before a ring's rows: the last cycle, and how many scores in a row were over the threshold."""

ON_DELAY: Final = 3
"""Scores in a row over the threshold that make an alert, as Surgeline's default rule has it."""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS score (
    asset_id TEXT NOT NULL, run_id TEXT NOT NULL, cycle INTEGER NOT NULL, ts TEXT NOT NULL,
    score REAL NOT NULL, over INTEGER NOT NULL, life REAL, shares BLOB NOT NULL,
    PRIMARY KEY (asset_id, run_id, cycle)
)
"""
INSERT: Final = "INSERT OR REPLACE INTO score VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Reading(msgspec.Struct):
    """A reading, as far as a peer looks at it."""

    asset_id: str
    run_id: str
    cycle: int
    ts: str
    settings: dict[str, float]
    sensors: dict[str, float]


read: Final = msgspec.json.Decoder(Reading).decode
"""From the bytes of a message."""


@dataclass(slots=True)
class Cut:
    """A batch of readings cut into windows.

    Attributes:
        readings: Those that complete a window, in the order of the windows.
        windows: Shape ``(n, window_length, n_channels)``.
        rings: What is to be stored, by key; counts of scores over the threshold come last.
        runs: For each key, which windows are its own.
    """

    readings: list[Reading]
    windows: NDArray[np.float32]
    rings: dict[str, tuple[int, int, NDArray[np.float32]]]
    runs: dict[str, slice]


@dataclass(slots=True)
class Scored:
    """What a batch came to.

    Attributes:
        rows: For the database.
        alerts: By asset, as JSON.
        rings: To be stored.
    """

    rows: list[tuple[object, ...]]
    alerts: list[tuple[bytes, bytes]]
    rings: dict[str, bytes]


class Model:
    """The shipped network with its score, and windows for it."""

    def __init__(self, name: str) -> None:
        self.scorer: WindowScorer = open_scorer(load_artifact(name))
        spec = self.scorer.spec
        self.length = spec.window_length
        self.width = len(spec.channels)
        self._conditions = [condition.name for condition in spec.machine.conditions]
        self._channels = list(spec.channels)
        self._warning = spec.thresholds.warning

    def keys(self, readings: Sequence[Reading], prefix: str) -> list[str]:
        """Return the key of each asset's ring, once."""
        return list(dict.fromkeys(key_of(reading, prefix) for reading in readings))

    def cut(self, readings: Sequence[Reading], stored: Mapping[str, Any], prefix: str) -> Cut:
        """Put readings behind their rings, and cut the windows they complete."""
        values = [
            [
                *(reading.settings[name] for name in self._conditions),
                *(reading.sensors[name] for name in self._channels),
            ]
            for reading in readings
        ]
        rows = self._normalised(np.array(values, np.float64))
        by_key: dict[str, list[int]] = {}
        for index, reading in enumerate(readings):
            by_key.setdefault(key_of(reading, prefix), []).append(index)
        ends: list[Reading] = []
        parts: list[NDArray[np.float32]] = []
        rings: dict[str, tuple[int, int, NDArray[np.float32]]] = {}
        runs: dict[str, slice] = {}
        for key, indices in by_key.items():
            last, over, ring = unpack(stored.get(key), self.width)
            new = [index for index in indices if readings[index].cycle > last]
            if not new:
                continue  # delivered before
            joined = np.concatenate([ring, rows[new]])
            complete = max(0, len(joined) - self.length + 1)
            if complete:
                windows = np.lib.stride_tricks.sliding_window_view(joined, self.length, axis=0)
                parts.append(windows.transpose(0, 2, 1))
                ends += [readings[index] for index in new[-complete:]]
            runs[key] = slice(len(ends) - complete, len(ends))
            kept = joined[max(0, len(joined) - self.length + 1) :]
            rings[key] = readings[new[-1]].cycle, over, kept
        empty = np.empty((0, self.length, self.width), np.float32)
        return Cut(ends, np.concatenate([empty, *parts]), rings, runs)

    def concluded(self, cut: Cut, found: WindowScores) -> Scored:
        """Return rows, alerts and rings of a batch whose windows have been scored."""
        scores = found.scores.tolist()
        over = (found.scores >= self._warning).tolist()
        life = [None] * len(scores) if found.life is None else found.life.expected.tolist()
        shares = found.shares.astype(">f8")
        rows: list[tuple[object, ...]] = [
            (each.asset_id, each.run_id, each.cycle, each.ts, score, high, left, share.tobytes())
            for each, score, high, left, share in zip(
                cut.readings, scores, over, life, shares, strict=True
            )
        ]
        alerts: list[tuple[bytes, bytes]] = []
        rings: dict[str, bytes] = {}
        for key, (last, count, ring) in cut.rings.items():
            own = cut.runs[key]
            for reading, score, high in zip(cut.readings[own], scores[own], over[own], strict=True):
                count = count + 1 if high else 0
                if count == ON_DELAY:
                    alerts.append((reading.asset_id.encode(), alert_of(reading, score)))
            rings[key] = RING.pack(last, min(count, 2**16 - 1)) + ring.tobytes()
        return Scored(rows, alerts, rings)

    def score(self, cut: Cut) -> Scored:
        """Score a batch in one call."""
        return self.concluded(cut, self.scorer.score(cut.windows))

    def _normalised(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        conditions, channels = split_rows(as_rows(values), len(self._conditions))
        return self.scorer.normalise(conditions, channels).rows


def key_of(reading: Reading, prefix: str) -> str:
    """Return the key of an asset's ring."""
    return f"{prefix}:{reading.asset_id}:{reading.run_id}"


def unpack(stored: bytes | None, width: int) -> tuple[int, int, NDArray[np.float32]]:
    """Return a ring's last cycle, its scores in a row over the threshold, and its rows."""
    if stored is None:
        return 0, 0, np.empty((0, width), np.float32)
    last, over = RING.unpack_from(stored)
    return last, over, np.frombuffer(stored, np.float32, offset=RING.size).reshape(-1, width)


def alert_of(reading: Reading, score: float) -> bytes:
    """Return an alert as it goes on the topic."""
    alert = {
        "asset_id": reading.asset_id, "run_id": reading.run_id, "cycle": reading.cycle,
        "ts": reading.ts, "score": score, "state": "raised",
    }  # fmt: skip
    return json.dumps(alert).encode()


def open_database(path: Path) -> sqlite3.Connection:
    """Open the sink; it is as durable as Surgeline's: on disk when a write returns."""
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(SCHEMA)
    return connection


def write_rows(connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """Write in one transaction."""
    if rows:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, rows)
        connection.execute("COMMIT")


def stored_scores(path: Path) -> Iterator[tuple[str, int, float]]:
    """Yield what is in a sink: asset, cycle, score."""
    connection = sqlite3.connect(path, timeout=30.0)
    try:
        yield from connection.execute("SELECT asset_id, cycle, score FROM score")
    finally:
        connection.close()


def from_dict(value: Mapping[str, Any]) -> Reading:
    """Return a reading from decoded JSON."""
    return Reading(
        value["asset_id"], value["run_id"], value["cycle"], value["ts"],
        value["settings"], value["sensors"],
    )  # fmt: skip
