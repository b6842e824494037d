"""Writing to the SQLite file: one transaction a batch, verdicts and summaries together.

A summary counts each verdict once although batches are redelivered. Cycles above the run's last
are new without looking; only for the others are the stored rows read. Equal ones change nothing;
where one differs, the run is counted anew from its rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from common.records.verdict_batch import VerdictColumns
from common.records.verdicts import ScoreRecord, Verdict
from common.scorestore.batch import Batch, RunKey
from common.scorestore.paging import epoch_us
from common.scorestore.sqlite.rows import (
    LEVELS,
    NO_LIFE,
    RANKS,
    REPEAT_COLUMNS,
    TALLY_COLUMNS,
    VERDICT_COLUMNS,
    VERDICTS,
    ChannelSets,
    VerdictRow,
    life_of,
    repeat_row,
    tally_of,
    tally_row,
    verdict_row,
    verdict_rows,
)
from common.scorestore.sqlite.schema import LIFE_COLUMNS
from common.scorestore.tally import RunTally, TalliedColumns


def _upsert(table: str, columns: tuple[str, ...], identity: tuple[str, ...]) -> str:
    rest = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in identity)
    marks = ", ".join("?" * len(columns))
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) "  # noqa: S608 - our names
        f"ON CONFLICT ({', '.join(identity)}) DO UPDATE SET {rest}"
    )


REPEAT_IDENTITY: Final = ("run_key", "topic", "partition", '"offset"', "published_ts_ms")
UPSERT_VERDICT: Final = _upsert("verdict", VERDICT_COLUMNS, ("run_key", "cycle"))
UPSERT_REPEAT: Final = _upsert("repeat", REPEAT_COLUMNS, REPEAT_IDENTITY)
SELECT_RUNS: Final = (
    f"SELECT asset_id, run_id, run_key, {', '.join(TALLY_COLUMNS)} "  # noqa: S608 - our names
    "FROM wanted CROSS JOIN run USING (asset_id, run_id)"  # in this order: each is looked up
)
RUNS_A_QUERY: Final = 400
"""A statement of an older SQLite takes at most 999 values."""
UPDATE_RUN: Final = (
    f"UPDATE run SET {', '.join(f'{name} = ?' for name in TALLY_COLUMNS)} "  # noqa: S608 - our names
    "WHERE run_key = ?"
)
UPDATE_FINAL: Final = (
    "UPDATE verdict SET final_score = ? WHERE cycle = ? AND run_key = "
    "(SELECT run_key FROM run WHERE asset_id = ? AND run_id = ?)"
)
SELECT_COUNTED: Final = (
    f"SELECT cycle, ts_us, status, score, level, severity, {', '.join(LIFE_COLUMNS)} FROM verdict "  # noqa: S608 - our names
    "WHERE run_key = ? AND cycle >= ?"
)
SELECT_REPEAT: Final = (
    f"SELECT status FROM repeat WHERE {' AND '.join(f'{name} = ?' for name in REPEAT_IDENTITY)}"  # noqa: S608 - our names
)


@dataclass(slots=True)
class _Run:
    """One run while a batch is written.

    Attributes:
        key: Its number.
        tally: Its summary.
        recount: Whether a stored row changes, so that the summary cannot be carried forward.
    """

    key: int
    tally: RunTally
    recount: bool = False


def write_batch(connection: sqlite3.Connection, batch: Batch) -> None:
    """Store a batch; when this returns it is on disk.

    Raises:
        sqlite3.Error: If any of it fails; then nothing is stored once the caller rolls back.
    """
    connection.execute("PRAGMA synchronous = FULL")  # removing old rows, before, needs less
    connection.execute("BEGIN IMMEDIATE")
    channel_sets = ChannelSets()
    channel_sets.load(connection)
    runs = _open_runs(connection, batch.runs)
    for part in batch.columns:
        _write_columns(connection, runs, part, channel_sets)
    rows: list[VerdictRow] = []
    for key, records in batch.verdicts.items():
        run = runs[key]
        run.tally.fleet = next(iter(records.values())).fleet
        _count(connection, run, records)
        rows.extend(
            verdict_row(run.key, record, channel_sets.pack(connection, record.shares))
            for record in records.values()
        )
    connection.executemany(UPSERT_VERDICT, rows)
    connection.executemany(
        UPDATE_FINAL,
        [(each.score, each.cycle, each.asset_id, each.run_id) for each in batch.finals],
    )
    _write_repeats(connection, runs, batch.repeats.values())
    for run in runs.values():
        if run.recount:
            _recount(connection, run)
    connection.executemany(UPDATE_RUN, [(*tally_row(run.tally), run.key) for run in runs.values()])
    connection.execute("COMMIT")


def _write_columns(
    connection: sqlite3.Connection,
    runs: Mapping[RunKey, _Run],
    part: VerdictColumns,
    channel_sets: ChannelSets,
) -> None:
    """Write verdicts and count them: stretch by stretch what goes on, else row by row."""
    tallied = TalliedColumns(part)
    records: list[ScoreRecord] = []
    for stretch in part.stretches():
        run = runs[stretch.run]
        run.tally.fleet = part.fleet
        last = run.tally.last_cycle
        if last is None or tallied.first_cycle(stretch) > last:
            tallied.add(stretch, run.tally)
        else:
            records = records or list(part.records())
            rows = {row.cycle: row for row in records[stretch.begin : stretch.end]}
            _count(connection, run, rows)
    names = part.findings.channels
    channel_set = channel_sets.key_of(connection, names) if names and len(part.findings) else None
    keys = [runs[run].key for run in part.runs]
    connection.executemany(UPSERT_VERDICT, verdict_rows(keys, part, channel_set))


def _run_of(record: ScoreRecord) -> RunKey:
    return record.asset_id, record.run_id


def _open_runs(connection: sqlite3.Connection, keys: Sequence[RunKey]) -> dict[RunKey, _Run]:
    """Return each run as it is stored, or newly made; asked for together, not one by one."""
    wanted = list(dict.fromkeys(keys))
    runs: dict[RunKey, _Run] = {}
    for first in range(0, len(wanted), RUNS_A_QUERY):
        part = wanted[first : first + RUNS_A_QUERY]
        marks = ", ".join(["(?, ?)"] * len(part))
        query = f"WITH wanted (asset_id, run_id) AS (VALUES {marks}) {SELECT_RUNS}"
        for asset_id, run_id, run_key, *tally in connection.execute(query, [*chain(*part)]):
            runs[asset_id, run_id] = _Run(run_key, tally_of(tally))
    for key in wanted:
        if key not in runs:
            made = connection.execute("INSERT INTO run (asset_id, run_id) VALUES (?, ?)", key)
            assert made.lastrowid is not None  # noqa: S101 - an insert has one
            runs[key] = _Run(made.lastrowid, RunTally())
    return runs


def _count(connection: sqlite3.Connection, run: _Run, records: Mapping[int, ScoreRecord]) -> None:
    """Add a run's verdicts to its summary, except those it has counted already."""
    lowest = min(records)
    known: dict[int, tuple[object, ...]] = {}
    if run.tally.last_cycle is not None and lowest <= run.tally.last_cycle:
        stored = connection.execute(SELECT_COUNTED, (run.key, lowest))
        known = {row[0]: row for row in stored}
    for cycle, record in records.items():
        run.tally.arrived(record.published_ts_ms)
        ts_us = epoch_us(record.ts)
        before = known.get(cycle)
        if before is None:
            run.tally.add(
                cycle,
                ts_us,
                record.status,
                record.score,
                record.level,
                record.severity,
                record.life,
            )
        elif before != (
            cycle,
            ts_us,
            record.status.value,
            record.score,
            RANKS[record.level],
            record.severity,
            *(record.life or NO_LIFE),
        ):
            run.recount = True


