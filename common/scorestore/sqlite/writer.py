"""Writing to the SQLite file: one transaction a batch, verdicts and summaries together.

A summary counts each verdict once although batches are redelivered. Cycles above the run's last
are new without looking, and are added to its summary as it stands in the file. For others the
summary and the stored rows are read: equal ones change nothing; where one differs, the run is
counted anew from its rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeAlias

from common.records.verdict_batch import VerdictColumns
from common.records.verdicts import ScoreRecord, Verdict
from common.scorestore.batch import Batch, RunKey
from common.scorestore.paging import epoch_us
from common.scorestore.sqlite.growth import UPDATE_READ, UPDATE_SCORED, Growth, added
from common.scorestore.sqlite.known import Known, KnownRun
from common.scorestore.sqlite.rows import (
    LEVELS,
    NO_LIFE,
    RANKS,
    REPEAT_COLUMNS,
    TALLY_COLUMNS,
    VERDICT_COLUMNS,
    VERDICTS,
    VerdictRow,
    life_of,
    repeat_row,
    tally_of,
    tally_row,
    verdict_row,
    verdict_rows,
)
from common.scorestore.sqlite.schema import LIFE_COLUMNS
from common.scorestore.tally import RunTally


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
class _Summary:
    """The summary of a run whose verdicts are counted one by one.

    Attributes:
        key: The run's number.
        tally: What is known of it.
        recount: Whether a stored row changes, so that the summary cannot be carried forward.
    """

    key: int
    tally: RunTally
    recount: bool = False


_Summaries: TypeAlias = dict[RunKey, _Summary]


def write_batch(connection: sqlite3.Connection, batch: Batch, known: Known | None = None) -> None:
    """Store a batch; when this returns it is on disk.

    Args:
        connection: Of the file.
        batch: What to store.
        known: What is known from batches before; kept up to date.

    Raises:
        sqlite3.Error: If any of it fails; then nothing is stored once the caller rolls back.
    """
    known = Known() if known is None else known
    connection.execute("PRAGMA synchronous = FULL")  # removing old rows, before, needs less
    connection.execute("BEGIN IMMEDIATE")
    known.begin(connection)
    _find_runs(connection, known.runs, batch.runs)
    summaries: _Summaries = {}
    for part in batch.columns:
        _write_columns(connection, known, summaries, part)
    _write_records(connection, known, summaries, batch)
    if batch.finals:
        connection.executemany(
            UPDATE_FINAL,
            [(each.score, each.cycle, each.asset_id, each.run_id) for each in batch.finals],
        )
    _write_summaries(connection, known, summaries)
    connection.execute("COMMIT")
    known.keep(connection)


def _write_columns(
    connection: sqlite3.Connection, known: Known, summaries: _Summaries, part: VerdictColumns
) -> None:
    """Write verdicts and count them: together if all runs go on, else row by row."""
    of_part = [known.runs[run] for run in part.runs]
    keys = [run.key for run in of_part]
    grown = Growth(part)
    goes_on = all(map(KnownRun.goes_on, of_part, grown.first_cycles))
    if not goes_on:
        _count_rows(connection, known, summaries, part)
    names = part.findings.channels if len(part.findings) else ()
    channel_set = known.channel_sets.key_of(connection, names) if names else None
    connection.executemany(UPSERT_VERDICT, verdict_rows(keys, part, channel_set))
    if goes_on:
        scored, rest = grown.rows(keys)
        connection.executemany(UPDATE_SCORED, scored)
        connection.executemany(UPDATE_READ, rest)
        for run, last in zip(of_part, grown.last_cycles, strict=True):
            run.last_cycle = last


def _count_rows(
    connection: sqlite3.Connection, known: Known, summaries: _Summaries, part: VerdictColumns
) -> None:
    """Count columns some of which reach back to cycles that may have been counted."""
    records = list(part.records())
    _open_summaries(connection, known, summaries, part.runs)
    for run, begin, end in part.stretches():
        summaries[run].tally.fleet = part.fleet
        _count(connection, summaries[run], {row.cycle: row for row in records[begin:end]})


def _write_records(
    connection: sqlite3.Connection, known: Known, summaries: _Summaries, batch: Batch
) -> None:
    """Write single verdicts and repeats, and count them."""
    back = [run for run, new in batch.verdicts.items() if not known.runs[run].goes_on(min(new))]
    _open_summaries(connection, known, summaries, back)
    rows: list[VerdictRow] = []
    for key, records in batch.verdicts.items():
        run = known.runs[key]
        if key in summaries:
            summaries[key].tally.fleet = next(iter(records.values())).fleet
            _count(connection, summaries[key], records)
        else:
            _add_new(connection, run, records)
        rows.extend(
            verdict_row(run.key, record, known.channel_sets.pack(connection, record.shares))
            for record in records.values()
        )
    if rows:
        connection.executemany(UPSERT_VERDICT, rows)
    if batch.repeats:
        _open_summaries(connection, known, summaries, map(_run_of, batch.repeats.values()))
        _write_repeats(connection, summaries, batch.repeats.values())


def _run_of(record: ScoreRecord) -> RunKey:
    return record.asset_id, record.run_id


def _find_runs(
    connection: sqlite3.Connection, runs: dict[RunKey, KnownRun], wanted: Iterable[RunKey]
) -> None:
    """Make some runs known; those that are not stored yet are made."""
    missing = list(dict.fromkeys(run for run in wanted if run not in runs))
    for asset_id, run_id, *run in _select_runs(connection, missing, ("run_key", "last_cycle")):
        runs[asset_id, run_id] = KnownRun(*run)
    for key in missing:
        if key not in runs:
            made = connection.execute("INSERT INTO run (asset_id, run_id) VALUES (?, ?)", key)
            assert made.lastrowid is not None  # noqa: S101 - an insert has one
            runs[key] = KnownRun(made.lastrowid)


def _open_summaries(
    connection: sqlite3.Connection, known: Known, summaries: _Summaries, wanted: Iterable[RunKey]
) -> None:
    """Read summaries that were not read yet."""
    missing = [run for run in dict.fromkeys(wanted) if run not in summaries]
    for asset_id, run_id, *tally in _select_runs(connection, missing, TALLY_COLUMNS):
        run = asset_id, run_id
        summaries[run] = _Summary(known.runs[run].key, tally_of(tally))


def _select_runs(
    connection: sqlite3.Connection, wanted: Sequence[RunKey], columns: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """Yield the ids and some columns of runs that are stored; asked for together."""
    for first in range(0, len(wanted), RUNS_A_QUERY):
        part = wanted[first : first + RUNS_A_QUERY]
        marks = ", ".join(["(?, ?)"] * len(part))
        yield from connection.execute(
            f"WITH wanted (asset_id, run_id) AS (VALUES {marks}) "  # noqa: S608 - our names
            f"SELECT asset_id, run_id, {', '.join(columns)} "
            "FROM wanted CROSS JOIN run USING (asset_id, run_id)",  # so each is looked up
            [*chain(*part)],
        )


def _add_new(
    connection: sqlite3.Connection, run: KnownRun, records: Mapping[int, ScoreRecord]
) -> None:
    """Add verdicts beyond a run's last cycle to its summary as it stands in the file."""
    tally = RunTally(next(iter(records.values())).fleet)
    for record in records.values():
        tally.arrived(record.published_ts_ms)
        _add(tally, record, epoch_us(record.ts))
    update = UPDATE_READ if tally.last_score is None else UPDATE_SCORED
    connection.execute(update, added(tally, run.key))
    run.last_cycle = tally.last_cycle


