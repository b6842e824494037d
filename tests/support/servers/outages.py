"""A replay through failing backends: the worker waits, says why, and loses nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from common.metering import names
from tests.support.detector import DetectorBench
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of
from tests.support.servers.backends import wait_until

Messages = Sequence[tuple[bytes, bytes]]

IMPATIENT: Final = {
    "SURGELINE_DETECTOR__MAX_BATCH_ROWS": "100",
    "SURGELINE_SCORES__OP_TIMEOUT_S": "1",
    "SURGELINE_REDIS__OP_TIMEOUT_S": "1",
    "SURGELINE_DETECTOR__RETRY_MAX_S": "1",
    "SURGELINE_KAFKA__OP_TIMEOUT_S": "10",
}
"""Settings of a worker that soon notices what is wrong, and soon that it is mended."""

A_WHILE_S: Final = 60.0 if os.environ.get("SURGELINE_TEST_FAULTS") == "full" else 3.0
"""How long a backend is gone for "a minute", s."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Something that breaks in the middle of a replay.

    Attributes:
        breaks: Entering it breaks something, leaving it mends that.
        steps: The worker's steps of which at least one must be said to fail.
        why: What the reason for one of them must contain.
        lasts_s: How long it stays broken after the worker has said so, s.
    """

    breaks: AbstractContextManager[object]
    steps: tuple[str, ...]
    why: str = ""
    lasts_s: float = 0.0

    def is_said(self, problems: dict[str, str]) -> bool:
        """Whether the worker says that it waits for this."""
        return any(self.why in problems.get(step, "nothing") for step in self.steps)


@dataclass(frozen=True, slots=True)
class Replay:
    """A fleet's readings and what they come to undisturbed."""

    messages: Messages
    undisturbed: ReplayOutcome

    async def survives(self, bench: DetectorBench, *outages: Outage) -> None:
        """Send the fleet through a worker, with each outage in the middle of its work.

        Raises:
            AssertionError: If the outcome is not the undisturbed one.
            TimeoutError: If the worker never says what is wrong, or does not recover.
        """
        part = len(self.messages) // (len(outages) + 1)
        with bench.running(**IMPATIENT):
            await bench.send(self.messages[:part])
            for number, outage in enumerate(outages, start=1):
                await bench.wait_for_verdicts(number * part - part // 2)
                end = None if number == len(outages) else (number + 1) * part
                with outage.breaks:
                    await bench.send(self.messages[number * part : end])
                    _wait_until_said(bench, outage)
            await bench.settled()
            wait_until(lambda: not bench.problems(), "the worker is ready again")
            assert bench.metric(names.PAUSED) == 0
            assert not any(_is_down(bench, sink) for sink in names.SINKS)
            assert _behind(bench) == 0
        assert_same_outcome(await outcome_of(bench), self.undisturbed)


def _wait_until_said(bench: DetectorBench, outage: Outage) -> None:
    """Return when the worker has said what is wrong, and that it waits for as long as it lasted."""
    try:
        wait_until(lambda: outage.is_said(bench.problems()), "the worker says what is wrong")
    except TimeoutError as exc:
        raise TimeoutError(f"{outage}: the worker says {bench.problems()}") from exc
    wait_until(lambda: _is_blamed(bench, outage), "the metrics say which backend is down")
    assert _behind(bench) > 0
    mended_at = time.monotonic() + outage.lasts_s
    while time.monotonic() < mended_at:
        found = bench.problems()
        assert found.keys() & set(outage.steps), f"{found}; {bench.log()[-2000:]}"
        time.sleep(0.2)


def _is_blamed(bench: DetectorBench, outage: Outage) -> bool:
    """Whether the backend of a step that is said to fail is down.

    A rebuild needs several, so it blames none: the one before may still be going on.
    """
    said = bench.problems().keys() & set(outage.steps)
    blamed = [names.SINK_OF_STEP.get(step) for step in said]
    return any(sink is None or _is_down(bench, sink) for sink in blamed)


def _is_down(bench: DetectorBench, sink: str) -> bool:
    return bench.metric(names.SINK_DOWN, sink=sink) == 1


def _behind(bench: DetectorBench) -> float:
    """How many messages lie behind the worker, over all partitions."""
    return sum(
        bench.metric(names.LAG, partition=str(number)) or 0
        for number in range(bench.kafka.partitions)
    )
