"""Removing from the SQLite file what is too old or too much, a slice at a time.

Age is the time since a verdict was stored, not since its reading: whoever replays last year's
readings today finds them here tomorrow. Rows get higher numbers as they come, so `arrival` notes
now and then which number was the highest; a slice takes the lowest numbers, which lie side by side.
A slice is one short transaction. It leaves the summaries as if its rows had never been counted,
but for the peaks, which are those of the run's whole life.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from common.records.verdicts import Verdict
from common.scorestore.paging import epoch_us
from common.scorestore.port import Keeping, Trimmed
from common.scorestore.sqlite.rows import LAST_LIFE_COLUMNS, VERDICTS
from common.scorestore.sqlite.schema import COUNT_COLUMNS

FILL: Final = 0.9
"""Removal begins when so much of the bound is in use, so that the file stays below it meanwhile."""

LOOSE: Final = 8
"""Pages are given back to the disk while more than one in so many is free; fewer are used again."""

VACUUM_PAGES: Final = 64
"""Pages given back in one slice, 256 KiB."""

MARKS: Final = 100
"""`arrival` is as fine as the age is long, divided by this, or an hour."""

MAX_ROW: Final = 2**63 - 1

HOUR_US: Final = 3_600_000_000

SUBTRACT: Final = (
    f"UPDATE run SET {', '.join(f'{name} = {name} - ?' for name in COUNT_COLUMNS)}, "  # noqa: S608 - our names
    "first_cycle = (SELECT min(cycle) FROM verdict WHERE verdict.run_key = run.run_key) "
    "WHERE run_key = ?"
)
NO_VERDICT: Final = (
    f"UPDATE run SET {', '.join(f'{name} = NULL' for name in LAST_LIFE_COLUMNS)}, "  # noqa: S608 - our names
    "last_cycle = NULL, last_ts_us = NULL, last_scored_cycle = NULL, last_score = NULL, "
    "last_level = 0, last_severity = NULL, peak_score = NULL, peak_severity = NULL, "
    "arrived_ms = NULL WHERE run_key = ? AND first_cycle IS NULL"
)
NO_ROW: Final = (
    "DELETE FROM run WHERE run_key = ? AND first_cycle IS NULL AND "  # noqa: S608 - our names
    f"{' + '.join(COUNT_COLUMNS)} = 0"
)
OLDEST_REPEATS: Final = (
    'SELECT run_key, topic, partition, "offset", published_ts_ms, status FROM repeat '
    "WHERE published_ts_ms < ? ORDER BY published_ts_ms LIMIT ?"
)
DELETE_REPEAT: Final = (
    'DELETE FROM repeat WHERE run_key = ? AND topic = ? AND partition = ? AND "offset" = ? '
    "AND published_ts_ms = ?"
)


class _Room(NamedTuple):
    """How large the file is, bytes.

    Attributes:
        file: All of it, without its log.
        used: What holds rows.
    """

    file: int
    used: int


def trim_slice(
    connection: sqlite3.Connection, keep: Keeping, now: datetime, most_rows: int
) -> Trimmed:
    """Remove at most ``most_rows`` verdicts and as many repeats; give a few pages back.

    Raises:
        sqlite3.Error: If it fails; then nothing is removed once the caller rolls back.
    """
    now_us = epoch_us(now)
    room = _room(connection)
    too_much = keep.max_bytes is not None and room.used > FILL * keep.max_bytes
    gone: defaultdict[int, Counter[Verdict]] = defaultdict(Counter)
    # a power cut may bring the rows back, which harms nobody; to wait for the disk takes longer
    # than the rest of a slice
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    expired_row = _expired_row(connection, keep, now_us)
    verdicts = _remove_verdicts(connection, None if too_much else expired_row, most_rows, gone)
    oldest_ms = _oldest_ms(keep, now_us, too_much=too_much)
    repeats = _remove_repeats(connection, oldest_ms, most_rows, gone)
    _settle(connection, gone)
    connection.execute("COMMIT")
    vacuumed = _give_back(connection, keep)
    return Trimmed(
        verdicts + repeats,
        more=vacuumed or most_rows in (verdicts, repeats),
        pressing=keep.max_bytes is not None and room.file > keep.max_bytes,
    )


def read_removed_until(connection: sqlite3.Connection) -> int | None:
    """Return the time of the latest reading whose verdict was removed, UTC epoch microseconds."""
    found: int | None = connection.execute("SELECT max(until_us) FROM removed").fetchone()[0]
    return found


def _room(connection: sqlite3.Connection) -> _Room:
    size, pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    return _Room(size * pages, size * (pages - free))


def _expired_row(connection: sqlite3.Connection, keep: Keeping, now_us: int) -> int:
    """Return the highest number of rows that are too old, 0 for none; note where we are now."""
    if keep.max_age_us is None:
        return 0
    (highest,) = connection.execute("SELECT max(rowid) FROM verdict").fetchone()
    newest = connection.execute("SELECT up_to_row, max(noted_us) FROM arrival").fetchone()
    apart_us = min(HOUR_US, keep.max_age_us // MARKS)
    if highest and newest[0] != highest and now_us - (newest[1] or 0) >= apart_us:
        connection.execute("INSERT OR REPLACE INTO arrival VALUES (?, ?)", [highest, now_us])
    expired: int = connection.execute(
        "SELECT coalesce(max(up_to_row), 0) FROM arrival WHERE noted_us <= ?",
        [now_us - keep.max_age_us],
    ).fetchone()[0]
    return expired


def _remove_verdicts(
    connection: sqlite3.Connection,
    up_to_row: int | None,
    most_rows: int,
    gone: Mapping[int, Counter[Verdict]],
) -> int:
    """Remove the oldest verdicts; return how many. Without ``up_to_row`` all are old enough."""
    end = MAX_ROW if up_to_row is None else up_to_row
    rows = connection.execute(
        "SELECT rowid, run_key, status, ts_us FROM verdict WHERE rowid <= ? ORDER BY rowid LIMIT ?",
        [end, most_rows],
    ).fetchall()
    # once the rows are gone their numbers may be given out again, so their marks go with them
    reached = rows[-1][0] if len(rows) == most_rows else end
    connection.execute("DELETE FROM arrival WHERE up_to_row <= ?", [reached])
    if not rows:
        return 0
    for _, run_key, status, _ in rows:
        gone[run_key][VERDICTS[status]] += 1
    connection.execute("DELETE FROM verdict WHERE rowid <= ?", [rows[-1][0]])
    connection.execute(
        "INSERT INTO removed VALUES (1, ?) "
        "ON CONFLICT DO UPDATE SET until_us = max(until_us, excluded.until_us)",
        [max(row[3] for row in rows)],
    )
    return len(rows)


def _oldest_ms(keep: Keeping, now_us: int, *, too_much: bool) -> int:
    """Return the broker's time before which repeats go."""
    if too_much:
        return MAX_ROW
    return 0 if keep.max_age_us is None else (now_us - keep.max_age_us) // 1000


