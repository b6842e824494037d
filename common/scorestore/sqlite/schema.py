"""The SQLite file: its tables, and how it is opened."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final

from common.errors import BackendRefusedError, BackendUnavailableError
from common.files.private import make_private_file, make_private_folder
from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import Verdict
from common.scorestore.sqlite.errors import sqlite_errors

SCHEMA_VERSION: Final = 8

APPLICATION_ID: Final = 0x5352474C
"""`SRGL`, in the file's header: tells our file from another program's."""

COUNT_COLUMNS: Final = tuple(f"n_{verdict.value}" for verdict in Verdict)
LIFE_COLUMNS: Final = ("life", "life_low", "life_high")

BUSY_POLL_S: Final = 0.01

RETENTION_TABLES: Final = (
    "\nCREATE INDEX repeat_by_arrival ON repeat (published_ts_ms)",
    "\nCREATE TABLE arrival (up_to_row INTEGER PRIMARY KEY, noted_us INTEGER NOT NULL)",
    "\nCREATE TABLE removed (id INTEGER PRIMARY KEY CHECK (id = 1), until_us INTEGER NOT NULL)",
)
"""What ``retention.py`` needs: `arrival` says when which row numbers had been given out."""

PLOT_INDEX: Final = (
    "CREATE INDEX verdict_by_run_and_time ON verdict (run_key, ts_us, cycle, severity, level)"
)
"""With all that a plot needs: the rows themselves, of many runs mixed, are not read for it."""

FINAL_INDEX: Final = (
    "CREATE INDEX verdict_final ON verdict (run_key, ts_us) WHERE final_score IS NOT NULL"
)
"""Tells whether a run has final scores; it holds nothing of runs that have none."""

# One run is one row of `run`: its ids once instead of in every verdict and index, and its summary,
# kept in the transaction that writes the verdicts, so that `runs()` need not read them.
# Shares are float64, big-endian, in the order of `channel_set.names`: 112 bytes for 14 channels
# against 370 as JSON, and 7 microseconds a row less to write; `ieee754_from_blob` of the sqlite3
# shell reads them. The partial indexes hold few rows and serve the filters for such rows.
SCHEMA: Final = f"""
CREATE TABLE run (
    run_key INTEGER PRIMARY KEY,
    asset_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    fleet TEXT NOT NULL DEFAULT '{DEFAULT_FLEET}',
    first_cycle INTEGER,
    last_cycle INTEGER,
    last_ts_us INTEGER,
    last_scored_cycle INTEGER,
    last_score REAL,
    last_level INTEGER NOT NULL DEFAULT 0,
    last_severity REAL,
    last_life REAL,
    last_life_low REAL,
    last_life_high REAL,
    peak_score REAL,
    peak_severity REAL,
    arrived_ms INTEGER,
    {"".join(f"{column} INTEGER NOT NULL DEFAULT 0, " for column in COUNT_COLUMNS)}
    UNIQUE (asset_id, run_id)
);
CREATE TABLE channel_set (
    channel_set_key INTEGER PRIMARY KEY,
    names TEXT NOT NULL UNIQUE
);
CREATE TABLE verdict (
    run_key INTEGER NOT NULL REFERENCES run,
    cycle INTEGER NOT NULL,
    ts_us INTEGER NOT NULL,
    status TEXT NOT NULL,
    level INTEGER NOT NULL,
    model TEXT NOT NULL,
    score REAL,
    warning_threshold REAL,
    critical_threshold REAL,
    evidence TEXT,
    severity REAL,
    life REAL,
    life_low REAL,
    life_high REAL,
    channel_set_key INTEGER REFERENCES channel_set,
    shares BLOB,
    detail TEXT NOT NULL,
    final_score REAL,
    PRIMARY KEY (run_key, cycle)
);
CREATE INDEX verdict_by_time ON verdict (ts_us, run_key, cycle);
{PLOT_INDEX};
{FINAL_INDEX};
CREATE INDEX verdict_anomalous ON verdict (ts_us, run_key, cycle) WHERE level > 0;
CREATE INDEX verdict_unscored ON verdict (status, ts_us, run_key, cycle) WHERE status <> 'scored';
CREATE TABLE repeat (
    run_key INTEGER NOT NULL REFERENCES run,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    published_ts_ms INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    ts_us INTEGER NOT NULL,
    status TEXT NOT NULL,
    model TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (run_key, topic, partition, "offset", published_ts_ms)
) WITHOUT ROWID;
{";".join(RETENTION_TABLES)};
CREATE VIEW scores AS
    SELECT asset_id, run_id, fleet, cycle,
           strftime('%Y-%m-%dT%H:%M:%fZ', ts_us / 1e6, 'unixepoch') AS ts,
           status, CASE level WHEN 0 THEN 'none' WHEN 1 THEN 'warning' ELSE 'critical' END AS level,
           score, final_score, warning_threshold, critical_threshold, evidence, severity, life,
           life_low, life_high, model, detail
    FROM verdict JOIN run USING (run_key);
