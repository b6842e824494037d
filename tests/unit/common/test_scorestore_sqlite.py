"""The SQLite score store where only it can fail: locks, full disks, rights, files, kills."""

# ruff: noqa: ASYNC240 - a test has its loop to itself

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from common.errors import BackendError, BackendRefusedError, BackendUnavailableError
from common.records.verdicts import FinalScore, Level, ScoreRecord, SourcePosition, Verdict
from common.scorestore.batch import gather
from common.scorestore.factory import open_score_store
from common.scorestore.memory import MemoryScoreStore
from common.scorestore.paging import check_query, position_of
from common.scorestore.port import PlotQuery, ScoreQuery
from common.scorestore.sqlite import schema as sqlite_schema
from common.scorestore.sqlite import thread as sqlite_thread
from common.scorestore.sqlite.reader import MAX_STREAMS, read_page
from common.scorestore.sqlite.schema import open_connection
from common.scorestore.sqlite.store import SqliteScoreStore
from common.scorestore.sqlite.writer import write_batch
from common.settings import ScoreStoreSettings

START = datetime(2026, 1, 1, tzinfo=UTC)
NOBODY = 65534
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


def rows(count: int, asset_id: str = "engine-1", first: int = 1) -> list[ScoreRecord]:
    return [
        ScoreRecord(
            asset_id=asset_id,
            run_id="run-1",
            cycle=cycle,
            ts=START + timedelta(seconds=cycle),
            status=Verdict.SCORED,
            model="fd001@1",
            score=cycle / 8,
            warning_threshold=1.0,
            critical_threshold=2.0,
            shares={"T24": 0.5, "T30": 0.5},
        )
        for cycle in range(first, first + count)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scores.db"


def test_a_file_is_made_with_its_folders_and_opened_for_safety(tmp_path: Path) -> None:
    file = tmp_path / "plant" / "line 1" / "scores.db"

    with closing(open_connection(file, 5.0)) as connection:
        found = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                "journal_mode", "synchronous", "cache_size", "journal_size_limit",
                "wal_autocheckpoint", "application_id", "user_version",
            )
        }  # fmt: skip

    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "cache_size": -20_000,
        "journal_size_limit": 67_108_864,
        "wal_autocheckpoint": 4_000,
        "application_id": 0x5352474C,
        "user_version": 8,
    }


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that an ordinary user can reach; pytest's own are root's alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Root may write anywhere; become somebody who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


async def refusal(path: Path) -> BackendError:
    with pytest.raises(BackendError) as caught:
        await SqliteScoreStore(path, 0.2).__aenter__()
    assert str(path) in str(caught.value)
    return caught.value


async def test_a_lock_is_waited_for_and_then_reported_and_then_forgotten(path: Path) -> None:
    async with SqliteScoreStore(path, 0.2) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(BackendUnavailableError, match="another process holds its lock"):
                await store.write(rows(3))
            assert (await store.query(ScoreQuery())).records == []  # readers do not mind
            other.execute("ROLLBACK")

        await store.write(rows(3))

        assert (await store.query(ScoreQuery())).records == rows(3)


async def test_a_reader_opens_and_reads_while_somebody_holds_the_writers_lock(path: Path) -> None:
    impatient = ScoreStoreSettings(sqlite_path=path, op_timeout_s=10)
    async with open_score_store(impatient) as store:
        await store.write(rows(3))

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with open_score_store(impatient) as store:
            page = await store.query(ScoreQuery())

    assert len(page.records) == 3


async def test_waiting_for_a_lock_holds_up_neither_the_loop_nor_readers(path: Path) -> None:
    async with SqliteScoreStore(path, 30) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.create_task(store.write(rows(3)))
            await asyncio.wait_for(store.ping(), 10)
            assert not writing.done()
            other.execute("ROLLBACK")
        await writing

        assert await store.verdict_counts() == {Verdict.SCORED: 3}


async def test_a_full_disk_may_be_tried_again_and_leaves_nothing_half_written(path: Path) -> None:
    async with SqliteScoreStore(path, 5) as store:
        await store.write(rows(10))
        pages = await store._writer.run(
            lambda connection: connection.execute("PRAGMA page_count").fetchone()[0]
        )
        await store._writer.run(
            lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        )
        with pytest.raises(BackendUnavailableError, match="the disk is full"):
            await store.write(rows(2000))
        assert await store.verdict_counts() == {Verdict.SCORED: 10}

        await store._writer.run(
            lambda connection: connection.execute("PRAGMA max_page_count = 1000000")
        )
        await store.write(rows(2000))

        assert await store.verdict_counts() == {Verdict.SCORED: 2000}


