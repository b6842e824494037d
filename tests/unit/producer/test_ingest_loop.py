"""Take, translate, send, commit: what is lost, repeated or counted when something fails."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence

import pytest

from common.errors import BackendRefusedError, BackendUnavailableError
from common.records.readings import IncomingReading
from producer.adapters.memory import MemoryMessages
from producer.fleet import Message
from producer.ingest.loop import RETRIES, Ingest
from producer.ingest.map_file import parse_map
from producer.ingest.ports import Taken
from producer.ingest.tally import FIRST_LOGGED, Tally
from producer.ingest.translate import Reason, Refusal, Translator
from tests.support.clock import FakeClock

MAP = parse_map('fleet = "f"\nasset = "a"\ntime = "t"\n[channels]\nx = "x"', "map.toml")
START_S = 1_767_225_600


def theirs(asset: str, second: int) -> bytes:
    return json.dumps({"a": asset, "t": START_S + second, "x": second}).encode()


class FlakyTopic:
    """A publisher that fails before, or after, it has published a chunk."""

    def __init__(self, *failures: tuple[str, Exception]) -> None:
        self.failures = list(failures)
        self.messages: list[Message] = []

    async def publish(self, messages: Sequence[Message]) -> None:
        when, error = self.failures.pop(0) if self.failures else ("", Exception())
        if when != "before":
            self.messages.extend(messages)
        if when:
            raise error

    @property
    def seconds(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for message in self.messages:
            reading = IncomingReading.model_validate_json(message.value)
            second = int(reading.ts.timestamp()) - START_S
            found.setdefault(reading.asset_id, []).append(second)
        return found


class DyingSource(MemoryMessages):
    """Fails for good at a commit."""

    deaths = 1

    async def commit(self, taken: Taken) -> bool:
        if self.deaths:
            self.deaths -= 1
            raise BackendRefusedError("dead")
        return await super().commit(taken)


async def ingest(
    source: MemoryMessages, topic: FlakyTopic, clock: FakeClock | None = None
) -> Tally:
    """Run until nothing is behind."""
    stop = asyncio.Event()

    def on_progress(tally: Tally) -> None:
        if tally.behind == 0:
            stop.set()

    work = Ingest(Translator(MAP), source, topic, clock or FakeClock(), stop, on_progress)
    await work.run()
    return work.tally


async def test_all_is_sent_in_order_and_committed() -> None:
    source = MemoryMessages([[theirs("p", n) for n in range(1500)], [theirs("q", 7)]])
    topic = FlakyTopic()

    tally = await ingest(source, topic)

    assert topic.seconds == {"p": list(range(1500)), "q": [7]}
    assert source.committed == {0: 1500, 1: 1}
    assert (tally.messages, tally.readings, tally.behind) == (1501, 1501, 0)


async def test_nothing_is_lost_when_it_dies_between_sending_and_committing() -> None:
    source = DyingSource([[theirs("p", n) for n in range(5)]])
    topic = FlakyTopic()

    with pytest.raises(BackendRefusedError):
        await ingest(source, topic)
    assert source.committed == {0: 0}
    source.rejoin()
    await ingest(source, topic)

    assert topic.seconds == {"p": [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]}
    assert set(Counter(message.value for message in topic.messages).values()) == {2}  # same bytes
    assert source.committed == {0: 5}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_broker_that_fails_for_a_while_is_tried_again(when: str) -> None:
    source = MemoryMessages([[theirs("p", n) for n in range(3)]])
    topic = FlakyTopic(*[(when, BackendUnavailableError("away"))] * 3)
    clock = FakeClock()

    tally = await ingest(source, topic, clock)

    assert list(dict.fromkeys(topic.seconds["p"])) == [0, 1, 2]
    assert tally.readings == 3
    assert clock.slept_s == pytest.approx([0.2, 0.4, 0.8])


async def test_a_broker_that_stays_away_ends_it_and_nothing_is_committed() -> None:
    source = MemoryMessages([[theirs("p", 1)]])
    topic = FlakyTopic(*[("before", BackendUnavailableError("away"))] * 99)

    with pytest.raises(BackendUnavailableError):
        await ingest(source, topic)

    assert source.committed == {0: 0}
    assert len(topic.failures) == 99 - (RETRIES.attempts or 0)


async def test_what_is_refused_is_counted_and_does_not_hold_up_the_rest() -> None:
    source = MemoryMessages(
        [[theirs("p", 0), b"{", None, theirs("###", 1), theirs("a b", 2), theirs("a-b", 3)]]
    )
    topic = FlakyTopic()

    tally = await ingest(source, topic)

    assert topic.seconds == {"p": [0], "a-b": [2]}
    assert tally.refused == {
        Reason.NOT_JSON: 1, Reason.EMPTY: 1, Reason.ASSET: 1, Reason.SAME_NAME: 1,
    }  # fmt: skip
    assert source.committed == {0: 6}
    assert tally.in_words().startswith("6 messages taken, 2 readings of 2 assets sent, 4 refused (")


async def test_a_stop_finishes_the_batch_and_begins_no_other() -> None:
    source = MemoryMessages([[theirs("p", n) for n in range(2500)]])
    topic = FlakyTopic()
    stop = asyncio.Event()
    work = Ingest(Translator(MAP), source, topic, FakeClock(), stop, lambda tally: stop.set())

    await work.run()

    assert topic.seconds == {"p": list(range(1000))}
    assert source.committed == {0: 1000}


def test_the_log_of_refusals_is_bounded() -> None:
    tally = Tally()
    logged: list[int] = []

    for _ in range(12_345):
        tally.refuse(Refusal(Reason.TIME, "x"), lambda told, times: logged.append(times))

    assert logged == [*range(1, FIRST_LOGGED + 1), 10, 100, 1000, 10_000]