"""  # noqa: S608 - the names are ours


# From each layout to the next. A file of the one before is changed when it is opened.
UPGRADES: Final = {
    1: (f"ALTER TABLE run ADD COLUMN fleet TEXT NOT NULL DEFAULT '{DEFAULT_FLEET}'",),
    2: (
        "ALTER TABLE run ADD COLUMN last_severity REAL",
        "ALTER TABLE run ADD COLUMN peak_severity REAL",
        "ALTER TABLE verdict ADD COLUMN evidence TEXT",
        *(
            f"ALTER TABLE verdict ADD COLUMN {column} REAL"
            for column in ("severity", *LIFE_COLUMNS)
        ),
    ),
    3: RETENTION_TABLES,
    4: (
        "ALTER TABLE run ADD COLUMN arrived_ms INTEGER",
        "DROP INDEX verdict_by_run_and_time",
        PLOT_INDEX,
    ),
    5: (
        *(f"ALTER TABLE run ADD COLUMN last_{column} REAL" for column in LIFE_COLUMNS),
        *(
            f"UPDATE run SET last_{column} = (SELECT {column} FROM verdict "  # noqa: S608 - our names
            "WHERE verdict.run_key = run.run_key AND verdict.cycle = run.last_scored_cycle)"
            for column in LIFE_COLUMNS
        ),
    ),
    6: ("ALTER TABLE verdict ADD COLUMN final_score REAL",),
    7: (FINAL_INDEX,),
}

NEW_VIEW: Final = ("DROP VIEW scores", SCHEMA[SCHEMA.index("CREATE VIEW") :].rstrip().rstrip(";"))
"""A view names the columns of its day: after any upgrade it is made anew."""


def open_connection(path: Path, timeout_s: float) -> sqlite3.Connection:
    """Open the file, creating it and its folders as needed.

    Args:
        path: The file.
        timeout_s: Longest wait for another process's lock, s.

    Raises:
        BackendUnavailableError: If it is locked, or cannot be created or opened now.
        BackendRefusedError: If the path is a folder, or the file is not a score store, or one of a
            newer version.
    """
    if path.is_dir():
        raise BackendRefusedError(
            f"Score store {path}: this is a folder; SURGELINE_SCORES__SQLITE_PATH names a file, "
            f"such as {path / 'scores.db'}."
        )
    try:
        make_private_folder(path.parent)
    except (FileExistsError, NotADirectoryError) as exc:
        raise BackendRefusedError(
            f"Score store {path}: a part of this path is a file, not a folder."
        ) from exc
    except OSError as exc:
        raise BackendUnavailableError(
            f"Score store {path}: its folder cannot be made ({exc.strerror})."
        ) from exc
    make_private_file(path)
    with sqlite_errors(path):
        connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None)
        try:
            _prepare(connection, path, timeout_s)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    _check_ours(connection, path)
    if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
        # only an empty file can be told; free pages can then be given back to the disk later
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _enter_wal(connection, path, timeout_s)
    # FULL syncs the log at each commit, so that a power cut cannot lose what was acknowledged; with
    # NORMAL only a killed process cannot. The detector acknowledges offsets on the strength of it,
    # and one sync a batch costs 10 to 20 % of throughput (docs/score-store.md).
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -20000")  # KiB; 12 MB more gained nothing
    # pages, 16 MiB: one that many batches changed is then copied from the log once for all of them
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    connection.execute("PRAGMA journal_size_limit = 67108864")  # a long read may swell the log
    if _version(connection) < SCHEMA_VERSION:
        _bring_up_to_date(connection)


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Create or change the tables, unless another process has done so meanwhile.

    Only such a file is locked for this: whoever opens one that is up to date must not wait for its
    writer.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if (version := _version(connection)) == 0:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for layout in range(version or SCHEMA_VERSION, SCHEMA_VERSION):
            for statement in UPGRADES[layout]:
                connection.execute(statement)
        for statement in NEW_VIEW if version else ():
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN")  # one moment: another process may be creating the tables
    version = _version(connection)
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.execute("COMMIT")
    if tables and application_id != APPLICATION_ID:
        raise BackendRefusedError(
            f"Score store {path}: this SQLite file belongs to another program; name another file."
        )
    if version > SCHEMA_VERSION:
        raise BackendRefusedError(
            f"Score store {path}: written by a newer Surgeline (layout {version}; this one knows "
            f"{SCHEMA_VERSION}). Upgrade, or name another file."
        )


def _enter_wal(connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    """Switch to WAL, which the file remembers.

    While another process switches the same new file, SQLite reports `busy` at once instead of
    waiting as it does for locks; so this waits.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(BUSY_POLL_S)
    if mode != "wal":
        raise BackendRefusedError(
            f"Score store {path}: SQLite cannot keep a write-ahead log here (network file systems "
            f"and memory have none); name a file on a local disk."
        )
