"""The replay loop against a topic in memory and a clock turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from common.errors import BackendUnavailableError
from common.records.readings import SensorReading
from producer import replay as replay_module
from producer.adapters.memory import MemoryTopic
from producer.fleet import Fleet, Message
from producer.pacing import Pace
from producer.replay import TICK_S, Sent, replay
from producer.resume import remaining
from tests.support.clock import FakeClock
from tests.support.engines import START, fleet_of

TWO_WHOLE_ENGINES = {
    "FD001-test-001": list(range(1, 21)),
    "FD001-test-002": list(range(1, 21)),
}


class StampingTopic(MemoryTopic):
    """Remembers when each message came."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.times_s: list[float] = []
        self._clock = clock

    async def publish(self, messages: Sequence[Message]) -> None:
        await super().publish(messages)
        self.times_s += [self._clock.monotonic()] * len(messages)


class FlakyTopic(MemoryTopic):
    """Fails after so many messages; what came before them in the same call is published."""

    def __init__(self, messages_before_failure: int) -> None:
        super().__init__()
        self._left: float = messages_before_failure

    async def publish(self, messages: Sequence[Message]) -> None:
        taken = messages[: int(min(self._left, len(messages)))]
        await super().publish(taken)
        self._left -= len(taken)
        if len(taken) < len(messages):
            self._left = float("inf")
            raise BackendUnavailableError("scripted")


async def run(
    fleet: Fleet,
    topic: MemoryTopic,
    pace: Pace,
    clock: FakeClock | None = None,
    stop: asyncio.Event | None = None,
    told: list[int] | None = None,
) -> Sent:
    slots = remaining(fleet, await topic.of_run(fleet.run_id))
    on_progress = (lambda rows: None) if told is None else told.append
    return await replay(
        fleet, slots, pace, topic, clock or FakeClock(), stop or asyncio.Event(), on_progress
    )


def cycles_by_asset(topic: MemoryTopic) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for message in topic.messages:
        reading = SensorReading.model_validate_json(message.value)
        found.setdefault(reading.asset_id, []).append(reading.cycle)
    return found


async def test_every_reading_is_sent_when_it_is_due() -> None:
    clock = FakeClock()
    topic = StampingTopic(clock)

    sent = await run(fleet_of([5, 3]), topic, Pace(10.0), clock)

    assert sent.finished
    assert sent.rows == 8
    for message, time_s in zip(topic.messages, topic.times_s, strict=True):
        reading = SensorReading.model_validate_json(message.value)
        due_s = (reading.ts - START).total_seconds() / 10.0
        assert due_s <= time_s <= due_s + 1e-6


async def test_full_speed_never_waits() -> None:
    clock = FakeClock()
    topic = MemoryTopic()

    sent = await run(fleet_of([50] * 4), topic, Pace(None), clock)

    assert sent == Sent(200, 0.0, finished=True)
    assert clock.slept_s == []
    assert cycles_by_asset(topic) == {f"FD001-test-{n:03d}": [*range(1, 51)] for n in range(1, 5)}


async def test_a_resumed_replay_does_not_wait_for_what_is_behind_it() -> None:
    clock, topic = FakeClock(), MemoryTopic()
    fleet = fleet_of([100])
    await topic.publish(fleet.messages(fleet.slots()[:90]))

    sent = await run(fleet, topic, Pace(1.0), clock)

    assert sent.rows == 10
    assert sent.seconds == pytest.approx(9.0)


async def test_a_replay_that_fell_behind_catches_up_at_once() -> None:
    clock = FakeClock()

    class SlowOnce(MemoryTopic):
        calls: list[int] = []  # noqa: RUF012 - of this one test

        async def publish(self, messages: Sequence[Message]) -> None:
            await super().publish(messages)
            self.calls.append(len(messages))
            if len(self.calls) == 1:
                clock.elapsed_s += 7.5

    sent = await run(fleet_of([10]), SlowOnce(), Pace(1.0), clock)

    assert SlowOnce.calls[:3] == [1, 7, 1]
    assert sent.seconds == pytest.approx(9.0)


async def test_a_stop_ends_it_between_two_chunks_and_the_rest_can_follow() -> None:
    stop, topic, fleet = asyncio.Event(), MemoryTopic(), fleet_of([20, 20])

    class StoppingTopic(MemoryTopic):
        async def publish(self, messages: Sequence[Message]) -> None:
            await topic.publish(messages)
            if len(topic.messages) >= 12:
                stop.set()

    stopped = await run(fleet, StoppingTopic(), Pace(1.0), stop=stop)
    assert stopped.rows == len(topic.messages) == 12
    assert not stopped.finished

    await run(fleet, topic, Pace(None))
    assert cycles_by_asset(topic) == TWO_WHOLE_ENGINES


async def test_a_stop_does_not_wait_for_the_next_reading() -> None:
    stop = asyncio.Event()

    class StuckClock(FakeClock):
        async def sleep(self, seconds: float) -> None:
            asyncio.get_running_loop().call_soon(stop.set)
            await asyncio.Event().wait()

    async with asyncio.timeout(30):
        sent = await run(fleet_of([3]), MemoryTopic(), Pace(1.0), StuckClock(), stop)

    assert sent.rows == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("before", [0, 1, 7, 13, 39])
async def test_after_a_failure_anywhere_a_second_call_makes_it_whole(
    monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    monkeypatch.setattr(replay_module, "CHUNK_ROWS", 6)
    topic, fleet, told = FlakyTopic(before), fleet_of([20, 20]), list[int]()

    with pytest.raises(BackendUnavailableError, match="scripted"):
        await run(fleet, topic, Pace(None), told=told)
    assert told[-1] == before // 6 * 6  # what whole chunks were acknowledged, no more

    await run(fleet, topic, Pace(None))
    assert cycles_by_asset(topic) == TWO_WHOLE_ENGINES


async def test_progress_is_told_while_nothing_is_due() -> None:
    clock, told = FakeClock(), list[int]()

    await run(fleet_of([2]), MemoryTopic(), Pace(0.1), clock, told=told)

    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 2
    assert len(told) >= 10 / TICK_S
    assert max(clock.slept_s) <= TICK_S


async def test_nothing_to_send_ends_at_once() -> None:
    fleet, topic = fleet_of([3]), MemoryTopic()
    await run(fleet, topic, Pace(None))

    again = await run(fleet, topic, Pace(1.0))

    assert again == Sent(0, 0.0, finished=True)
    assert len(topic.messages) == 3
