"""Outputs that are pinned: how they are made, how they are compared, how new values are written.

    python -m tests.support.golden            # say which pinned values differ from today's
    python -m tests.support.golden --write    # pin today's values

The pinned values are literal files beside the tests. They are what subscribers, stored files and
running installations hold: a change of one is a change of a promise. So look at every line of the
difference before it is committed.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import json
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from common.errors import RejectReason
from common.machines.machine import Step
from common.machines.turbofan import TURBOFAN
from common.records.letters import MAX_ORIGINAL_BYTES, DeadLetter
from common.records.times import utc_text
from common.records.verdicts import Evidence, Level, LifeLeft, ScoreRecord, SourcePosition, Verdict
from common.records.wire import WireRecord
from common.scorestore.influx.lines import repeat_lines, verdict_lines
from common.scorestore.sqlite.store import SqliteScoreStore
from detector.core.conclusion.conclude import Outcome, conclude
from detector.core.letters import (
    dead_letter,
    failure,
    unreadable_letter,
    wrong_fleet,
    wrong_partition,
)
from detector.core.pipeline import DecodedBatch, decode_batch, prepare
from detector.core.policy import InputPolicy
from detector.core.reading.source import FailedRecord, SourceRecord, UnreadableBatch
from models.alarm import AlarmPolicy
from models.scoring.history import Trail
from models.scoring.scorer import Thresholds, WindowScores
from tests.support.builders import MeanScorer, changed, fleet_of, fleets_of, reading

UNIT: Final = Path(__file__).parents[1] / "unit"
DETECTOR: Final = UNIT / "detector" / "golden"
STORES: Final = UNIT / "common" / "golden"

TOPIC: Final = "fleet.readings"
PARTITION: Final = 3
FIRST_OFFSET: Final = 41
PUBLISHED_MS: Final = 1_767_225_600_000
TAKEN: Final = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)

LIMIT: Final = 4096
INPUTS: Final = InputPolicy(max_reading_bytes=LIMIT, bridge_cycles=0)
ALARM: Final = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=3, deadband=0.125)

LONGEST_SHOWN: Final = 1000
"""Longer texts are pinned by their size and digest, characters."""

Row = tuple[float, float, float]


class SumScorer(MeanScorer):
    """Scores a window by the sum of its last row; every number below is exact in binary."""

    def __init__(self) -> None:
        super().__init__(thresholds=Thresholds(warning=1.25, critical=2.75), version="7")
        self._spec = replace(self._spec, knows_life=True)  # so that states remember the runs

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        """Return the sums, shared out by absolute value."""
        last = windows[:, -1, :].astype(np.float64)
        sizes = np.abs(last)
        return WindowScores(
            last.sum(axis=1),
            sizes / sizes.sum(axis=1, keepdims=True),
            np.where(last >= 0, 1, -1).astype(np.int8),
        )


SCORER: Final = SumScorer()
STRICT: Final = MeanScorer(machine=TURBOFAN.using(("T24", "T30", "T50"), 4))
"""Likewise, of channels that have limits of plausibility."""

TICKING: Final = MeanScorer(
    machine=TURBOFAN.model_copy(
        update={"step": Step(clock="time", interval_s=60.0, tolerance=0.25)}
    )
)
"""Likewise, of a machine whose readings are told by their time, one a minute."""

FLIGHT: Final[Sequence[tuple[int, Row]]] = (
    (1, (0.25, 0.125, 0.125)),
    (2, (0.125, 0.125, 0.25)),
    (3, (0.25, 0.125, 0.125)),
    (4, (0.125, 0.25, 0.125)),  # the first score: 0.5
    (5, (1.0, 0.5, 0.5)),  # 2.0, at or above the warning threshold: the onset
    (6, (2.75, -0.875, 0.375)),  # 2.25: raised
    (7, (1.0, 2.5, 0.5)),  # 4.0, at or above the critical threshold
    (8, (-0.25, 3.25, 0.5)),  # 3.5: escalated
    (9, (0.25, 0.5, 0.25)),  # 1.0, below 1.25 less an eighth of it
    (10, (0.5, 0.25, 0.25)),
    (11, (0.25, 0.25, 0.5)),  # cleared
    (13, (0.5, 0.25, 0.25)),  # a gap
    (13, (0.5, 0.25, 0.25)),  # a duplicate
    (12, (0.5, 0.25, 0.25)),  # late
)
"""Cycles of engine-1, and what T24, T30 and T50 show."""

STUCK_FLIGHT: Final[Sequence[tuple[int, Row]]] = (
    (1, (1.0, 2.0, 1.0)),
    (2, (1.5, 1.5, 1.0)),
    (3, (2.0, 1.0, 1.0)),
    (4, (1.25, 1.75, 1.0)),
    (5, (1.75, 1.25, 1.0)),  # raised to critical at once, T50 stuck
)
"""Likewise engine-2's, in its seventh run."""


