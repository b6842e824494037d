"""Workers are restarted one after the other with other settings: nothing is lost or done twice."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from common.records.alerts import Alert, Transition
from common.topics import StateKeys
from detector.adapters.redis_scripts import PROGRESS_FIELD
from detector.core.state.asset import FENCE, READABLE, unpack
from tests.support.detector import DetectorBench
from tests.support.earlier_layouts import as_layout_3
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of
from tests.support.workers import Worker, workers_of

Messages = list[tuple[bytes, bytes]]

OLD = {"SURGELINE_DETECTOR__MAX_BATCH_ROWS": "3"}
NEW = {
    "SURGELINE_DETECTOR__MAX_BATCH_ROWS": "5",
    "SURGELINE_DETECTOR__SESSION_TIMEOUT_S": "4",
    "SURGELINE_KAFKA__LINGER_MS": "0",
    "SURGELINE_REDIS__OP_TIMEOUT_S": "9",
}
"""Settings that say how the work is done, not what comes out of it. The batches are so small that a
worker that is told to stop has much left to do."""

OTHER_RULES = {**OLD, "SURGELINE_DETECTOR__ALARM__ON_DELAY_CYCLES": "6"}
"""Settings under which other alarms come out; verdicts are the same."""

FULL = os.environ.get("SURGELINE_TEST_FAULTS") == "full"
"""`make faults`: to the new settings and back again; else there only."""

Rewrite = Callable[[bytes], bytes]


async def rolled(
    bench: DetectorBench, messages: Messages, versions: Sequence[dict[str, str]]
) -> None:
    """Send the fleet to two workers, and restart both for each further version.

    One is stopped, and started with the next version, while the other works; then the other.
    """
    steps = 2 * (len(versions) - 1) + 1
    part = len(messages) // steps + 1
    sent = busy = 0
    with workers_of(bench) as workers:
        pair: list[Worker] = [workers.start(**versions[0]) for _ in range(2)]
        for worker in pair:
            worker.wait_ready()
        for version in versions[1:]:
            for number in range(2):
                await bench.send(messages[sent : sent + part])
                await bench.wait_for_verdicts(sent + 1)  # at the beginning of the work
                sent += part
                busy += await bench.verdict_total() < sent - part // 4
                assert pair[number].stop() == 0, pair[number].log()[-2000:]
                pair[number] = workers.start(**version)
                pair[number].wait_ready()
        await bench.send(messages[sent:])
        await bench.settled()
        assert [worker.stop() for worker in pair] == [0, 0]
    assert busy, "every stop came too late to disturb"


async def test_a_rolling_restart_with_other_settings_changes_nothing(
    bench: DetectorBench, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    await rolled(bench, messages, [OLD, NEW, OLD] if FULL else [OLD, NEW])

    assert_same_outcome(await outcome_of(bench), undisturbed)


async def test_a_rolling_restart_with_another_alarm_rule_loses_and_doubles_nothing(
    bench: DetectorBench, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    await rolled(bench, messages, [OLD, OTHER_RULES])

    came = await outcome_of(bench)
    assert came.counts == undisturbed.counts
    assert [(one.asset_id, one.cycle, one.status) for one in came.verdicts] == [
        (one.asset_id, one.cycle, one.status) for one in undisturbed.verdicts
    ]
    assert came.dead_letters == undisturbed.dead_letters
    assert came.alerts.keys() != undisturbed.alerts.keys()  # the rule did decide
    assert_one_life_each(list(came.alerts.values()))


def assert_one_life_each(alerts: Sequence[Alert]) -> None:
    """Every alarm is raised once and cleared at most once; an asset has one at a time."""
    alarms: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        alarms[alert.alarm_id].append(alert)
    lives: dict[tuple[str, str], list[tuple[int, int | None]]] = defaultdict(list)
    for told in alarms.values():
        told.sort(key=lambda alert: alert.alarm_sequence)
        states = [alert.state for alert in told]
        assert states[0] is Transition.RAISED
        assert len(set(states)) == len(states)
        assert Transition.CLEARED not in states[:-1]
        end = told[-1].cycle if states[-1] is Transition.CLEARED else None
        lives[told[0].asset_id, told[0].run_id].append((told[0].cycle, end))
    for spans in lives.values():
        for (_, end), (begin, _) in pairwise(sorted(spans)):
            assert end is not None
            assert end <= begin


def of_layout(version: int) -> Rewrite:
    """Return what makes a state one of another layout: what follows says nothing to this one."""
    return lambda value: value[: FENCE.size] + bytes([version]) + b"\x5a" * (len(value) - 13)


@pytest.mark.parametrize(
    ("rewrite", "said"),
    [
        pytest.param(of_layout(2), "asset state of layout 2", id="an old layout"),
        pytest.param(of_layout(max(READABLE) + 1), "asset state of layout", id="a layout to come"),
    ],
)
async def test_states_of_a_layout_unknown_here_are_rebuilt(
    bench: DetectorBench,
    messages: Messages,
    undisturbed: ReplayOutcome,
    rewrite: Rewrite,
    said: str,
) -> None:
    half = len(messages) // 2
    with bench.running(**OLD):
        await bench.send(messages[:half])
        await bench.settled()
    assert await rewritten(bench, "state", rewrite) > 0

    with bench.running(**NEW):
        await bench.send(messages[half:])
        await bench.settled()

    assert said in bench.log()
    assert_same_outcome(await outcome_of(bench), undisturbed)


async def test_states_of_earlier_layouts_are_read_on(
    bench: DetectorBench, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    """Scores go on. The run's history is not in them, so remaining life is judged anew."""
    half = len(messages) // 2
    with bench.running(**OLD):
        await bench.send(messages[:half])
        await bench.settled()
    assert await rewritten(bench, "state", lambda value: as_layout_3(unpack(value))) > 0

    with bench.running(**NEW):
        await bench.send(messages[half:])
        await bench.settled()

    came = await outcome_of(bench)
    assert "rebuilt from the topic" not in bench.log()
    assert came.counts == undisturbed.counts
    assert came.dead_letters == undisturbed.dead_letters
    for one, other in zip(came.verdicts, undisturbed.verdicts, strict=True):
        assert (one.asset_id, one.cycle, one.status) == (other.asset_id, other.cycle, other.status)
        assert one.score == (other.score and pytest.approx(other.score, rel=1e-6))
    assert_one_life_each(list(came.alerts.values()))


