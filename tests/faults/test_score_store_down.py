"""The score store is locked, gone, out of disk: the worker waits, says why, and loses nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from common.settings import ScoreStoreSettings
from tests.support.detector import DetectorBench
from tests.support.servers.influx import InfluxServer, Manner
from tests.support.servers.outages import A_WHILE_S, Outage, Replay
from tests.support.servers.tiny_disk import TinyDisk, tiny_disk

WRITING = ("write_scores",)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's lock, as a backup or a person at a shell may."""
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.rollback()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[TinyDisk]:
    """A disk of this test's own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with tiny_disk(folder, megabytes=8) as mounted:
        yield mounted


async def test_a_locked_sqlite_file_is_waited_for(bench: DetectorBench, replay: Replay) -> None:
    lock = locked(bench.scores.sqlite_path)

    await replay.survives(bench, Outage(lock, WRITING, "holds its lock", A_WHILE_S))


async def test_a_full_disk_is_waited_for_and_harms_no_row(
    bench: DetectorBench, disk: TinyDisk, replay: Replay
) -> None:
    bench.scores = ScoreStoreSettings(sqlite_path=disk.folder / "scores.db")

    await replay.survives(bench, Outage(disk.full(), WRITING, "the disk is full", A_WHILE_S))

    with closing(sqlite3.connect(bench.scores.sqlite_path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_killed_influxdb_is_waited_for(
    bench: DetectorBench, influx: InfluxServer, replay: Replay
) -> None:
    bench.scores = influx.new_bucket()

    await replay.survives(
        bench, Outage(influx.engine.killed(), WRITING, "does not answer", A_WHILE_S)
    )


async def test_an_influxdb_that_refuses_and_one_that_never_acknowledges_are_waited_for(
    bench: DetectorBench, influx: InfluxServer, replay: Replay
) -> None:
    bench.scores = influx.new_bucket()

    await replay.survives(
        bench,
        Outage(influx.behaving(Manner.REFUSING), WRITING, "answered 503: try again later"),
        Outage(influx.behaving(Manner.SILENT), WRITING, "does not answer"),
    )
