"""A worker that fails or is told to stop ends, whatever hangs, and its successor serves."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.detector import DetectorBench
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of
from tests.support.processes import has_loaded, require_proc
from tests.support.servers.backends import wait_until
from tests.support.workers import Worker, workers_of

Messages = list[tuple[bytes, bytes]]

SMALL_BATCHES = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "50"}
SOON = {**SMALL_BATCHES, "SURGELINE_DETECTOR__STOP_GRACE_S": "1"}


FULL = os.environ.get("SURGELINE_TEST_FAULTS") == "full"
"""`make faults`: every way to hang; else one of each kind, since each takes the whole deadline."""


def database_files(bench: DetectorBench) -> list[Path]:
    return sorted(bench.folder.glob("scores.db*"))


def moved_away(bench: DetectorBench) -> None:
    away = bench.folder / "away"
    away.mkdir()
    for file in database_files(bench):
        file.rename(away / file.name)


def put_back(bench: DetectorBench) -> None:
    for file in database_files(bench):  # what somebody else may have made meanwhile
        file.unlink()
    for file in (bench.folder / "away").iterdir():
        file.rename(bench.folder / file.name)


def last_line(worker: Worker) -> str:
    return worker.log().rstrip().splitlines()[-1]


async def test_workers_whose_score_store_was_moved_end_and_their_successors_serve(
    bench: DetectorBench, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    half = len(messages) // 2
    with workers_of(bench) as workers:
        first, second = workers.start(**SMALL_BATCHES), workers.start(**SMALL_BATCHES)
        first.wait_ready()
        second.wait_ready()
        await bench.send(messages[:half])
        await bench.wait_for_verdicts(half)

        moved_away(bench)
        await bench.send(messages[half : half + 1])  # one ends, the other takes over, and ends too
        assert [first.wait_end(), second.wait_end()] == [1, 1]
        for worker in (first, second):
            assert "the file was moved or deleted" in last_line(worker)
            assert "exit_code=1" in last_line(worker)

        put_back(bench)
        assert await bench.verdict_total() == half  # nothing was acknowledged, nothing is lost
        successor = workers.start(**SMALL_BATCHES)
        successor.wait_ready()
        await bench.send(messages[half + 1 :])
        await bench.wait_for_verdicts(len(messages))
        assert successor.stop() == 0  # its last alerts are published after their verdicts
    assert_same_outcome(await outcome_of(bench), undisturbed)


async def test_a_worker_that_fails_leaves_and_the_other_takes_over(
    bench: DetectorBench, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    with workers_of(bench) as workers:
        sound, failing = workers.start(**SMALL_BATCHES), workers.start("processing_raises", **SOON)
        sound.wait_ready()
        failing.wait_ready()
        await bench.send(messages)
        assert failing.wait_end() == 1
        assert "no such luck" in last_line(failing)
        await bench.wait_for_verdicts(len(messages))
        assert sound.stop() == 0
        assert "exit_code=0" in last_line(sound)
    assert_same_outcome(await outcome_of(bench), undisturbed)


@pytest.mark.parametrize(
    "disturbances",
    [
        pytest.param(("processing_raises", "closing_hangs"), id="an adapter never closes"),
        pytest.param(("processing_raises", "a_thread_hangs"), id="a thread never ends"),
        pytest.param(("processing_raises", "leaving_hangs"), id="it cannot leave the group"),
        pytest.param(("consumer_thread_dies",), id="Faust gives up"),
        pytest.param(("consumer_thread_dies", "leaving_hangs"), id="Faust gives up and hangs"),
    ][: None if FULL else 1],
)
async def test_a_failing_worker_ends_whatever_hangs(
    bench: DetectorBench, messages: Messages, disturbances: tuple[str, ...]
) -> None:
    few = messages[:1000]
    with workers_of(bench) as workers:
        failing = workers.start(*disturbances, **SOON)
        failing.wait_ready()
        await bench.send(few)
        assert failing.wait_end() == 1
        assert "exit_code=1" in last_line(failing)
        workers.start(**SMALL_BATCHES).wait_ready()
        await bench.wait_for_verdicts(len(few))


async def test_a_worker_that_cannot_start_ends_whatever_it_has_begun(
    bench: DetectorBench,
) -> None:
    with workers_of(bench) as workers:
        failing = workers.start("starting_fails", "closing_hangs")

        assert failing.wait_end() == 1
        assert "no states today" in last_line(failing)


@pytest.mark.parametrize(
    "disturbances",
    [
        pytest.param(("processing_blocks",), id="the event loop is blocked"),
        pytest.param(("closing_hangs",), id="an adapter never closes"),
        pytest.param(("a_thread_hangs",), id="a thread never ends"),
        pytest.param(("leaving_hangs",), id="it cannot leave the group"),
    ][: None if FULL else 1],
)
async def test_a_worker_told_to_stop_ends_whatever_hangs(
    bench: DetectorBench, messages: Messages, disturbances: tuple[str, ...]
) -> None:
    few = messages[:1000]
    with workers_of(bench) as workers:
        hanging = workers.start(*disturbances, **SOON)
        hanging.wait_ready()
        await bench.send(few)
        if disturbances == ("processing_blocks",):
            hanging.wait_said("the loop is blocked")
        else:
            await bench.wait_for_verdicts(len(few))

        assert hanging.stop() == 1
        assert "did not stop" in last_line(hanging)
        workers.start(**SMALL_BATCHES).wait_ready()
        await bench.wait_for_verdicts(len(few))


async def test_a_signal_does_not_keep_a_failing_worker_alive(
    bench: DetectorBench, messages: Messages
) -> None:
    with workers_of(bench) as workers:
        failing = workers.start("processing_raises", "closing_hangs", **SMALL_BATCHES)
        failing.wait_ready()
        await bench.send(messages[:1000])
        failing.wait_said("no such luck")
        for _ in range(3):
            failing.process.send_signal(signal.SIGTERM)

        assert failing.wait_end() == 1
        assert "no such luck" in last_line(failing)


async def test_a_worker_told_to_stop_while_the_score_store_is_locked_ends_and_leaves(
    bench: DetectorBench, messages: Messages
) -> None:
    few = messages[:1000]
    with workers_of(bench) as workers:
        waiting = workers.start(SURGELINE_DETECTOR__STOP_GRACE_S="1", **SMALL_BATCHES)
        waiting.wait_ready()
        with closing(sqlite3.connect(bench.scores.sqlite_path, timeout=30)) as other:
            other.execute("BEGIN EXCLUSIVE")  # its thread now waits in SQLite, for 30 s
            await bench.send(few)
            wait_until(
                lambda: bool(re.search("^surgeline_batches_in_hand [^0]", waiting.metrics(), re.M)),
                "it has a batch in hand",
            )

            assert waiting.stop() == 1
            assert "did not stop in time" in last_line(waiting)
            other.rollback()
        workers.start(**SMALL_BATCHES).wait_ready()
        await bench.wait_for_verdicts(len(few))


@pytest.mark.parametrize("library", ["_pydantic_core", "_multiarray_umath", "_http_parser"])
def test_ctrl_c_in_the_first_moments_leaves_no_traceback(
    bench: DetectorBench, library: str
) -> None:
    require_proc()
    with workers_of(bench) as workers:
        worker = workers.start_anew()
        # what happens before our first line runs is Python's; after it, this is imported
        wait_until(lambda: has_loaded(worker.process.pid, library), f"{library} is loaded")
        worker.process.send_signal(signal.SIGINT)

        # while it is imported it ends on the spot, then it stops politely
        assert worker.wait_end() in (0, 130)
        assert "Traceback" not in worker.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_worker_can_be_stopped_while_it_starts(
    bench: DetectorBench, number: signal.Signals
) -> None:
    with workers_of(bench) as workers:
        for words in ("status pages", "joined the group"):
            worker = workers.start()
            worker.wait_said(words)
            worker.process.send_signal(number)

            assert worker.wait_end() == 0, worker.log()
            assert "Traceback" not in worker.log()