async def test_work_that_takes_too_long_is_ended(path: Path) -> None:
    async with SqliteScoreStore(path, 0.2) as store:
        with pytest.raises(BackendUnavailableError, match="OP_TIMEOUT_S"):
            await store._reader.run(lambda connection: connection.execute(ENDLESS).fetchone())

        await store.ping()


async def test_what_took_too_long_is_undone_however_late_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite counts the steps of a statement over all its runs, so undoing is asked for too."""
    async with SqliteScoreStore(path, 30) as store:
        await store.write(rows(2000))
    monkeypatch.setattr(sqlite_thread, "STEPS_BETWEEN_CHECKS", 1)

    def delete_and_dawdle(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM verdict WHERE cycle > 1990")
        connection.execute(ENDLESS).fetchone()

    async with SqliteScoreStore(path, 0.5) as store:
        with pytest.raises(BackendUnavailableError, match="OP_TIMEOUT_S"):
            await store._writer.run(delete_and_dawdle)

        assert not await store._writer.run(lambda connection: connection.in_transaction)
    async with SqliteScoreStore(path, 30) as store:
        page = await store.query(ScoreQuery(newest_first=True, limit=10))
        assert [row.cycle for row in page.records] == list(range(2000, 1990, -1))


async def test_a_read_that_is_done_counts_although_it_ends_late(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_thread, "STEPS_BETWEEN_CHECKS", 1)

    def read_and_dawdle(connection: sqlite3.Connection) -> int:
        connection.execute("BEGIN")
        (count,) = connection.execute("SELECT count(*) FROM verdict").fetchone()
        time.sleep(0.6)
        return int(count)

    async with SqliteScoreStore(path, 0.5) as store:
        assert await store._reader.run(read_and_dawdle) == 0
        await store.ping()


async def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    error = await refusal(tmp_path)

    assert isinstance(error, BackendRefusedError)
    assert "this is a folder; SURGELINE_SCORES__SQLITE_PATH names a file" in str(error)
    assert f"such as {tmp_path / 'scores.db'}." in str(error)


async def test_a_file_is_not_a_folder(path: Path) -> None:
    path.touch()

    assert isinstance(await refusal(path / "scores.db"), BackendRefusedError)


@pytest.mark.usefixtures("ordinary_user")
async def test_a_folder_that_may_not_be_written() -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    try:
        for inside, words in (
            ("scores.db", "check the rights of the file and its folder"),
            ("deep/scores.db", "its folder cannot be made (Permission denied)"),
        ):
            error = await refusal(folder / inside)
            assert isinstance(error, BackendUnavailableError)
            assert words in str(error)
    finally:
        folder.rmdir()


async def test_a_file_that_may_not_be_written(
    open_folder: Path, request: pytest.FixtureRequest
) -> None:
    path = open_folder / "scores.db"
    async with SqliteScoreStore(path, 5) as store:
        await store.write(rows(1))
    path.chmod(0o444)
    open_folder.chmod(0o555)
    request.getfixturevalue("ordinary_user")

    error = await refusal(path)

    assert isinstance(error, BackendUnavailableError)
    assert "check the rights" in str(error)


async def test_a_file_that_is_not_sqlite(path: Path) -> None:
    path.write_bytes(b"asset_id,cycle,score\n" * 500)

    error = await refusal(path)

    assert isinstance(error, BackendRefusedError)
    assert "not an SQLite file" in str(error)


async def test_a_file_of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE alert (id TEXT)")

    error = await refusal(path)

    assert isinstance(error, BackendRefusedError)
    assert "belongs to another program" in str(error)


async def test_a_file_of_a_newer_version(path: Path) -> None:
    async with SqliteScoreStore(path, 5):
        pass
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 9")

    error = await refusal(path)

    assert isinstance(error, BackendRefusedError)
    assert "written by a newer Surgeline (layout 9; this one knows 8)" in str(error)


async def test_a_file_of_the_layout_before_is_brought_up_to_date_and_keeps_its_rows(
    path: Path,
) -> None:
    async with SqliteScoreStore(path, 5) as store:
        await store.write(rows(20))
        before = await store.query(ScoreQuery()), await store.runs()
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            "DROP VIEW scores; ALTER TABLE run DROP COLUMN fleet; "
            "ALTER TABLE run DROP COLUMN last_severity; "
            "ALTER TABLE run DROP COLUMN last_life; "
            "ALTER TABLE run DROP COLUMN last_life_low; "
            "ALTER TABLE run DROP COLUMN last_life_high; "
            "ALTER TABLE run DROP COLUMN peak_severity; "
            "ALTER TABLE run DROP COLUMN arrived_ms; "
            "DROP INDEX verdict_by_run_and_time; "
            "CREATE INDEX verdict_by_run_and_time ON verdict (run_key, ts_us, cycle); "
            "ALTER TABLE verdict DROP COLUMN evidence; "
            "ALTER TABLE verdict DROP COLUMN severity; "
            "ALTER TABLE verdict DROP COLUMN life; "
            "ALTER TABLE verdict DROP COLUMN life_low; "
            "ALTER TABLE verdict DROP COLUMN life_high; "
            "DROP INDEX verdict_final; ALTER TABLE verdict DROP COLUMN final_score; "
            "DROP TABLE arrival; DROP TABLE removed; DROP INDEX repeat_by_arrival; "
            "CREATE VIEW scores AS SELECT asset_id FROM run; PRAGMA user_version = 1"
        )

    async with SqliteScoreStore(path, 5) as store:
        after = await store.query(ScoreQuery()), await store.runs()
    with closing(sqlite3.connect(path)) as found:
        named = found.execute("SELECT DISTINCT fleet FROM scores").fetchall()
        version = found.execute("PRAGMA user_version").fetchone()

    assert after == before
    assert (named, version) == ([("default",)], (8,))


async def test_a_file_of_layout_6_takes_final_scores_from_now_on(path: Path) -> None:
    async with SqliteScoreStore(path, 5) as store:
        await store.write(rows(20))
        before = await store.query(ScoreQuery())
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            "DROP VIEW scores; DROP INDEX verdict_final; "
            "ALTER TABLE verdict DROP COLUMN final_score; "
            "CREATE VIEW scores AS SELECT asset_id FROM run; PRAGMA user_version = 6"
        )

    first = before.records[0]
    final = FinalScore(first.asset_id, first.run_id, first.cycle, first.ts, 0.5, first.model)
    async with SqliteScoreStore(path, 5) as store:
        await store.write([], [final])
        after = await store.query(ScoreQuery())
        plot = await store.plot(PlotQuery(first.asset_id, first.run_id))
    with closing(sqlite3.connect(path)) as found:
        told = found.execute("SELECT final_score FROM scores ORDER BY cycle").fetchall()

    assert after.records == [structs.replace(first, final_score=0.5), *before.records[1:]]
    assert [point.final_score for point in plot.finals] == [0.5]
    assert told == [(0.5,), *[(None,)] * 19]


async def test_a_damaged_file_is_refused(path: Path) -> None:
    async with SqliteScoreStore(path, 5) as store:
        await store.write(rows(5000))
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)

    async with SqliteScoreStore(path, 5) as store:
        with pytest.raises(BackendRefusedError, match="damaged"):
            await store.query(ScoreQuery())


async def test_a_file_that_vanished_takes_no_more_rows(path: Path) -> None:
    async with SqliteScoreStore(path, 5) as store:
        await store.write(rows(1))
        moved = path.rename(path.with_name("moved.db"))
        with pytest.raises(BackendRefusedError, match="moved or deleted while in use"):
            await store.write(rows(2))

        moved.rename(path)
        await store.write(rows(2))

        assert await store.verdict_counts() == {Verdict.SCORED: 2}


async def test_a_store_that_was_not_entered_says_so(path: Path) -> None:
    with pytest.raises(RuntimeError, match="async context manager"):
        await SqliteScoreStore(path, 5).ping()


async def test_a_cancelled_write_is_whole_or_absent_and_closing_waits_for_it(path: Path) -> None:
    async with SqliteScoreStore(path, 5) as store:
        writing = asyncio.create_task(store.write(rows(5000)))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    async with SqliteScoreStore(path, 5) as store:
        counts = await store.verdict_counts()
        assert counts in ({}, {Verdict.SCORED: 5000})


async def test_a_store_that_was_left_leaves_no_thread(path: Path) -> None:
    before = set(threading.enumerate())
    store = SqliteScoreStore(path, 5)

    async with store:
        await store.write(rows(1))
        await store.ping()

    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name.startswith("score-store")]


def test_any_number_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    openers = 8
    with ThreadPoolExecutor(openers) as threads:
        for attempt in range(30):
            path = tmp_path / f"{attempt}.db"
            together = Barrier(openers)

            def open_and_close(path: Path = path, together: Barrier = together) -> None:
                together.wait()
                open_connection(path, 30).close()

            for opened in [threads.submit(open_and_close) for _ in range(openers)]:
                opened.result()


def test_opening_a_new_file_waits_for_who_looks_at_it(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        with ThreadPoolExecutor(1) as thread:
            opening = thread.submit(lambda: open_connection(path, 30).close())
            assert not wait([opening], timeout=0.2).done
            other.execute("ROLLBACK")
            opening.result()


WRITING = """
import asyncio, importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("suite", sys.argv[1])
suite = importlib.util.module_from_spec(spec)
spec.loader.exec_module(suite)

