"""Reading from the SQLite file: pages of verdicts, summaries of runs, counts."""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from common.records.verdicts import Level, ScoreRecord, Verdict
from common.scorestore.paging import MIN_TS_US, Bounds, from_epoch_us, page_of, position_of
from common.scorestore.port import (
    Glance,
    RunActivity,
    RunPage,
    RunSummary,
    ScorePage,
    ScoreQuery,
)
from common.scorestore.sqlite.rows import (
    FINAL_COLUMN,
    TALLY_COLUMNS,
    VERDICT_COLUMNS,
    VERDICTS,
    ChannelSets,
    record_of,
    tally_of,
)
from common.scorestore.sqlite.schema import COUNT_COLUMNS
from common.scorestore.tally import filling

MAX_STREAMS: Final = 200
"""Runs that are read side by side and merged; above, one reader of all runs filters instead."""

REPEAT_COLUMNS: Final = tuple(f"n_{verdict.value}" for verdict in Verdict if verdict.of_message)
"""Counts of verdicts on messages, which say nothing of a cycle."""

OF_RUNS: Final = (
    "(:asset_id IS NULL OR asset_id = :asset_id) AND (:run_id IS NULL OR run_id = :run_id) "
    "AND (:fleet IS NULL OR fleet = :fleet)"
)
SELECT_VERDICTS: Final = (
    "SELECT run.asset_id, run.run_id, run.fleet, "  # noqa: S608 - our names
    f"{', '.join(f'verdict.{name}' for name in (*VERDICT_COLUMNS, FINAL_COLUMN))} "
    "FROM verdict CROSS JOIN run USING (run_key)"
)

LATEST: Final = (
    "SELECT asset_id, run_id, fleet, n_scored > 0 OR last_severity IS NOT NULL, last_severity, "  # noqa: S608 - our names
    f"last_ts_us, arrived_ms FROM run WHERE {OF_RUNS} ORDER BY asset_id"
)
LAST_VERDICTS: Final = (
    "SELECT status FROM verdict WHERE run_key = "
    "(SELECT run_key FROM run WHERE asset_id = ? AND run_id = ?) ORDER BY cycle DESC LIMIT ?"
)


def read_page(connection: sqlite3.Connection, query: ScoreQuery, bounds: Bounds) -> ScorePage:
    """Return one page, as of one moment.

    Every stream of rows below follows an index that has the order of the page, so that a page costs
    what it holds, not what the file holds.
    """
    connection.execute("BEGIN")
    channel_sets = ChannelSets()
    channel_sets.load(connection)
    condition, values = _condition(query, bounds)
    run_keys = _run_keys(connection, query)
    if run_keys is None:
        order = ["verdict.ts_us", "run.asset_id", "run.run_id", "verdict.cycle"]
        streams = [(condition, values)]
    else:  # within one run the ids are the same, so an index has this order
        order = ["verdict.ts_us", "verdict.cycle"]
        one_run = f"verdict.run_key = :run_key AND {condition}"
        streams = [(one_run, {**values, "run_key": key}) for key in run_keys]
    direction = " DESC" if query.newest_first else ""
    rows = (
        _records(
            connection,
            f"{SELECT_VERDICTS} WHERE {where} "
            f"ORDER BY {', '.join(name + direction for name in order)} LIMIT :page_rows",
            {**given, "page_rows": query.limit + 1},
            channel_sets,
        )
        for where, given in streams
    )
    merged = heapq.merge(*rows, key=position_of, reverse=query.newest_first)
    return page_of(islice(merged, query.limit + 1), query.limit)


def read_runs(
    connection: sqlite3.Connection, asset_id: str | None, run_id: str | None, fleet: str | None
) -> Sequence[RunSummary]:
    """Return the summaries that the writer keeps."""
    return _summaries(connection, OF_RUNS, {"asset_id": asset_id, "run_id": run_id, "fleet": fleet})


def read_run_page(
    connection: sqlite3.Connection,
    most_assets: int,
    after: str | None,
    asset_id: str | None,
    run_id: str | None,
    fleet: str | None,
) -> RunPage:
    """Return the summaries of a few assets, as of one moment; the index on ids finds them."""
    connection.execute("BEGIN")
    where = f"{OF_RUNS} AND asset_id > :after"
    values = {"asset_id": asset_id, "run_id": run_id, "fleet": fleet, "after": after or ""}
    names = [
        name
        for (name,) in connection.execute(
            f"SELECT DISTINCT asset_id FROM run WHERE {where} ORDER BY asset_id LIMIT :most",  # noqa: S608 - our names
            {**values, "most": most_assets + 1},
        )
    ]
    if not names:
        return RunPage([], None)
    last = names[:most_assets][-1]
    runs = _summaries(connection, f"{where} AND asset_id <= :last", {**values, "last": last})
    return RunPage(runs, last if len(names) > most_assets else None)


def read_activity(connection: sqlite3.Connection, since_us: int) -> Sequence[RunActivity]:
    """Return how far runs have come: those with a reading since then, and all with repeats.

    Repeats have no time here, so runs that have any are always among them.
    """
    rows = connection.execute(
        "SELECT asset_id, run_id, fleet, last_cycle, last_ts_us, last_scored_cycle, "  # noqa: S608 - our names
        f"{' + '.join(COUNT_COLUMNS)}, n_scored FROM run "
        f"WHERE last_ts_us >= :since_us OR {' + '.join(REPEAT_COLUMNS)} > 0",
        {"since_us": since_us},
    )
    return [
        RunActivity(
            asset_id=asset_id,
            run_id=run_id,
            fleet=fleet,
            last_cycle=cycle,
            last_ts=None if ts_us is None else from_epoch_us(ts_us),
            last_scored_cycle=scored_cycle,
            readings=readings,
            scored=scored,
        )
        for asset_id, run_id, fleet, cycle, ts_us, scored_cycle, readings, scored in rows
    ]