def message(cycle: int, row: Row, asset_id: str = "engine-1", run_id: str = "run-1") -> bytes:
    """Return a reading as bytes."""
    base = reading(cycle, 0.0, asset_id, run_id)
    sensors = dict(base.sensors) | dict(zip(SCORER.spec.channels, row, strict=True))
    return changed(base, sensors=sensors, ts=utc_text(TAKEN + timedelta(seconds=cycle)))


def record(value: bytes | None, number: int, key: bytes | None = b"engine-1") -> SourceRecord:
    """Return the record that stands ``number`` places after the first."""
    position = SourcePosition(TOPIC, PARTITION, FIRST_OFFSET + number)
    return SourceRecord(position, PUBLISHED_MS + number, key, value)


def _flight() -> list[SourceRecord]:
    messages = [(b"engine-1", message(cycle, row)) for cycle, row in FLIGHT]
    unknown: dict[str, object] = {"settings": {"altitude": -1.0, "mach": 0.0, "tra": 100.0}}
    lacking = {"T24": 1.0, "T30": 1.0}
    later: list[tuple[int, dict[str, object]]] = [
        (14, {"sensors": lacking}),  # T50 is held
        (15, unknown),
        (16, {"sensors": {"P2": 1.0}}),  # nothing the model looks at
        (17, unknown | {"sensors": lacking}),  # T50 is held, as of a cycle that was run alike
        (18, {"sensors": lacking}),  # and is not, since it was run otherwise
    ]
    messages += [
        (
            b"engine-1",
            changed(reading(cycle), ts=utc_text(TAKEN + timedelta(seconds=cycle)), **fields),
        )
        for cycle, fields in later
    ]
    messages += [
        (b"engine-2", message(cycle, row, "engine-2", "run-7")) for cycle, row in STUCK_FLIGHT
    ]
    return [record(value, number, key) for number, (key, value) in enumerate(messages)]


def concluded() -> tuple[DecodedBatch, Outcome]:
    """Return what the core makes of the two flights."""
    batch = decode_batch(_flight(), fleets_of(SCORER, INPUTS))
    plan = prepare(batch, {}, fleet_of(SCORER, INPUTS))
    found = SCORER.score(plan.windows, plan.trail)
    return batch, conclude(plan, found, fleet_of(SCORER, INPUTS, ALARM))


def alerts() -> object:
    """Return every alert of the two flights as it stands on the topic."""
    _, outcome = concluded()
    return [_on_wire(alert) for alert in outcome.alerts]


def verdicts() -> object:
    """Return every verdict of the two flights."""
    batch, outcome = concluded()
    return [_plain(verdict) for verdict in (*outcome.verdicts, *batch.rejected)]


def states() -> object:
    """Return the bytes of both states after the flights, in hex, 16 bytes a line."""
    _, outcome = concluded()
    return {
        "/".join(key): [
            chunk.hex(" ")
            for packed in [item.state.pack()]
            for chunk in (packed[at : at + 16] for at in range(0, len(packed), 16))
        ]
        for key, item in outcome.states.items()
    }


