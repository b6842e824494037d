"""Workers come, leave, die and freeze over eight partitions: no verdict missing, none different."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.detector import DetectorBench
from tests.support.freezing import freeze
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of
from tests.support.servers.backends import wait_until

SMALL_BATCHES = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "50"}

Messages = list[tuple[bytes, bytes]]


@contextmanager
def workers(bench: DetectorBench) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A list of workers that are all ended with the block, whatever state they are in."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def stop_politely(*processes: subprocess.Popen[bytes]) -> None:
    """Tell workers to stop, and wait until they have; each must say that it went well."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(60) for process in processes] == [0] * len(processes)


def another(bench: DetectorBench) -> subprocess.Popen[bytes]:
    """Start a worker more; its status page gets a free port."""
    return bench.start(SURGELINE_DETECTOR__HTTP_PORT="0", **SMALL_BATCHES)


def frozen_outside_a_write(process: subprocess.Popen[bytes], file: Path) -> bool:
    """Freeze a worker, unless it holds the score store's lock just now.

    Whoever is frozen with the lock of a SQLite file keeps everybody waiting until it thaws; that is
    the locked file of ``test_score_store_down.py``.
    """
    freeze(process.pid)
    with closing(sqlite3.connect(file, timeout=0.2)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
            return False
        other.rollback()
    return True


async def test_workers_join_leave_and_die_and_the_outcome_is_the_same(
    bench: DetectorBench, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    quarter = len(messages) // 4
    with workers(bench) as running:
        running.append(another(bench))
        await bench.send(messages[:quarter])
        await bench.wait_for_verdicts(quarter // 2)

        running.append(another(bench))  # a second joins in the middle
        await bench.send(messages[quarter : 2 * quarter])
        await bench.wait_for_verdicts(quarter + quarter // 2)

        running.append(another(bench))  # a third joins; the first leaves politely
        running[0].send_signal(signal.SIGTERM)
        await bench.send(messages[2 * quarter : 3 * quarter])
        await bench.wait_for_verdicts(2 * quarter + quarter // 2)
        assert running[0].wait(30) == 0

        running[1].kill()  # the second is killed; the third goes on alone
        await bench.send(messages[3 * quarter :])
        await bench.settled()
        stop_politely(running[2])

    assert_same_outcome(await outcome_of(bench), undisturbed)


async def test_a_worker_frozen_past_its_session_cannot_overwrite_its_successor(
    bench: DetectorBench, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    half = len(messages) // 2
    with workers(bench) as running:
        running.append(another(bench))
        await bench.send(messages[:half])
        await bench.wait_for_verdicts(half // 4)  # in the middle of its work

        file = bench.scores.sqlite_path
        wait_until(lambda: frozen_outside_a_write(running[0], file), "a worker is frozen")
        running.append(another(bench))
        await bench.settled()  # the successor has taken over and finished
        running[0].send_signal(signal.SIGCONT)
        await bench.send(messages[half:])
        await bench.settled()
        stop_politely(*running)

    assert_same_outcome(await outcome_of(bench), undisturbed)
