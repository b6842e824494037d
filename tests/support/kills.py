"""Workers that end themselves with ``kill -9`` at named points of the protocol."""

from __future__ import annotations

import random
import signal
from collections.abc import Mapping, Sequence
from typing import Final

from detector.failpoints import Point
from tests.support.detector import DetectorBench
from tests.support.lost_states import forget_everything
from tests.support.servers.backends import wait_until

SMALL_BATCHES: Final = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "30"}
"""Many batches, hence many moments to die at."""

SMALL_PARTS: Final = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "2"}
"""A rebuild in parts of 32 readings, so that every partition has a middle."""

LARGE_BATCHES: Final = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "1000"}
"""Several alerts in one batch."""

QUICK: Final = (Point.SCORES_WRITTEN, Point.STATES_WRITTEN)
WHEN_REBUILDING: Final = (Point.REBUILDING, Point.REBUILT)
WHEN_RUNNING: Final = (Point.REVOKED, Point.STOPPING)


def die_at(
    bench: DetectorBench, point: Point, nth: int, size: Mapping[str, str] | None = None
) -> None:
    """Run a worker until it kills itself at a point.

    Args:
        bench: The installation.
        point: Where.
        nth: The first, second, ... time that it is there.
        size: How large its batches are; as the point needs if left out.
    """
    sizes = {Point.REBUILDING: SMALL_PARTS, Point.PUBLISHING: LARGE_BATCHES}
    size = size or sizes.get(point, SMALL_BATCHES)
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


async def die_at_each(
    bench: DetectorBench,
    messages: Sequence[tuple[bytes, bytes]],
    points: Sequence[Point],
    repeated: Sequence[Point],
    chance: random.Random,
) -> None:
    """Send a fleet through workers of which each dies at one of the points, and a last one.

    Args:
        bench: The installation.
        messages: The fleet's readings.
        points: Where to die, one worker after the other.
        repeated: Points that a worker reaches again and again: it dies at one of the first three.
        chance: Says at which.
    """
    part = len(messages) // (len(points) + 1)
    for number, point in enumerate(points):
        if point in WHEN_REBUILDING:  # there has to be a past: offsets that are committed
            with bench.running(**SMALL_BATCHES):
                await bench.settled()
            await forget_everything(bench)
        await bench.send(messages[number * part : (number + 1) * part])
        die_at(bench, point, chance.randint(1, 3) if point in repeated else 1)
    await bench.send(messages[len(points) * part :])
    with bench.running():
        await bench.settled()