def _refused() -> list[tuple[bytes | None, bytes | None, MeanScorer]]:
    good = reading(5, 645.0)
    settings, sensors = dict(good.settings), dict(good.sensors)
    engine = b"engine-1"
    return [
        (engine, None, SCORER),
        (engine, b"", SCORER),
        (engine, bytes(index % 251 for index in range(MAX_ORIGINAL_BYTES + 5)), SCORER),
        (engine, '{"note": "größer"}'.encode("latin-1"), SCORER),
        (engine, b'{"asset_id": "eng', SCORER),
        (engine, changed(good, schema_version=3, run_id="run 1"), SCORER),
        (engine, changed(good, settings=settings | {"mach": float("nan")}), SCORER),
        (engine, changed(good, cycle=0), SCORER),
        (engine, changed(good, sensors={"P2": 14.6}), SCORER),
        (engine, changed(good, sensors=sensors | {"T24": 6450.0, "T30": 64.5}), STRICT),
        (engine, changed(good, schema_version=2, fleet="pumps"), SCORER),
        (engine, changed(good, ts="2026-01-01T00:00:31Z"), TICKING),
        (b"engine-2", good.to_json(), SCORER),
        (None, good.to_json(), SCORER),
        (b"k" * (MAX_ORIGINAL_BYTES + 1), good.to_json(), SCORER),
    ]


UNREADABLE: Final = (
    (RejectReason.DAMAGED_BATCH, "its checksum is wrong"),
    (RejectReason.UNKNOWN_CODEC, "its codec is 7"),
    (RejectReason.BATCH_TOO_LARGE, "it holds more than may be read"),
)


def dead_letters() -> object:
    """Return a dead letter for each reason, and one of a message without a stamp."""
    letters: list[DeadLetter] = []
    for number, (key, value, scorer) in enumerate(_refused()):
        letters += decode_batch(
            [record(value, number, key)], fleets_of(scorer, INPUTS)
        ).dead_letters
    unstamped = SourceRecord(SourcePosition(TOPIC, 0, 0), 0, None, b"?")
    letters += decode_batch([unstamped], fleets_of(SCORER, INPUTS)).dead_letters
    sound = record(reading(5).to_json(), 20)
    misplaced = wrong_partition("engine-1", PARTITION, home=1)
    stranger = wrong_fleet("engine-1", "pumps", "default")
    failed = failure(FailedRecord(sound, "ValueError: no such thing"))
    letters += [dead_letter(sound, error) for error in (misplaced, stranger, failed)]
    original = bytes(index % 253 for index in range(MAX_ORIGINAL_BYTES + 7))
    for reason, said in UNREADABLE:
        batch = UnreadableBatch(
            SourcePosition(TOPIC, PARTITION, 100), 117, reason, f"Offsets 100 to 117: {said}.",
            original, 9_999_999, "ab" * 32,
        )  # fmt: skip
        letters.append(unreadable_letter(batch))
    return [_on_wire(letter) for letter in letters]


STORED: Final = (
    ScoreRecord(
        asset_id="engine-1",
        run_id="run-1",
        cycle=2012,
        ts=datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC),
        status=Verdict.SCORED,
        model="fd001@7",
        score=2.25,
        warning_threshold=1.25,
        critical_threshold=2.75,
        level=Level.WARNING,
        evidence=Evidence.CHANNEL,
        severity=1.75,
        life=LifeLeft(40.5, 28.25, 60.125),
        shares={"T24": 0.6875, "T30": 0.21875, "T50": 0.09375},
        detail='"T50" has not moved, \\ stuck?',
    ),
    ScoreRecord(
        asset_id="engine-1",
        run_id="run-1",
        cycle=2013,
        ts=datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC),
        status=Verdict.SCORED,
        model="fd001@7",
        score=-0.5,
        warning_threshold=1.25,
        critical_threshold=2.75,
        level=Level.NONE,
        shares={"T24": 0.25, "T30": 0.5, "T50": 0.25},
    ),
    ScoreRecord(
        asset_id="engine-2",
        run_id="run-1",
        cycle=1,
        ts=datetime(2026, 3, 1, 12, 0, 2, tzinfo=UTC),
        status=Verdict.SCORED,
        model="fd001@7",
        score=1e-7,
        level=Level.CRITICAL,
    ),
    *(
        ScoreRecord(
            asset_id="engine-1",
            run_id="run-1",
            cycle=2014 + number,
            ts=datetime(2026, 3, 1, 12, 0, 3 + number, tzinfo=UTC),
            status=status,
            model="fd001@7",
            detail=f"said of {status.value}",
            source=SourcePosition(TOPIC, PARTITION, 5_000_041 + number),
            published_ts_ms=PUBLISHED_MS + number,
        )
        for number, status in enumerate(Verdict)
        if status is not Verdict.SCORED
    ),
)
"""Two scored rows, one without thresholds, and one of each other verdict."""