def _add(tally: RunTally, record: ScoreRecord, ts_us: int) -> None:
    tally.add(
        record.cycle,
        ts_us,
        record.status,
        record.score,
        record.level,
        record.severity,
        record.life,
    )


def _count(
    connection: sqlite3.Connection, run: _Summary, records: Mapping[int, ScoreRecord]
) -> None:
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
            _add(run.tally, record, ts_us)
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
    connection: sqlite3.Connection, summaries: _Summaries, repeats: Iterable[ScoreRecord]
) -> None:
    rows = []
    for record in repeats:
        run = summaries[_run_of(record)]
        if run.tally.first_cycle is None:  # no verdict has said yet of which fleet the run is
            run.tally.fleet = record.fleet
        row = repeat_row(run.key, record)
        stored = connection.execute(SELECT_REPEAT, row[: len(REPEAT_IDENTITY)]).fetchone()
        if stored is not None:
            run.tally.count(VERDICTS[stored[0]], -1)
        run.tally.count(record.status)
        rows.append(row)
    connection.executemany(UPSERT_REPEAT, rows)


def _write_summaries(connection: sqlite3.Connection, known: Known, summaries: _Summaries) -> None:
    for key, summary in summaries.items():
        if summary.recount:
            _recount(connection, summary)
        known.runs[key].last_cycle = summary.tally.last_cycle
    rows = [(*tally_row(each.tally), each.key) for each in summaries.values()]
    if rows:
        connection.executemany(UPDATE_RUN, rows)


def _recount(connection: sqlite3.Connection, run: _Summary) -> None:
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