def _summaries(
    connection: sqlite3.Connection, where: str, values: Mapping[str, object]
) -> list[RunSummary]:
    rows = connection.execute(
        f"SELECT asset_id, run_id, {', '.join(TALLY_COLUMNS)} FROM run "  # noqa: S608 - our names
        f"WHERE {where} ORDER BY asset_id, last_ts_us, run_id",  # those without a time come first
        values,
    )
    return [tally_of(row[2:]).summary(row[0], row[1]) for row in rows]


def read_summaries(
    connection: sqlite3.Connection, asset_ids: Collection[str]
) -> Sequence[RunSummary]:
    """Return the summaries of these assets."""
    where = "asset_id IN (SELECT value FROM json_each(:asset_ids))"
    return _summaries(connection, where, {"asset_ids": json.dumps(sorted(asset_ids))})


def read_latest(
    connection: sqlite3.Connection, asset_id: str | None, run_id: str | None, fleet: str | None
) -> Sequence[Glance]:
    """Return the latest run of each asset; ``tally.recency`` says which that is."""
    rows = connection.execute(LATEST, {"asset_id": asset_id, "run_id": run_id, "fleet": fleet})
    found: list[Glance] = []
    last, latest = None, (False, 0, MIN_TS_US, "")
    for asset, run, of, scored, severity, ts_us, arrived_ms in rows:
        place = (ts_us is not None, arrived_ms or 0, MIN_TS_US if ts_us is None else ts_us, run)
        if asset != last:
            last = asset
        elif place > latest:
            del found[-1]
        else:
            continue
        latest = place
        found.append(Glance(asset, run, of, scored == 1, severity))
    return found


def read_warm_ups(
    connection: sqlite3.Connection, runs: Collection[tuple[str, str]], most: int
) -> Sequence[int]:
    """Count back from the last verdict of each run; the primary key has this order."""
    connection.execute("BEGIN")
    return [
        filling(
            VERDICTS[status]
            for (status,) in connection.execute(LAST_VERDICTS, (asset_id, run_id, most))
        )
        for asset_id, run_id in runs
    ]


def read_counts(connection: sqlite3.Connection, run_id: str | None) -> Mapping[Verdict, int]:
    """Return the sum of the summaries' counts."""
    sums = connection.execute(
        f"SELECT {', '.join(f'sum({name})' for name in COUNT_COLUMNS)} FROM run "  # noqa: S608 - our names
        "WHERE :run_id IS NULL OR run_id = :run_id",
        {"run_id": run_id},
    ).fetchone()
    return {verdict: count for verdict, count in zip(Verdict, sums, strict=True) if count}


def _run_keys(connection: sqlite3.Connection, query: ScoreQuery) -> list[int] | None:
    """Return the runs a query is about; none where all, or too many to merge."""
    if query.asset_id is None and query.run_id is None and query.fleet is None:
        return None
    rows = connection.execute(
        f"SELECT run_key FROM run WHERE {OF_RUNS} LIMIT :most",  # noqa: S608 - our names
        {
            "asset_id": query.asset_id,
            "run_id": query.run_id,
            "fleet": query.fleet,
            "most": MAX_STREAMS + 1,
        },
    ).fetchall()
    return [key for (key,) in rows] if len(rows) <= MAX_STREAMS else None


def _condition(query: ScoreQuery, bounds: Bounds) -> tuple[str, dict[str, object]]:
    """Return the WHERE clause of a query and its values."""
    terms: list[str] = ["1"]
    values: dict[str, object] = {}

    def add(term: str, **given: object) -> None:
        terms.append(term)
        values.update(given)

    if query.asset_id is not None:
        add("run.asset_id = :asset_id", asset_id=query.asset_id)
    if query.run_id is not None:
        add("run.run_id = :run_id", run_id=query.run_id)
    if query.fleet is not None:
        add("run.fleet = :fleet", fleet=query.fleet)
    if bounds.since_us is not None:
        add("verdict.ts_us >= :since_us", since_us=bounds.since_us)
    if bounds.until_us is not None:
        add("verdict.ts_us < :until_us", until_us=bounds.until_us)
    if query.status is not None:
        add("verdict.status = :status", status=query.status.value)
        if query.status is not Verdict.SCORED:
            add("verdict.status <> 'scored'")  # tells SQLite that the partial index applies
    if query.min_level not in (None, Level.NONE):
        add("verdict.level > 0 AND verdict.level >= :level", level=query.min_level.rank)
    if bounds.after is not None:
        than = "<" if query.newest_first else ">"
        add(
            f"verdict.ts_us {than}= :after_ts_us AND (verdict.ts_us {than} :after_ts_us OR "
            f"(run.asset_id, run.run_id, verdict.cycle) {than} "
            "(:after_asset, :after_run, :after_cycle))",
            after_ts_us=bounds.after.ts_us,
            after_asset=bounds.after.asset_id,
            after_run=bounds.after.run_id,
            after_cycle=bounds.after.cycle,
        )
    return " AND ".join(terms), values


def _records(
    connection: sqlite3.Connection,
    sql: str,
    values: Mapping[str, object],
    channel_sets: ChannelSets,
) -> Iterator[ScoreRecord]:
    for asset_id, run_id, fleet, *row in connection.execute(sql, values):
        yield record_of((asset_id, run_id, fleet), row, channel_sets)
