"""Rows of the SQLite file and the records they stand for."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from common.records.verdict_batch import VerdictColumns
from common.records.verdicts import Evidence, Level, LifeLeft, ScoreRecord, Verdict
from common.scorestore.paging import epoch_us, from_epoch_us
from common.scorestore.sqlite.schema import COUNT_COLUMNS, LIFE_COLUMNS
from common.scorestore.tally import RunTally

VerdictRow: TypeAlias = tuple[
    int, int, int, str, int, str, float | None, float | None, float | None, str | None,
    float | None, float | None, float | None, float | None, int | None, bytes | None, str,
]  # fmt: skip
ChannelNames: TypeAlias = tuple[str, ...]

LEVELS: Final = tuple(sorted(Level, key=lambda level: level.rank))
RANKS: Final = {level: level.rank for level in Level}
EVIDENCE: Final[dict[str | None, Evidence | None]] = {
    None: None,
    **{evidence.value: evidence for evidence in Evidence},
}
NO_LIFE: Final = (None, None, None)
VERDICTS: Final = {verdict.value: verdict for verdict in Verdict}
NAMES: Final = {verdict: verdict.value for verdict in Verdict}
NAMES_OF_EVIDENCE: Final = {evidence: evidence.value for evidence in Evidence}
"""Asking a member of an enumeration for its value takes longer."""

VERDICT_COLUMNS: Final = (
    "run_key", "cycle", "ts_us", "status", "level", "model", "score", "warning_threshold",
    "critical_threshold", "evidence", "severity", *LIFE_COLUMNS,
    "channel_set_key", "shares", "detail",
)  # fmt: skip
FINAL_COLUMN: Final = "final_score"
"""Of a verdict's row, but written on its own: a verdict that is written again keeps it."""
REPEAT_COLUMNS: Final = (
    "run_key", "topic", "partition", '"offset"', "published_ts_ms", "cycle", "ts_us", "status",
    "model", "detail",
)  # fmt: skip
LAST_LIFE_COLUMNS: Final = tuple(f"last_{column}" for column in LIFE_COLUMNS)
TALLY_COLUMNS: Final = (
    "fleet", "first_cycle", "last_cycle", "last_ts_us", "last_scored_cycle", "last_score",
    "last_level", "last_severity", *LAST_LIFE_COLUMNS, "peak_score", "peak_severity", "arrived_ms",
    *COUNT_COLUMNS,
)  # fmt: skip


