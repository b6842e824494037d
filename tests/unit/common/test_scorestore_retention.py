"""What is too old or too much goes, slice by slice, and everything else is as it was."""

# ruff: noqa: ASYNC240 - a test has its loop to itself

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from common.errors import BackendUnavailableError
from common.records.verdicts import Level, ScoreRecord, SourcePosition, Verdict
from common.scorestore.memory import MemoryScoreStore
from common.scorestore.port import Keeping, ScoreQuery, Trimmed
from common.scorestore.retention import SLICE_ROWS, keep_within, keeping, trim_all
from common.scorestore.sqlite.store import SqliteScoreStore
from common.settings import RetentionSettings
from tests.support.clock import FakeClock

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAY_US = 86_400_000_000
MIB = 1024 * 1024


def rows(count: int, first: int = 1, asset_id: str = "engine-1") -> list[ScoreRecord]:
    """Verdicts on readings of a year ago, as a replay of old data sends them."""
    return [
        ScoreRecord(
            asset_id=asset_id,
            run_id="run-1",
            cycle=cycle,
            ts=START - 365 * DAY + timedelta(seconds=cycle),
            status=Verdict.SCORED if cycle % 2 else Verdict.GAP,
            model="fd001@1",
            score=100.0 - cycle if cycle % 2 else None,
            level=Level.NONE,
            shares={"T24": 0.5, "T30": 0.5} if cycle % 2 else {},
        )
        for cycle in range(first, first + count)
    ]


