"""Plots from the SQLite file: what is even is summed up by SQLite, and the rest read row by row.

Final scores are read row by row, where a run has any.

A row costs a microsecond in Python and a tenth of that in SQLite. So where a run has many rows for
each bucket of ``plotting.py``, SQLite is asked for a bucket's count, ends and extremes; only the
rows of buckets with several levels, or an interruption, come here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from common.scorestore.paging import Bounds
from common.scorestore.plotting import NO_LEVEL, EvenRows, PlotReducer, Row, with_finals
from common.scorestore.port import Plot, PlotQuery

MANY_ROWS: Final = 50
"""For each bucket: below, asking about buckets costs more than reading their rows."""

FEW_BUCKETS: Final = 32
"""So many uneven ones are read before it is asked whether most are."""

PARTS: Final = "FROM verdict INDEXED BY verdict_by_run_and_time WHERE run_key = ?"
BUCKET: Final = f"{PARTS} AND ts_us >= ? AND ts_us < ?"

FINALS: Final = f"SELECT ts_us, cycle, final_score, {NO_LEVEL} {BUCKET} ORDER BY ts_us, cycle"
HAS_FINALS: Final = (
    "SELECT 1 FROM verdict INDEXED BY verdict_final WHERE run_key = ? AND ts_us >= ? AND ts_us < ? "
    "AND final_score IS NOT NULL LIMIT 1"
)
"""Runs without them, which are most, are not looked through for one."""

ROWS: Final = "SELECT ts_us, cycle, severity, level"
# with one min() or max(), SQLite takes the other columns from the first row that has it
LOWEST: Final = (
    "SELECT ts_us, cycle, min(severity), level, count(*), count(severity), sum(level), "
    f"sum(level * level) {BUCKET}"
)
HIGHEST: Final = f"SELECT ts_us, cycle, max(severity), level {BUCKET}"
FIRST: Final = f"{ROWS} {BUCKET} ORDER BY ts_us, cycle LIMIT 1"
LAST: Final = f"{ROWS} {BUCKET} ORDER BY ts_us DESC, cycle DESC LIMIT 1"


class _Range(NamedTuple):
    """One run's readings from a time (inclusive) to another (exclusive), microseconds."""

    run_key: int
    begin_us: int
    end_us: int


def read_plot(connection: sqlite3.Connection, query: PlotQuery, bounds: Bounds) -> Plot:
    """Return a plot, as of one moment, from an index that has all it needs."""
    connection.execute("BEGIN")
    whole = _range(connection, query, bounds)
    if whole is None:
        return Plot([])
    plot = _severities(connection, query, whole)
    if connection.execute(HAS_FINALS, whole).fetchone() is None:
        return plot
    finals = PlotReducer(whole.begin_us, whole.end_us - 1, query.most)
    finals.add(connection.execute(FINALS, whole))
    return with_finals(plot, finals)


def _severities(connection: sqlite3.Connection, query: PlotQuery, whole: _Range) -> Plot:
    """Return the plot without final scores."""
    reducer = PlotReducer(whole.begin_us, whole.end_us - 1, query.most)
    buckets = list(reducer.buckets())
    if _has(connection, whole, max(query.most, MANY_ROWS * len(buckets))):
        _add_buckets(connection, whole, reducer, buckets)
        plot = reducer.plot()
        if plot.scored > query.most:
            return plot
        reducer = PlotReducer(whole.begin_us, whole.end_us - 1, query.most)  # all are shown
    reducer.add(_rows(connection, whole))
    return reducer.plot()


def _range(connection: sqlite3.Connection, query: PlotQuery, bounds: Bounds) -> _Range | None:
    """Return where the first and the last row are that the plot is of; none without one."""
    found = connection.execute(
        "SELECT run_key FROM run WHERE asset_id = ? AND run_id = ?", (query.asset_id, query.run_id)
    ).fetchone()
    if found is None:
        return None
    terms, values = "", [*found]
    for term, value in (("ts_us >= ?", bounds.since_us), ("ts_us < ?", bounds.until_us)):
        if value is not None:
            terms += f" AND {term}"
            values.append(value)
    begin_us, last_us = (
        connection.execute(f"SELECT {name}(ts_us) {PARTS}{terms}", values).fetchone()[0]
        for name in ("min", "max")  # one at a time: then the index is asked, and not read
    )
    return None if begin_us is None else _Range(found[0], begin_us, last_us + 1)


def _has(connection: sqlite3.Connection, part: _Range, many: int) -> bool:
    """Return whether there are so many rows; no more of them are counted."""
    counted = f"SELECT count(*) FROM (SELECT 1 {BUCKET} LIMIT ?)"  # noqa: S608 - our names
    (rows,) = connection.execute(counted, (*part, many)).fetchone()
    return bool(rows >= many)


def _rows(connection: sqlite3.Connection, part: _Range) -> Iterator[Row]:
    return connection.execute(f"{ROWS} {BUCKET} ORDER BY ts_us, cycle", part)


def _add_buckets(
    connection: sqlite3.Connection,
    whole: _Range,
    reducer: PlotReducer,
    buckets: Sequence[tuple[int, int]],
) -> None:
    """Give the reducer all rows, bucket by bucket; where most are uneven, the rest at once."""
    uneven = 0
    for number, (begin_us, end_us) in enumerate(buckets):
        bucket = _Range(whole.run_key, max(begin_us, whole.begin_us), min(end_us, whole.end_us))
        if uneven > max(FEW_BUCKETS, number // 2):
            reducer.add(_rows(connection, bucket._replace(end_us=whole.end_us)))
            return
        *low, rows, scored, levels, squares = connection.execute(LOWEST, bucket).fetchone()
        if rows == 0:
            continue
        if scored < rows or rows * squares != levels**2:  # Cauchy and Schwarz: equal if all are
            uneven += 1
            reducer.add(_rows(connection, bucket))
            continue
        first, last, high = (
            connection.execute(statement, bucket).fetchone() for statement in (FIRST, LAST, HIGHEST)
        )
        reducer.add_even(EvenRows(rows, first, last, (low[0], low[1], low[2], low[3]), high))
