"""Any stream, however it is cut, spread, repeated and forgotten: the same verdicts and alerts."""

from __future__ import annotations

import asyncio
import random
import re
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import RejectReason
from common.records.verdicts import Verdict
from models.alarm import AlarmPolicy
from tests.support.alarm_rules import alarm_rules
from tests.support.stream_world import ALARM, Seen, World, run
from tests.support.streams import STEPS, Message, on_topic, spelled_out, streams


@settings(max_examples=120, deadline=None)
@given(
    streams,
    st.sampled_from([0, 1, 3]),
    st.one_of(st.just(ALARM), alarm_rules()),
    st.sampled_from([1, 2, 7, 40]),
    st.integers(0, 2**32),
)
def test_neither_batches_nor_partitions_nor_crashes_nor_lost_states_change_anything(
    messages: list[Message], bridge_cycles: int, alarm: AlarmPolicy, largest: int, seed: int
) -> None:
    async def everywhere() -> list[Seen]:
        whole = World(on_topic(messages, 1), bridge_cycles, alarm)
        seen = [await whole.take_whole()]
        for partitions in (1, 3, 8):
            world = World(on_topic(messages, partitions), bridge_cycles, alarm)
            seen.append(await world.take(random.Random(seed + partitions), largest))
        return seen

    expected, *others = run(everywhere())

    for seen in others:
        assert seen.everything() == expected.everything()


@settings(max_examples=40, deadline=None)
@given(streams, st.sampled_from([2, 5]), st.sampled_from([1, 7, 40]), st.integers(0, 2**32))
def test_batches_of_different_partitions_taken_side_by_side_change_nothing(
    messages: list[Message], partitions: int, largest: int, seed: int
) -> None:
    async def both() -> tuple[Seen, Seen]:
        chance = random.Random(seed)
        turns = partial(chance.randint, 0, 3)
        whole = World(on_topic(messages, 1), 1)
        world = World(on_topic(messages, partitions), 1, turns=turns)
        return await whole.take_whole(), await world.take_side_by_side(chance, largest)

    expected, seen = run(both())

    assert seen.everything() == expected.everything()


