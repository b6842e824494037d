"""``kill -9`` in a fetch of more assets than are in hand at once, between its parts.

Such a fetch is cut in parts. Each is stored, its states too, before the next is begun, and the
offsets of all are committed at the end. So a worker that dies in between leaves half a fetch done,
and the next one gets all of it again, perhaps cut elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

import pytest

from detector.delivery.service import MOST_ASSETS
from detector.failpoints import Point
from producer.simulator.simulate import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages, untidy
from tests.support.kills import die_at
from tests.support.outcomes import assert_same_outcome, outcome_of

Messages = list[tuple[bytes, bytes]]

CROWD = 1200
"""Assets of one reading each, beside the fleet's."""

LAST_CYCLES = 60
"""Of each engine, before it fails: half of them are its warm-up, and then it has an alarm."""

FEW_RECORDS = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "500"}
"""So few assets that nothing is cut."""

ALL_RECORDS = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "4000"}
"""All that is sent here in one fetch."""


def crowded() -> Messages:
    """Return a fleet's last cycles, engine after engine, among readings of many others.

    Each gets a verdict. Both halves of it have alerts and dead letters.
    """
    fleet = fleet_messages(simulate(8, seed=11, split="train"), "run-1")
    ends = [message for key in dict(fleet) for message in _of(key, fleet)[-LAST_CYCLES:]]
    one = json.loads(fleet[0][1])
    names = [f"crowd-{number}" for number in range(CROWD)]
    crowd = [(name.encode(), json.dumps(one | {"asset_id": name}).encode()) for name in names]
    return untidy([*_mixed(ends, crowd)])


def _of(key: bytes, messages: Messages) -> Messages:
    return [message for message in messages if message[0] == key]


def _mixed(*shares: Messages) -> Iterator[tuple[bytes, bytes]]:
    """Yield all messages, any stretch of them with as large a part of each share."""
    placed = [(at / len(share), item) for share in shares for at, item in enumerate(share)]
    return map(itemgetter(1), sorted(placed, key=itemgetter(0)))


def keys_of(messages: Sequence[tuple[bytes, bytes]]) -> set[bytes]:
    return {key for key, _ in messages}


def on_one_partition(bench: DetectorBench) -> DetectorBench:
    """Have all messages in one order, in one fetch."""
    bench.kafka = bench.kafka.model_copy(update={"partitions": 1})
    return bench


@pytest.mark.timeout(600)
async def test_kills_between_the_parts_of_a_fetch_leave_the_outcome_as_if_undisturbed(
    bench: DetectorBench, new_bench: Callable[[], DetectorBench]
) -> None:
    messages, calm = crowded(), on_one_partition(new_bench())
    await calm.send(messages)
    with calm.running(**FEW_RECORDS):
        await calm.settled()
    undisturbed = await outcome_of(calm)
    on_one_partition(bench)
    first_fetch = messages[: len(messages) * 9 // 10]
    first_part = first_fetch[: len(first_fetch) // 2]
    assert len(keys_of(first_part)) <= MOST_ASSETS < len(keys_of(first_fetch))

    await bench.send(first_fetch)
    die_at(bench, Point.CONCLUDED, 2, ALL_RECORDS)  # of the second part nothing is stored
    assert await bench.verdict_total() == len(first_part)  # half of what lay in one fetch
    heard = {verdict.asset_id.encode() for verdict in await bench.verdicts()}
    assert heard == keys_of(first_part) - {b"somebody-else"}  # a wrong key
    assert 0 < len(await bench.alerts()) < len(undisturbed.alerts)
    assert 0 < len(await bench.dead_letters()) < len(undisturbed.dead_letters)

    await bench.send(messages[len(first_fetch) :])  # the same fetch and more, cut elsewhere
    die_at(bench, Point.SCORES_WRITTEN, 2, ALL_RECORDS)  # of the second part nothing else is
    assert await bench.verdict_total() == len(messages)
    assert 0 < len(await bench.alerts()) < len(undisturbed.alerts)

    with bench.running(**ALL_RECORDS):
        await bench.settled()
    assert_same_outcome(await outcome_of(bench), undisturbed)
