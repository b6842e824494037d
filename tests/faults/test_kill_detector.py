"""``kill -9`` of a worker in the middle of a replay changes nothing that anyone can see."""

from __future__ import annotations

import os
import random
import signal

import pytest

from detector.failpoints import Point
from tests.support.backends import wait_until
from tests.support.detector import DetectorBench
from tests.support.lost_states import forget_everything
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of

SMALL_BATCHES = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "30"}
"""Many batches, hence many moments to die at."""

ONCE = (Point.STARTING, Point.JOINED)
PER_BATCH = (
    Point.RECEIVED,
    Point.DECODED,
    Point.STATES_READ,
    Point.CLAIMED,
    Point.ASSEMBLED,
    Point.SCORED,
    Point.CONCLUDED,
    Point.INTENDED,
    Point.SCORES_WRITTEN,
    Point.PUBLISHED,
    Point.STATES_WRITTEN,
)
WHEN_REBUILDING = (Point.REBUILDING, Point.REBUILT)
WHEN_RUNNING = (Point.REVOKED, Point.STOPPING)

SMALL_PARTS = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "2"}
"""A rebuild in parts of 32 readings, so that every partition has a middle."""

LARGE_BATCHES = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "1000"}
"""Several alerts in one batch."""

FULL = os.environ.get("SURGELINE_TEST_FAULTS") == "full"
REPEATED = (*PER_BATCH, Point.REBUILDING)
REPETITIONS = 3 if FULL else 1
RANDOM_KILLS = 20 if FULL else 2
POINTS = (
    (*ONCE, *PER_BATCH, *WHEN_REBUILDING, *WHEN_RUNNING)
    if FULL
    else (Point.SCORES_WRITTEN, Point.STATES_WRITTEN)
)


def die_at(bench: DetectorBench, point: Point, nth: int) -> None:
    """Run a worker until it kills itself at a point."""
    sizes = {Point.REBUILDING: SMALL_PARTS, Point.PUBLISHING: LARGE_BATCHES}
    size = sizes.get(point, SMALL_BATCHES)
    process = bench.start(SURGELINE_DETECTOR__TEST_KILL_AT=f"{point.value}:{nth}", **size)
    if point in WHEN_RUNNING:
        wait_until(lambda: bench.ready(process), "ready")
    if point is Point.STOPPING:
        process.send_signal(signal.SIGTERM)
    rival = None
    if point is Point.REVOKED:  # somebody has to join for partitions to be taken away
        rival = bench.start(SURGELINE_DETECTOR__HTTP_PORT="0", **SMALL_BATCHES)
    try:
        assert process.wait(60) == -signal.SIGKILL, f"never at {point}: {bench.log()[-2000:]}"
    finally:
        for started in filter(None, (process, rival)):
            started.kill()
            started.wait()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("repetition", range(REPETITIONS))
async def test_kills_at_every_named_point_leave_the_outcome_as_if_undisturbed(
    bench: DetectorBench,
    messages: list[tuple[bytes, bytes]],
    undisturbed: ReplayOutcome,
    repetition: int,
) -> None:
    chance = random.Random(repetition)
    part = len(messages) // (len(POINTS) + 1)

    for number, point in enumerate(POINTS):
        if point in WHEN_REBUILDING:  # there has to be a past: offsets that are committed
            with bench.running(**SMALL_BATCHES):
                await bench.settled()
            await forget_everything(bench)
        await bench.send(messages[number * part : (number + 1) * part])
        die_at(bench, point, chance.randint(1, 3) if point in REPEATED else 1)

    await bench.send(messages[len(POINTS) * part :])
    with bench.running():
        await bench.settled()
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
        process = bench.start(**SMALL_BATCHES)
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