async def main():
    async with suite.SqliteScoreStore(Path(sys.argv[2]), 30) as store:
        for batch in range(int(sys.argv[4])):
            await store.write(suite.rows(100, sys.argv[3], first=batch * 100 + 1))
            print(batch + 1, flush=True)

asyncio.run(main())
"""


def start_writer(path: Path, asset_id: str, batches: int) -> subprocess.Popen[str]:
    """Start a process that writes batches of 100 rows and prints a line for each once stored."""
    command = [sys.executable, "-c", WRITING, __file__, str(path), asset_id, str(batches)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_what_a_killed_process_was_told_is_stored_is_stored(path: Path) -> None:
    with start_writer(path, "engine-1", batches=1_000_000) as writer:
        assert writer.stdout is not None
        for _ in range(20):
            told = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in writer.stdout.read().split("\n")[:-1])])

    async with SqliteScoreStore(path, 5) as store:
        count = (await store.verdict_counts())[Verdict.SCORED]
        assert count in (told * 100, told * 100 + 100)
        last = (await store.query(ScoreQuery(newest_first=True, limit=1))).records
        assert [row.cycle for row in last] == [count]
        await store.write(rows(100, first=count + 1))
        assert await store.verdict_counts() == {Verdict.SCORED: count + 100}


async def test_processes_may_create_and_write_one_file_at_once(path: Path) -> None:
    assets = ["engine-1", "engine-2", "engine-2"]
    writers = [start_writer(path, asset, batches=10) for asset in assets]
    for writer in writers:
        with writer:
            assert writer.stdout is not None
            assert len(writer.stdout.readlines()) == 10
        assert writer.returncode == 0

    async with SqliteScoreStore(path, 5) as store:
        assert await store.verdict_counts() == {Verdict.SCORED: 2000}
        assert [run.last_cycle for run in await store.runs()] == [1000, 1000]


record_fields = st.fixed_dictionaries(
    {
        "asset_id": st.sampled_from(["a", "b"]),
        "cycle": st.integers(1, 6),
        "ts": st.integers(0, 3).map(lambda second: START + timedelta(seconds=second)),
        "status": st.sampled_from(Verdict),
        "score": st.sampled_from([0.5, 1.5, 2.5]),
        "source": st.integers(0, 3).map(lambda offset: SourcePosition("topic", 0, offset)),
    }
)


def a_record(fields: dict[str, object]) -> ScoreRecord:
    record = structs.replace(rows(1)[0], **fields)
    if record.status is not Verdict.SCORED or record.score is None:
        return structs.replace(
            record, score=None, warning_threshold=None, critical_threshold=None, shares={}
        )
    levels = [Level.NONE, Level.WARNING, Level.CRITICAL]
    return structs.replace(record, level=levels[int(record.score)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(record_fields.map(a_record), max_size=8), max_size=6))
def test_summaries_and_pages_are_those_of_the_fake_whatever_is_rewritten(
    batches: list[list[ScoreRecord]],
) -> None:
    async def compare(path: Path) -> None:
        fake = MemoryScoreStore()
        async with SqliteScoreStore(path, 5) as store:
            for batch in batches:
                await fake.write(batch)
                await store.write(batch)
                assert await store.runs() == await fake.runs()
                assert await store.verdict_counts() == await fake.verdict_counts()
            for newest_first in (False, True):
                query = ScoreQuery(newest_first=newest_first)
                assert await store.query(query) == await fake.query(query)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(Path(folder) / "scores.db"))


@pytest.mark.parametrize("by", ["run_id", "asset_id"])
async def test_what_very_many_runs_share_is_read_apart_from_the_others(path: Path, by: str) -> None:
    """More runs than are merged (``MAX_STREAMS``): one reader of all then filters."""
    ids = [f"number-{number}" for number in range(MAX_STREAMS + 1)]
    (row,) = rows(1)
    wanted = [
        structs.replace(row, asset_id=one) if by == "run_id" else structs.replace(row, run_id=one)
        for one in ids
    ]
    others = [structs.replace(item, **{by: "other"}) for item in wanted]

    async with SqliteScoreStore(path, 5.0) as store:
        await store.write([*others, *wanted])
        query = ScoreQuery(run_id="run-1") if by == "run_id" else ScoreQuery(asset_id="engine-1")
        page = await store.query(query)

    assert page.records == sorted(wanted, key=position_of)


def test_a_page_shows_one_moment_although_another_model_scores_meanwhile(path: Path) -> None:
    query = ScoreQuery(run_id="run-1")
    (late,) = rows(1, first=2)
    to_come = [structs.replace(late, shares={"another channel": 1.0})]

    with (
        closing(open_connection(path, 30)) as connection,
        closing(open_connection(path, 30)) as other,
    ):
        write_batch(other, gather(rows(1)))

        def overtake(statement: str) -> None:
            """Write between the names of the channels and the rows."""
            if to_come and statement.startswith("SELECT run_key FROM run"):
                write_batch(other, gather([to_come.pop()]))

        connection.set_trace_callback(overtake)
        page = read_page(connection, query, check_query(query))

    assert to_come == []
    assert page.records == rows(1)


class BusyConnection:
    """Fails to switch to a write-ahead log as scripted, then says in which mode it is."""

    def __init__(self, *failures: int, mode: str = "wal") -> None:
        self.failures = list(failures)
        self.mode = mode

    def execute(self, statement: str) -> BusyConnection:
        assert statement == "PRAGMA journal_mode = WAL"
        if self.failures:
            error = sqlite3.OperationalError("scripted")
            error.sqlite_errorcode = self.failures.pop(0)
            raise error
        return self

    def fetchone(self) -> tuple[str]:
        return (self.mode,)


def switched(connection: BusyConnection, timeout_s: float) -> list[float]:
    """Switch, and return the waits between the tries."""
    waits: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", waits.append)
        sqlite_schema._enter_wal(connection, Path("scores.db"), timeout_s)  # type: ignore[arg-type]  # a stand-in
    return waits


def test_a_file_that_another_process_switches_just_now_is_tried_again() -> None:
    busy = BusyConnection(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY)

    assert switched(busy, 60.0) == [0.01, 0.01]


@pytest.mark.parametrize(
    ("failure", "timeout_s"),
    [
        pytest.param(sqlite3.SQLITE_BUSY, -1.0, id="busy for too long"),
        pytest.param(sqlite3.SQLITE_IOERR, 60.0, id="another failure"),
    ],
)
def test_a_file_that_cannot_be_switched_is_an_error(failure: int, timeout_s: float) -> None:
    connection = BusyConnection(*[failure] * 3)

    with pytest.raises(sqlite3.OperationalError, match="scripted"):
        switched(connection, timeout_s)
    assert len(connection.failures) == 2


def test_a_place_without_a_write_ahead_log_is_refused() -> None:
    with pytest.raises(BackendRefusedError, match="cannot keep a write-ahead log here"):
        switched(BusyConnection(mode="delete"), 60.0)


def test_tables_that_cannot_be_made_leave_no_trace_and_the_reason(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = "CREATE TABLE run (run_key INTEGER);\nCREATE nonsense;\n"
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_schema, "SCHEMA", broken)
        with pytest.raises(BackendRefusedError, match="nonsense"):
            open_connection(path, 5.0)

    with closing(open_connection(path, 5.0)) as connection:
        assert connection.execute("SELECT count(*) FROM verdict").fetchone() == (0,)