def influx_lines() -> object:
    """Return the lines that InfluxDB gets."""
    repeats = [item for item in STORED if item.status.of_message]
    own = [item for item in STORED if not item.status.of_message]
    return [*verdict_lines(own), *repeat_lines(repeats)]


def sqlite_rows() -> object:
    """Return every row of every table of the SQLite file, and of its view."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.db"
        asyncio.run(_write(path))
        with closing(sqlite3.connect(path)) as connection:
            return {
                table: _rows(connection, table)
                for table in ("run", "channel_set", "verdict", "repeat", "scores")
            }


async def _write(path: Path) -> None:
    async with SqliteScoreStore(path, 5.0) as store:
        await store.write(STORED)


def _rows(connection: sqlite3.Connection, table: str) -> list[dict[str, object]]:
    found = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - names of ours
    names = [column[0] for column in found.description]
    return [
        {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in zip(names, row, strict=True)
        }
        for row in found
    ]


def _on_wire(message: WireRecord) -> dict[str, object]:
    fields: dict[str, object] = json.loads(message.to_json())
    return {name: _shown(value) for name, value in fields.items()}


def _shown(value: object) -> object:
    if not isinstance(value, str) or len(value) <= LONGEST_SHOWN:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()
    return {"characters": len(value), "sha256": digest}


def _plain(verdict: ScoreRecord) -> dict[str, object]:
    fields = structs.asdict(verdict) | {
        "source": structs.asdict(verdict.source),
        "ts": utc_text(verdict.ts),
        "status": verdict.status.value,
        "level": verdict.level.value,
    }
    return json.loads(json.dumps(fields))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Golden:
    """A pinned value.

    Attributes:
        file: Where it is pinned.
        make: Makes today's.
    """

    file: Path
    make: Callable[[], object]

    def pinned(self) -> object:
        """Return the pinned value."""
        return json.loads(self.file.read_text(encoding="utf-8"))

    def text(self) -> str:
        """Return today's value as the file would hold it."""
        return json.dumps(self.make(), indent=1, ensure_ascii=False) + "\n"


GOLDEN: Final[Mapping[str, Golden]] = {
    "alerts": Golden(DETECTOR / "alerts.json", alerts),
    "verdicts": Golden(DETECTOR / "verdicts.json", verdicts),
    "dead_letters": Golden(DETECTOR / "dead_letters.json", dead_letters),
    "states": Golden(DETECTOR / "states.json", states),
    "influx_lines": Golden(STORES / "influx_lines.json", influx_lines),
    "sqlite_rows": Golden(STORES / "sqlite_rows.json", sqlite_rows),
}


def main(write: bool) -> None:
    """Say what differs; pin it if asked to."""
    for name, golden in GOLDEN.items():
        before = golden.file.read_text(encoding="utf-8") if golden.file.exists() else ""
        now = golden.text()
        lines = difflib.unified_diff(
            before.splitlines(), now.splitlines(), f"{name}, pinned", f"{name}, now", lineterm=""
        )
        sys.stdout.writelines(f"{line}\n" for line in lines)
        if write:
            golden.file.write_text(now, encoding="utf-8")


if __name__ == "__main__":
    main(write="--write" in sys.argv[1:])