stretches = st.lists(
    st.tuples(
        st.sampled_from(["next", "next, anomalous", "next, anomalous", "a cycle missing"]),
        st.integers(1, 6),
        st.sampled_from([0, -1, 1, 2]),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(stretches, alarm_rules(), st.sampled_from([1, 3]), st.integers(0, 2**32))
def test_alarms_that_come_and_go_are_the_same_under_any_rule(
    parts: list[tuple[str, int, int]], alarm: AlarmPolicy, largest: int, seed: int
) -> None:
    messages = spelled_out([("engine-1", "run-1", *part) for part in parts])

    async def both() -> tuple[Seen, Seen]:
        whole = World(on_topic(messages, 1), 1, alarm)
        cut = World(on_topic(messages, 1), 1, alarm)
        return await whole.take_whole(), await cut.take(random.Random(seed), largest)

    expected, seen = run(both())
    assert seen.everything() == expected.everything()


@settings(max_examples=150, deadline=None)
@given(streams, st.sampled_from([0, 1, 3]))
def test_every_message_gets_one_verdict_or_one_dead_letter_and_no_cycle_has_two(
    messages: list[Message], bridge_cycles: int
) -> None:
    seen = asyncio.run(World(on_topic(messages, 3), bridge_cycles).take_whole())

    assert seen.verdicts.keys() | seen.dead_letters.keys() == set(range(len(messages)))
    both = seen.verdicts.keys() & seen.dead_letters.keys()
    assert {seen.verdicts[number].status for number in both} <= {Verdict.REJECTED}
    cycles = [
        (verdict.asset_id, verdict.run_id, verdict.cycle)
        for verdict in seen.verdicts.values()
        if not verdict.status.of_message
    ]
    assert len(cycles) == len(set(cycles))


FIVE = ("engine-1", "run-1", "next", 5, 0)
GETS = {
    "next": Verdict.SCORED,
    "next, with a stuck sensor": Verdict.SCORED,
    "next, anomalous": Verdict.SCORED,
    "a cycle missing": Verdict.GAP,
    "three cycles missing": Verdict.GAP,
    "the same cycle again": Verdict.DUPLICATE,
    "two cycles back": Verdict.DUPLICATE,
    "one cycle back": Verdict.LATE,
    "another run": Verdict.WARMING_UP,
    "the clock goes back": Verdict.SCORED,
    "unknown regime": Verdict.UNKNOWN_REGIME,
    "unknown fields": Verdict.SCORED,
    "an unused sensor missing": Verdict.SCORED,
    "ten times": RejectReason.OUT_OF_RANGE,
    "a tenth": RejectReason.OUT_OF_RANGE,
    "subnormal": RejectReason.OUT_OF_RANGE,
    "near the largest float": RejectReason.OUT_OF_RANGE,
    "nan": Verdict.SCORED,
    "infinite": Verdict.SCORED,
    "null": Verdict.SCORED,
    "used sensors missing": Verdict.SCORED,
    "no used sensor at all": RejectReason.MISSING_CHANNEL,
    "a number as text": RejectReason.SCHEMA,
    "unknown schema": RejectReason.SCHEMA,
    "cycle 0": RejectReason.INVALID_CYCLE,
    "somebody else's key": RejectReason.KEY_MISMATCH,
    "no key": RejectReason.KEY_MISMATCH,
    "huge": RejectReason.TOO_LARGE,
    "another encoding": RejectReason.NOT_UTF8,
    "cut off": RejectReason.MALFORMED_JSON,
    "empty": RejectReason.EMPTY,
    "tombstone": RejectReason.EMPTY,
    "garbage": RejectReason.NOT_UTF8,
}
"""What each step gets after five cycles in order and, for one of them, another step."""

BEFORE = {"one cycle back": "a cycle missing"}
TABLE = Path(__file__).parents[3] / "docs" / "failures.md"


def test_the_table_in_the_docs_says_the_same_of_every_step() -> None:
    section = TABLE.read_text(encoding="utf-8").partition("## Bad input")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    said = {
        step: gets
        for _, gets, steps in rows[2:]
        for step in re.findall(r"`([^`]+)`", steps.partition(" (")[0])
    }

    assert said.keys() == GETS.keys() == STEPS.keys()
    for step, gets in GETS.items():
        assert f"`{gets.value}`" in said[step], step


@pytest.mark.parametrize("name", list(STEPS))
async def test_each_step_alone_gets_what_the_table_says(name: str) -> None:
    names = [BEFORE[name], name] if name in BEFORE else [name]
    messages = spelled_out([FIVE, *[("engine-1", "run-1", step, 1, 0) for step in names]])

    seen = await World(on_topic(messages, 1), 0).take_whole()

    last = len(messages) - 1
    got = seen.verdicts[last].status if last in seen.verdicts else None
    if GETS[name] in set(Verdict):
        assert got is GETS[name]
        assert last not in seen.dead_letters
    else:
        assert seen.dead_letters[last].reason == GETS[name]
        assert got in (None, Verdict.REJECTED)


async def test_after_each_bad_message_the_next_good_one_goes_on() -> None:
    for name, gets in GETS.items():
        if gets in set(Verdict):
            continue
        messages = spelled_out([FIVE, *[("engine-1", "run-1", n, 1, 0) for n in (name, "next")]])

        refused = await World(on_topic(messages, 1), 0).take_whole()
        bridged = await World(on_topic(messages, 1), 1).take_whole()

        used_up = refused.verdicts[6].cycle == 7
        assert refused.verdicts[6].status is (Verdict.GAP if used_up else Verdict.SCORED), name
        assert bridged.verdicts[6].status is Verdict.SCORED, name
