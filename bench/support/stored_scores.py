"""A SQLite score store of any size: some rows written as a detector writes them, then multiplied.

The base is one day of one asset at 1 Hz and a few readings of many assets. Larger stores hold the
same rows again, of other assets; they are copied inside SQLite, which is ten times as fast.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

from bench.suite.failures import WrongCountError
from bench.support.alerts import START
from common.machines.turbofan import SENSOR_NAMES
from common.records.verdicts import Level, ScoreRecord, Verdict
from common.scorestore.factory import open_score_store
from common.settings import ScoreStoreSettings

DAY_S: Final = 86_400
ASSETS: Final = 1_000
BATCH: Final = 5_000
WARM_UP: Final = 30
SOUND_PART: Final = 0.999


SHARES: Final = dict(zip(SENSOR_NAMES[:14], [1 / 14] * 14, strict=True))


def record_at(
    second: int, asset_id: str, cycle: int, *, scored: bool, severity: float
) -> ScoreRecord:
    """Return a verdict as a detector of 14 channels writes it, so many seconds after the start."""
    return ScoreRecord(
        asset_id=asset_id,
        run_id="run-1",
        cycle=cycle,
        ts=START + timedelta(seconds=second),
        status=Verdict.SCORED if scored else Verdict.WARMING_UP,
        model="fd001@1.0.0",
        score=severity if scored else None,
        warning_threshold=1.0 if scored else None,
        level=Level.WARNING if scored and severity >= 1 else Level.NONE,
        severity=severity if scored else None,
        shares=SHARES if scored else {},
        detail="" if scored else f"{cycle} of {WARM_UP} cycles",
        published_ts_ms=round(START.timestamp() * 1000) + 1000 * second,
    )


def base_records(rows: int) -> Iterator[ScoreRecord]:
    """Yield scores as they come: the long run reading by reading, with many assets between."""
    draw = Random(7)
    long = min(DAY_S, rows * DAY_S // 100_000)
    few = -(-(rows - long) // ASSETS)
    written = 0
    for second in range(long):
        at = [("long", second + 1)]
        if second < few:
            at += [(f"asset-{number:04d}", second + 1) for number in range(ASSETS)]
        for asset_id, cycle in at:
            if written == rows:
                return
            scored = cycle > WARM_UP or asset_id > "asset-0099"
            severity = draw.random() ** 2 + (draw.random() > SOUND_PART)
            yield record_at(second, asset_id, cycle, scored=scored, severity=severity)
            written += 1


async def write_base(path: Path, rows: int) -> None:
    """Write the base into a store of its own."""
    async with open_score_store(ScoreStoreSettings(sqlite_path=path)) as store:
        waiting: list[ScoreRecord] = []
        for record in base_records(rows):
            waiting.append(record)
            if len(waiting) == BATCH:
                await store.write(waiting)
                waiting = []
        if waiting:
            await store.write(waiting)


def multiply(path: Path, times: int) -> int:
    """Make a store hold its base so many times; return how many verdicts it has then.

    Args:
        path: The store, with copies 1 to some number in it; nobody else has it open.
        times: How many there are to be, the base included.

    Raises:
        WrongCountError: If it does not hold so many times the base afterwards.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -400000")
        runs, present = connection.execute(
            "SELECT max(run_key) FILTER (WHERE asset_id NOT LIKE '%~%'), max(run_key) FROM run"
        ).fetchone()
        present //= runs
        (base,) = connection.execute(
            "SELECT count(*) FROM verdict WHERE run_key <= ?", (runs,)
        ).fetchone()
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master "
            "WHERE type = 'index' AND tbl_name = 'verdict' AND sql IS NOT NULL"
        ).fetchall()
        connection.execute("BEGIN")
        for name, _ in indexes:  # made anew at the end: sorted once, ten times as fast
            connection.execute(f'DROP INDEX "{name}"')
        for copy in range(present, times):
            for table, values in (
                (
                    "run",
                    {"run_key": f"run_key + {copy * runs}", "asset_id": f"asset_id || '~{copy}'"},
                ),
                ("verdict", {"run_key": f"run_key + {copy * runs}"}),
            ):
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                taken = ", ".join(values.get(name, f'"{name}"') for name in columns)
                named = ", ".join(f'"{name}"' for name in columns)
                connection.execute(
                    f"INSERT INTO {table} ({named}) SELECT {taken} FROM {table} "  # noqa: S608
                    f"WHERE run_key <= {runs} ORDER BY rowid"
                )
        for _, made_by in indexes:
            connection.execute(made_by)
        connection.execute("COMMIT")
        (found,) = connection.execute("SELECT count(*) FROM verdict").fetchone()
    if found != base * times:
        raise WrongCountError(f"the store holds {found:,} verdicts; {base * times:,} were due")
    return int(found)