class ChannelSets:
    """The tables of channel names, known by number; numbers are never reused.

    A number made in a transaction that is then rolled back may come to mean other names, so the
    writer calls :meth:`load` at the start of each transaction.
    """

    def __init__(self) -> None:
        self._names: dict[int, ChannelNames] = {}
        self._keys: dict[ChannelNames, int] = {}

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the whole table: one row per model that ever scored, so a handful."""
        rows = connection.execute("SELECT channel_set_key, names FROM channel_set")
        self._names = {key: tuple(json.loads(names)) for key, names in rows}
        self._keys = {names: key for key, names in self._names.items()}

    def pack(
        self, connection: sqlite3.Connection, shares: Mapping[str, float]
    ) -> tuple[int | None, bytes | None]:
        """Return the number of the names and the packed values, adding names that are new."""
        if not shares:
            return None, None
        names = tuple(shares)
        return self.key_of(connection, names), struct.pack(f">{len(names)}d", *shares.values())

    def key_of(self, connection: sqlite3.Connection, names: ChannelNames) -> int:
        """Return the number of the names, adding names that are new."""
        key = self._keys.get(names)
        if key is None:
            key = connection.execute(
                "INSERT INTO channel_set (names) VALUES (?)", [json.dumps(names)]
            ).lastrowid
            assert key is not None  # noqa: S101 - an insert has one
            self._names[key], self._keys[names] = names, key
        return key

    def unpack(self, key: int | None, packed: bytes | None) -> dict[str, float]:
        """Return the shares again."""
        if key is None or packed is None:
            return {}
        names = self._names[key]
        return dict(zip(names, struct.unpack(f">{len(names)}d", packed), strict=True))


def verdict_row(
    run_key: int, record: ScoreRecord, packed: tuple[int | None, bytes | None]
) -> VerdictRow:
    """Return a row in the order of ``VERDICT_COLUMNS``."""
    return (
        run_key,
        record.cycle,
        epoch_us(record.ts),
        NAMES[record.status],
        RANKS[record.level],
        record.model,
        record.score,
        record.warning_threshold,
        record.critical_threshold,
        record.evidence and record.evidence.value,
        record.severity,
        *(record.life or NO_LIFE),
        *packed,
        record.detail,
    )


def verdict_rows(
    run_keys: Sequence[int], part: VerdictColumns, channel_set: int | None
) -> Iterator[VerdictRow]:
    """Return the rows of columns as :func:`verdict_row` makes them, each of a run's number.

    Args:
        run_keys: Of the run of each stretch.
        part: The columns.
        channel_set: The number of its channels' names; none where there are none.
    """
    found, critical = part.findings, part.findings.critical_threshold
    if found.life is None:
        lives: Iterable[Sequence[float | None]] = repeat([None] * len(found), 3)
    else:
        lives = found.life.T.tolist()
    of_scored: Iterable[Sequence[Any]] = (
        found.scores.tolist(),
        found.warnings(),
        [critical] * len(found),
        [NAMES_OF_EVIDENCE[each] for each in found.evidence],
        found.severities.tolist(),
        *lives,
        [channel_set] * len(found),
        [None] * len(found) if channel_set is None else pack_shares(found.shares),
    )
    return zip(
        chain.from_iterable(map(repeat, run_keys, part.counts)),
        part.cycles.tolist(),
        part.ts_us.tolist(),
        map(NAMES.__getitem__, part.statuses),
        (rank or 0 for rank in part.in_rows(found.ranks.tolist())),
        repeat(part.model),
        *map(part.in_rows, of_scored),
        part.details,
    )  # fmt: skip


def pack_shares(shares: NDArray[np.float64]) -> list[bytes]:
    """Return shares as :meth:`ChannelSets.pack` packs them, reading by reading.

    Args:
        shares: Shape ``(n, n_channels)``, one channel at least.
    """
    packed: list[bytes] = shares.astype(">f8").view(f"V{shares.shape[1] * 8}").ravel().tolist()
    return packed


def repeat_row(run_key: int, record: ScoreRecord) -> tuple[object, ...]:
    """Return a row in the order of ``REPEAT_COLUMNS``."""
    source = record.source
    return (
        run_key,
        source.topic,
        source.partition,
        source.offset,
        record.published_ts_ms,
        record.cycle,
        epoch_us(record.ts),
        record.status.value,
        record.model,
        record.detail,
    )


def tally_row(tally: RunTally) -> tuple[object, ...]:
    """Return a row in the order of ``TALLY_COLUMNS``."""
    return (
        tally.fleet,
        tally.first_cycle,
        tally.last_cycle,
        tally.last_ts_us,
        tally.last_scored_cycle,
        tally.last_score,
        RANKS[tally.last_level],
        tally.last_severity,
        *(tally.last_life or NO_LIFE),
        tally.peak_score,
        tally.peak_severity,
        tally.arrived_ms,
        *tally.counts,
    )


def tally_of(row: Sequence[Any]) -> RunTally:
    """Return the tally of a row in the order of ``TALLY_COLUMNS``."""
    (
        fleet, first, last, last_ts_us, last_scored, last_score, level, severity, life, low, high,
        peak, peak_severity, arrived_ms, *counts,
    ) = row  # fmt: skip
    return RunTally(
        fleet=fleet,
        first_cycle=first,
        last_cycle=last,
        last_ts_us=last_ts_us,
        last_scored_cycle=last_scored,
        last_score=last_score,
        last_level=LEVELS[level],
        last_severity=severity,
        last_life=life_of((life, low, high)),
        peak_score=peak,
        peak_severity=peak_severity,
        arrived_ms=arrived_ms,
        counts=counts,
    )


def life_of(row: Sequence[Any]) -> LifeLeft | None:
    """Return what the values of ``LIFE_COLUMNS`` say."""
    return None if row[0] is None else LifeLeft(*row)


def record_of(
    whose: tuple[str, str, str], row: Sequence[Any], channel_sets: ChannelSets
) -> ScoreRecord:
    """Return the record of (asset, run, fleet) and a row: ``VERDICT_COLUMNS``, ``FINAL_COLUMN``."""
    asset_id, run_id, fleet = whose
    (
        _, cycle, ts_us, status, level, model, score, warning, critical, evidence, severity, *life,
        key, packed, detail, final,
    ) = row  # fmt: skip
    return ScoreRecord(
        asset_id=asset_id,
        run_id=run_id,
        fleet=fleet,
        cycle=cycle,
        ts=from_epoch_us(ts_us),
        status=VERDICTS[status],
        model=model,
        score=score,
        warning_threshold=warning,
        critical_threshold=critical,
        level=LEVELS[level],
        evidence=EVIDENCE[evidence],
        severity=severity,
        life=life_of(life),
        shares=channel_sets.unpack(key, packed),
        detail=detail,
        final_score=final,
    )