def _write_repeats(
    connection: sqlite3.Connection, runs: Mapping[RunKey, _Run], repeats: Iterable[ScoreRecord]
) -> None:
    rows = []
    for record in repeats:
        run = runs[_run_of(record)]
        if run.tally.first_cycle is None:  # no verdict has said yet of which fleet the run is
            run.tally.fleet = record.fleet
        row = repeat_row(run.key, record)
        stored = connection.execute(SELECT_REPEAT, row[: len(REPEAT_IDENTITY)]).fetchone()
        if stored is not None:
            run.tally.count(VERDICTS[stored[0]], -1)
        run.tally.count(record.status)
        rows.append(row)
    connection.executemany(UPSERT_REPEAT, rows)


def _recount(connection: sqlite3.Connection, run: _Run) -> None:
    """Rebuild a summary from the run's rows; repeats have their own count and keep it."""
    tally = RunTally(run.tally.fleet, arrived_ms=run.tally.arrived_ms)
    for status in Verdict:
        if status.of_message:
            tally.count(status, run.tally.of(status))
    for cycle, ts_us, status, score, level, severity, *life in connection.execute(
        SELECT_COUNTED, (run.key, 0)
    ):
        tally.add(cycle, ts_us, VERDICTS[status], score, LEVELS[level], severity, life_of(life))
    run.tally = tally
