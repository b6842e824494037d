"""``kill -9`` of a worker in the middle of a replay changes nothing that anyone can see."""

from __future__ import annotations

import os
import random

import pytest

from detector.failpoints import Point
from tests.support.detector import DetectorBench
from tests.support.kills import (
    QUICK,
    WHEN_REBUILDING,
    WHEN_RUNNING,
    die_at,
    die_at_each,
)
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of

ONCE = (Point.STARTING, Point.JOINED)
PER_BATCH = (
    Point.RECEIVED,
    Point.DECODED,
    Point.STATES_READ,
    Point.CLAIMED,
    Point.ASSEMBLED,
    Point.SCORED,
    Point.CONCLUDED,
    Point.EVIDENCE_PUBLISHED,
    Point.INTENDED,
    Point.SCORES_WRITTEN,
    Point.PUBLISHED,
    Point.STATES_WRITTEN,
)
SMALLEST_BATCHES = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "3"}
"""So many that whoever looks on is not too late, even where he seldom gets his turn."""

FULL = os.environ.get("SURGELINE_TEST_FAULTS") == "full"
REPEATED = (*PER_BATCH, Point.REBUILDING)
REPETITIONS = 3 if FULL else 1
RANDOM_KILLS = 20 if FULL else 2
POINTS = (
    (*ONCE, *PER_BATCH, *WHEN_REBUILDING, *WHEN_RUNNING)
    if FULL
    else (Point.EVIDENCE_PUBLISHED, *QUICK)
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("repetition", range(REPETITIONS))
async def test_kills_at_every_named_point_leave_the_outcome_as_if_undisturbed(
    bench: DetectorBench,
    messages: list[tuple[bytes, bytes]],
    undisturbed: ReplayOutcome,
    repetition: int,
) -> None:
    await die_at_each(bench, messages, POINTS, REPEATED, random.Random(repetition))

    assert_same_outcome(await outcome_of(bench), undisturbed)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("repetition", range(REPETITIONS))
async def test_kills_between_two_alerts_of_one_publish_leave_the_outcome_as_if_undisturbed(
    bench: DetectorBench,
    messages: list[tuple[bytes, bytes]],
    undisturbed: ReplayOutcome,
    repetition: int,
) -> None:
    part = len(messages) * (5 + repetition) // 8

    await bench.send(messages[:part])
    die_at(bench, Point.PUBLISHING, 1)
    published = await bench.alerts()
    await bench.send(messages[part:])
    with bench.running():
        await bench.settled()

    assert 0 < len(published) < len(undisturbed.alerts)
    assert_same_outcome(await outcome_of(bench), undisturbed)


@pytest.mark.timeout(600)
async def test_kills_at_random_times_leave_the_outcome_as_if_undisturbed(
    bench: DetectorBench, messages: list[tuple[bytes, bytes]], undisturbed: ReplayOutcome
) -> None:
    chance = random.Random(5)
    part = len(messages) // (RANDOM_KILLS + 1)
    disturbed = 0

    for number in range(RANDOM_KILLS):
        await bench.send(messages[number * part : (number + 1) * part])
        # The worker dies once a random share of what it has to do is done, wherever it is by then.
        process = bench.start(**SMALLEST_BATCHES)
        done = await bench.verdict_total()
        due = (number + 1) * part - done
        await bench.wait_for_verdicts(done + chance.randint(1, max(1, due // 2)))
        process.kill()
        process.wait()
        disturbed += await bench.verdict_total() < (number + 1) * part

    assert disturbed, "every kill came too late to disturb"
    await bench.send(messages[RANDOM_KILLS * part :])
    with bench.running():
        await bench.settled()
    assert_same_outcome(await outcome_of(bench), undisturbed)
