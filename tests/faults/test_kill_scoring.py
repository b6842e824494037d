"""A worker and its scoring process, killed in turn: nothing that anyone can see has changed."""

from __future__ import annotations

import os
import random
import re
import signal
from pathlib import Path

import pytest

from tests.support.detector import DetectorBench
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of
from tests.support.servers.backends import wait_until
from tests.support.workers import Worker, workers_of

FULL = os.environ.get("SURGELINE_TEST_FAULTS") == "full"
TURNS = 12 if FULL else 2

BEGUN = "windows are scored in a process of their own"
DISTURBED = ("all_is_scored_beside",)
TALKATIVE = {"SURGELINE_LOG__LEVEL": "DEBUG"}
SMALLEST_BATCHES = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "3", **TALKATIVE}


def scoring_pid(worker: Worker) -> int:
    """Return the process the worker said last that it has."""
    worker.wait_said(BEGUN)
    line = next(line for line in reversed(worker.log().splitlines()) if BEGUN in line)
    found = re.search(r"pid\W+(\d+)", line)
    assert found is not None, line
    return int(found[1])


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.timeout(600)
async def test_kills_of_the_scoring_process_and_of_its_worker_leave_the_outcome_as_if_undisturbed(
    bench: DetectorBench, messages: list[tuple[bytes, bytes]], undisturbed: ReplayOutcome
) -> None:
    chance = random.Random(3)
    warming_up = len(messages) // 3  # until all have full windows
    part = (len(messages) - warming_up) // (2 * TURNS + 1)
    sent = cut_short = 0
    beside = []

    async def send(count: int) -> None:
        nonlocal sent
        await bench.send(messages[sent : sent + count])
        sent += count

    await send(warming_up)
    with workers_of(bench) as workers:
        for turn in range(TURNS):
            worker = workers.start(*DISTURBED, **SMALLEST_BATCHES)
            await send(part)
            beside.append(pid := scoring_pid(worker))
            await bench.wait_for_verdicts(sent)
            await send(part)
            await bench.wait_for_verdicts(sent - part + chance.randint(1, part // 4))
            if turn % 2:
                worker.process.kill()
                worker.process.wait()
                cut_short += await bench.verdict_total() < sent
            else:
                os.kill(pid, signal.SIGKILL)
                worker.wait_said("signal 9")
                await bench.wait_for_verdicts(sent)
                assert worker.stop() == 0
        last = workers.start(*DISTURBED, **TALKATIVE)
        await send(len(messages) - sent)
        await bench.settled()
        beside.append(scoring_pid(last))
        assert last.stop() == 0
        wait_until(lambda: not any(map(is_there, beside)), "no scoring process is left")

    assert cut_short, "every kill came too late to disturb"
    assert len(set(beside)) == TURNS + 1
    assert_same_outcome(await outcome_of(bench), undisturbed)