def repeats(count: int, at: datetime = START) -> list[ScoreRecord]:
    (row,) = rows(1)
    return [
        structs.replace(
            row,
            status=Verdict.DUPLICATE,
            source=SourcePosition("test.readings", 0, offset),
            published_ts_ms=int(at.timestamp() * 1000),
        )
        for offset in range(count)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scores.db"


def pragma(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        found: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
        return found


async def cycles(store: SqliteScoreStore) -> list[int]:
    return [row.cycle for row in (await store.query(ScoreQuery(limit=10_000))).records]


async def test_age_counts_from_when_a_verdict_was_stored_not_from_its_reading(path: Path) -> None:
    keep = Keeping(max_age_us=10 * DAY_US)
    async with SqliteScoreStore(path, 5) as store:
        await store.write(rows(10))
        assert await store.trim(keep, START, 100) == Trimmed(0)
        await store.write(rows(10, first=11))
        assert await store.trim(keep, START + 5 * DAY, 100) == Trimmed(0)

        assert await store.trim(keep, START + 9.9 * DAY, 100) == Trimmed(0)
        assert await store.trim(keep, START + 10 * DAY, 100) == Trimmed(10)
        assert await cycles(store) == list(range(11, 21))
        assert await store.trim(keep, START + 15 * DAY, 100) == Trimmed(10)
        assert await cycles(store) == []
        assert await store.runs() == []


async def test_what_was_stored_after_a_store_was_emptied_is_kept_as_long(path: Path) -> None:
    """SQLite gives the numbers of rows that are gone out again."""
    keep = Keeping(max_age_us=10 * DAY_US)
    async with SqliteScoreStore(path, 5) as store:
        for begin in (0, 100):
            await store.write(rows(50))
            await store.trim(keep, START + begin * DAY, 100)
            await store.trim(keep, START + (begin + 9) * DAY, 100)
            assert len(await cycles(store)) == 50
            await store.trim(keep, START + (begin + 10) * DAY, 100)
            assert await cycles(store) == []
        await store.write(rows(20))
        assert await store.trim(keep, START + 111 * DAY, 100) == Trimmed(0)


async def test_a_slice_is_no_larger_than_asked_and_says_that_more_follow(path: Path) -> None:
    keep = Keeping(max_age_us=DAY_US)
    async with SqliteScoreStore(path, 5) as store:
        await store.write([*rows(25), *repeats(8)])
        await store.trim(keep, START, 10)

        found = [await store.trim(keep, START + 2 * DAY, 10) for _ in range(4)]

    assert [(one.rows, one.more) for one in found] == [
        (18, True),
        (10, True),
        (5, False),
        (0, False),
    ]


async def test_summaries_count_what_is_kept_and_remember_the_peak(path: Path) -> None:
    keep = Keeping(max_age_us=DAY_US)
    async with SqliteScoreStore(path, 5) as store:
        await store.write([*rows(30), *rows(4, asset_id="engine-0"), *repeats(3)])
        await store.trim(keep, START, 100)
        await store.write(rows(10, first=31))
        (before,) = await store.runs(asset_id="engine-1")

        await store.trim(keep, START + 2 * DAY, 100)

        (run,) = await store.runs()
        assert run == replace(before, first_cycle=31, verdicts={Verdict.SCORED: 5, Verdict.GAP: 5})
        assert run.peak_score == 99.0
        assert await store.verdict_counts() == {Verdict.SCORED: 5, Verdict.GAP: 5}
        assert await store.removed_until() == START - 365 * DAY + timedelta(seconds=30)


async def test_a_run_of_which_only_repeats_are_left_has_no_cycles(path: Path) -> None:
    keep = Keeping(max_age_us=DAY_US)
    async with SqliteScoreStore(path, 5) as store:
        await store.write([*rows(4), *repeats(2, START + 2 * DAY)])
        await store.trim(keep, START, 100)
        await store.trim(keep, START + 2 * DAY, 100)

        (run,) = await store.runs()

    assert (run.first_cycle, run.last_cycle, run.last_ts) == (None, None, None)
    assert (run.last_score, run.peak_score, run.verdicts) == (None, None, {Verdict.DUPLICATE: 2})


async def test_a_write_after_a_removal_waits_for_the_disk_again(path: Path) -> None:
    async with SqliteScoreStore(path, 5) as store:

        async def synchronous() -> int:
            return await store._writer.run(
                lambda db: db.execute("PRAGMA synchronous").fetchone()[0]
            )

        await store.write(rows(5))
        await store.trim(Keeping(max_age_us=1), START, 100)
        assert await synchronous() == 1
        await store.write(rows(5))
        assert await synchronous() == 2


async def test_nothing_was_removed_says_so(path: Path) -> None:
    async with SqliteScoreStore(path, 5) as store:
        await store.write(rows(5))
        await store.trim(Keeping(), START + 9999 * DAY, 100)

        assert await store.removed_until() is None
        assert len(await cycles(store)) == 5


async def test_a_file_is_kept_below_its_bound_and_shrinks_to_a_lower_one(path: Path) -> None:
    clock = FakeClock()
    async with SqliteScoreStore(path, 5) as store:
        written = 0
        for _ in range(20):
            await store.write(rows(2000, first=written + 1))
            written += 2000
            await trim_all(store, Keeping(max_bytes=3 * MIB), clock)
            assert path.stat().st_size <= 3 * MIB
        kept = await store.verdict_counts()

        await trim_all(store, Keeping(max_bytes=MIB), clock)

        assert sum(kept.values()) > 5000
        newest = (await store.query(ScoreQuery(limit=1, newest_first=True))).records
        assert [row.cycle for row in newest] == [written]
    assert path.stat().st_size <= MIB
    assert pragma(path, "freelist_count") <= pragma(path, "page_count") // 8


async def test_a_flood_of_repeats_keeps_the_bound_too(path: Path) -> None:
    async with SqliteScoreStore(path, 5) as store:
        for number in range(10):
            at = START + timedelta(seconds=number)
            await store.write([*repeats(3000, at), *rows(10, first=1 + 10 * number)])
            await trim_all(store, Keeping(max_bytes=MIB), FakeClock())

    assert path.stat().st_size <= MIB


async def test_a_file_of_the_layout_before_is_kept_a_whole_period_from_now(path: Path) -> None:
    async with SqliteScoreStore(path, 5) as store:
        await store.write([*rows(20), *repeats(1)])
    with closing(sqlite3.connect(path)) as old:
        old.executescript(
            "DROP TABLE arrival; DROP TABLE removed; DROP INDEX repeat_by_arrival; "
            "ALTER TABLE run DROP COLUMN arrived_ms; ALTER TABLE run DROP COLUMN last_life; "
            "ALTER TABLE run DROP COLUMN last_life_low; "
            "ALTER TABLE run DROP COLUMN last_life_high; "
            "DROP VIEW scores; DROP INDEX verdict_final; "
            "ALTER TABLE verdict DROP COLUMN final_score; "
            "CREATE VIEW scores AS SELECT asset_id FROM run; PRAGMA user_version = 3"
        )

    keep = Keeping(max_age_us=10 * DAY_US)
    async with SqliteScoreStore(path, 5) as store:
        assert await store.trim(keep, START + 100 * DAY, 100) == Trimmed(1)  # the repeat
        assert await store.trim(keep, START + 109 * DAY, 100) == Trimmed(0)
        assert await store.trim(keep, START + 110 * DAY, 100) == Trimmed(20)


async def test_a_file_that_cannot_be_shortened_is_no_endless_work(path: Path) -> None:
    with closing(sqlite3.connect(path)) as made:  # as earlier versions made it
        made.executescript("PRAGMA auto_vacuum = NONE; CREATE TABLE t (x); DROP TABLE t;")
    async with SqliteScoreStore(path, 5) as store:
        await store.write(rows(5000))

        await trim_all(store, Keeping(max_bytes=MIB // 4), FakeClock())

        assert len(await cycles(store)) < 5000
    assert pragma(path, "auto_vacuum") == 0


class FlakyStore(MemoryScoreStore):
    """Fails the first time, then has work for two slices."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def trim(self, keep: Keeping, now: datetime, most_rows: int) -> Trimmed:
        self.asked.append(most_rows)
        if len(self.asked) == 1:
            raise BackendUnavailableError("locked")
        return Trimmed(most_rows, more=len(self.asked) < 3)


async def test_the_background_task_outlives_a_failure_rests_and_looks_again() -> None:
    store, clock = FlakyStore(), FakeClock()
    task = asyncio.create_task(keep_within(store, Keeping(max_age_us=1), 60.0, clock))
    while len(store.asked) < 4:  # noqa: ASYNC110 - the loop under test has no event of ours
        await asyncio.sleep(0)
    task.cancel()

    assert set(store.asked) == {SLICE_ROWS}
    assert clock.slept_s[:3] == [60.0, 0.01, 60.0]


def test_no_bound_is_none() -> None:
    none = RetentionSettings(scores_days=0, scores_max_mib=0)

    assert keeping(none) == Keeping(None, None)
    assert keeping(RetentionSettings()) == Keeping(90 * DAY_US, 5120 * MIB)