def _remove_repeats(
    connection: sqlite3.Connection,
    before_ms: int,
    most_rows: int,
    gone: Mapping[int, Counter[Verdict]],
) -> int:
    rows = connection.execute(OLDEST_REPEATS, [before_ms, most_rows]).fetchall()
    for row in rows:
        gone[row[0]][VERDICTS[row[5]]] += 1
    connection.executemany(DELETE_REPEAT, (row[:5] for row in rows))
    return len(rows)


def _settle(connection: sqlite3.Connection, gone: Mapping[int, Counter[Verdict]]) -> None:
    """Take what is gone from the summaries; remove those of which nothing is left."""
    connection.executemany(SUBTRACT, _differences(gone))
    runs: Collection[tuple[int]] = [(key,) for key in gone]
    connection.executemany(NO_VERDICT, runs)
    connection.executemany(NO_ROW, runs)


def _differences(gone: Mapping[int, Counter[Verdict]]) -> Iterable[tuple[int, ...]]:
    for run_key, counts in gone.items():
        yield (*(counts[verdict] for verdict in Verdict), run_key)


def _give_back(connection: sqlite3.Connection, keep: Keeping) -> bool:
    """Shorten the file a little if much of it is free; return whether it was.

    Files of earlier layouts cannot be shortened so: their free pages are used again.
    """
    room = _room(connection)
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    free = room.file - room.used
    too_large = keep.max_bytes is not None and room.file > keep.max_bytes
    if mode != 2 or not free or not (too_large or free > room.file // LOOSE):
        return False
    connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
    return True