async def test_progress_of_the_first_version_is_no_progress(
    bench: DetectorBench, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    """It was a number alone, under a key of its own: how far a partition's states reach."""
    half = len(messages) // 2
    with bench.running(**OLD):
        await bench.send(messages[:half])
        await bench.settled()
    assert await as_the_first_version(bench) > 0

    with bench.running(**NEW):
        await bench.send(messages[half:])
        await bench.settled()

    assert_same_outcome(await outcome_of(bench), undisturbed)


async def rewritten(bench: DetectorBench, kind: str, rewrite: Rewrite) -> int:
    """Rewrite every value of a kind in Redis; return how many there are."""
    count = 0
    async with Redis.from_url(bench.redis.url.get_secret_value()) as redis:
        async for key in redis.scan_iter(f"{bench.redis.key_prefix}:{kind}:*", count=1000):
            value = await redis.get(key)
            assert isinstance(value, bytes)
            await redis.set(key, rewrite(value), keepttl=True)
            count += 1
    return count


async def as_the_first_version(bench: DetectorBench) -> int:
    """Put what is known of each partition where, and as, the first version had it."""
    keys, count = StateKeys(bench.redis.key_prefix), 0
    async with Redis.from_url(bench.redis.url.get_secret_value()) as redis:
        for partition in range(bench.kafka.partitions):
            name = keys.partition(partition)
            known = await redis.hget(name, PROGRESS_FIELD)
            if isinstance(known, bytes):
                await redis.set(keys.earlier_progress(partition), known.partition(b" ")[0])
                await redis.delete(name)
                count += 1
    return count
