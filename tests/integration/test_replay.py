"""Replays onto a real broker: everything once, in order, whatever ended the one before."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from common.clock import SystemClock
from common.errors import UserError
from common.links.kafka import ensure_topics, make_producer, started
from common.replay import ReplayProgress, ReplayState
from common.settings import KafkaSettings, Settings
from common.topics import Topics
from producer.adapters.kafka_history import KafkaRunHistory
from producer.adapters.kafka_publisher import KafkaReadingPublisher
from producer.app import ReplayPlan, ReplayRequest, plan_replay, run_replay
from producer.fleet import Fleet, Message
from producer.pacing import Pace
from producer.resume import remaining
from producer.simulator.simulate import simulate
from tests.support.engines import START
from tests.support.replays import OnTopic, on_topic, reports, run, running, wait_for_rows

SIM = ("--dataset", "SIM", "--seed", "3")


def sim_fleet(engines: int, run_id: str) -> Fleet:
    units = tuple(range(1, engines + 1))
    return Fleet(simulate(engines, 3, "test"), units, run_id, START, timedelta(seconds=1))


def assert_whole_and_in_order(found: OnTopic, fleet: Fleet) -> None:
    """Each reading once, each asset on one partition and in order."""
    assert set(found.counts.values()) == {1}
    assert found.cycles == {
        fleet.asset_id(engine.unit): engine.cycles.tolist()
        for engine in fleet.dataset.engines
        if engine.unit in fleet.units
    }
    assert {len(partitions) for partitions in found.partitions.values()} == {1}


async def replay_now(settings: KafkaSettings, fleet: Fleet) -> ReplayProgress:
    plan = ReplayPlan(fleet, Pace(None), may_be_there=True, seed=None)
    result = await run_replay(plan, settings, SystemClock(), lambda progress: None)
    return result.progress


async def test_a_fleet_arrives_whole_and_in_order_and_only_once(
    kafka_settings: KafkaSettings,
) -> None:
    fleet = sim_fleet(12, "first")
    total = fleet.dataset.rows

    first = await replay_now(kafka_settings, fleet)
    second = await replay_now(kafka_settings, fleet)

    assert (first.sent, first.skipped, first.state) == (total, 0, ReplayState.DONE)
    assert (second.sent, second.skipped, second.state) == (0, total, ReplayState.DONE)
    found = await on_topic(kafka_settings, "first")
    assert_whole_and_in_order(found, fleet)
    assert len({number for numbers in found.partitions.values() for number in numbers}) > 1


async def test_assets_go_where_any_other_producer_would_put_them(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    fleet = sim_fleet(20, "ours")
    firsts = fleet.messages(fleet.slots()[:20])

    async with KafkaReadingPublisher(kafka_settings) as publisher:
        await publisher.publish(firsts)
    ours = (await on_topic(kafka_settings, "ours")).partitions
    async with started(make_producer(kafka_settings)) as producer:
        theirs = {
            message.key.decode(): {
                (await producer.send_and_wait(topic, message.value, key=message.key)).partition
            }
            for message in firsts
        }

    assert ours == theirs


async def test_more_than_a_batch_for_one_partition_keeps_its_order(
    kafka_settings: KafkaSettings,
) -> None:
    """An asset whose readings fill many batches: order and number survive the seams."""
    await ensure_topics(kafka_settings)
    fleet = sim_fleet(1, "long")
    one = fleet.message(fleet.slots()[0])
    padding = b" " * 2000
    messages = [
        Message(one.key, one.value.replace(b'"cycle":1,', b'"cycle":%d,' % cycle) + padding)
        for cycle in range(1, 1001)
    ]

    async with KafkaReadingPublisher(kafka_settings) as publisher:
        await publisher.publish(messages)

    found = await on_topic(kafka_settings, "long")
    assert found.cycles == {"SIM-test-001": list(range(1, 1001))}


async def test_history_tells_a_run_from_runs_that_look_alike(
    kafka_settings: KafkaSettings,
) -> None:
    """A run named like a part of another one, or like an asset, and rubbish in between."""
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    fleets = [sim_fleet(2, run_id) for run_id in ("a", "ab", "SIM-test-001")]
    async with KafkaReadingPublisher(kafka_settings) as publisher:
        for number, fleet in enumerate(fleets, start=3):
            await publisher.publish(fleet.messages(fleet.slots()[:number]))
    async with started(make_producer(kafka_settings)) as producer:
        for rubbish in (b"not json, run a", b'{"run_id":"a","cycle":99}', b""):
            await producer.send_and_wait(topic, rubbish, key=b"SIM-test-001")
        await producer.send_and_wait(topic, None, key=b"SIM-test-001")

    for number, fleet in enumerate(fleets, start=3):
        history = await KafkaRunHistory(kafka_settings).of_run(fleet.run_id)

        assert sum(len(asset.cycles) for asset in history.values()) == number
        assert remaining(fleet, history) == fleet.slots()[number:]


async def test_engines_may_join_a_run_but_other_data_may_not(
    kafka_settings: KafkaSettings,
) -> None:
    def plan(engines: str, seed: int) -> ReplayPlan:
        request = ReplayRequest(
            "SIM", "test", engines, "max", "2026-01-01T00:00:00Z", "1s", "joined", seed
        )
        return plan_replay(request, Settings(), START)

    async def send(plan: ReplayPlan) -> ReplayProgress:
        return (await run_replay(plan, kafka_settings, SystemClock(), lambda _: None)).progress

    few, more, other = plan("1-2", 0), plan("1-4", 0), plan("1-2", 1)
    await send(few)
    progress = await send(more)
    with pytest.raises(UserError, match="with other readings"):
        await send(other)

    assert isinstance(few.fleet, Fleet)
    assert isinstance(more.fleet, Fleet)
    assert progress.skipped == few.fleet.dataset.rows
    found = await on_topic(kafka_settings, "simulated-joined")
    assert_whole_and_in_order(found, more.fleet)


def test_a_killed_replay_is_continued_without_a_gap_or_a_double(
    kafka_settings: KafkaSettings,
) -> None:
    fleet = sim_fleet(30, "simulated-killed")
    arguments = (*SIM, "--engines", "1-30", "--run-id", "killed")

    with running(kafka_settings, *arguments, "--speed", "30x") as process:
        wait_for_rows(process, 900)
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    resumed = run(kafka_settings, *arguments, "--speed", "max", "--progress", "json")
    again = run(kafka_settings, *arguments, "--speed", "max")

    assert resumed.returncode == 0, resumed.stderr
    last = reports(resumed.stdout.splitlines())[-1]
    assert last["state"] == "done"
    assert last["skipped"] >= 900
    assert last["sent"] > 0
    assert last["sent"] + last["skipped"] == last["total"] == fleet.dataset.rows
    assert again.returncode == 0
    assert "nothing to send" in again.stderr
    assert_whole_and_in_order(asyncio.run(on_topic(kafka_settings, fleet.run_id)), fleet)


def test_a_replay_killed_at_full_speed_is_continued_without_a_gap_or_a_double(
    kafka_settings: KafkaSettings,
) -> None:
    fleet = sim_fleet(500, "simulated-flood")
    arguments = (*SIM, "--engines", "1-500", "--run-id", "flood", "--speed", "max")

    with running(kafka_settings, *arguments) as process:
        wait_for_rows(process, 0)  # it is about to send; the next report is half a second away
        wait_for_rows(process, 1)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    resumed = run(kafka_settings, *arguments, "--progress", "json")

    last = reports(resumed.stdout.splitlines())[-1]
    assert last["sent"] > 0
    assert last["sent"] + last["skipped"] == last["total"] == fleet.dataset.rows
    assert_whole_and_in_order(asyncio.run(on_topic(kafka_settings, fleet.run_id)), fleet)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly_and_the_printed_command_continues(
    kafka_settings: KafkaSettings, number: signal.Signals
) -> None:
    fleet = sim_fleet(10, f"simulated-{number.name}")
    arguments = (*SIM, "--engines", "1-10", "--run-id", number.name, "--speed", "30x")

    with running(kafka_settings, *arguments) as process:
        wait_for_rows(process, 100)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    last = reports(out.splitlines())[-1]
    assert last["state"] == "stopped"
    assert last["error"] is None
    assert "Traceback" not in err
    words, command = err.splitlines()
    assert f"stopped: run {fleet.run_id}, {last['sent']} readings sent" in words
    assert command.startswith("surgeline replay ")
    found = asyncio.run(on_topic(kafka_settings, fleet.run_id))
    assert sum(found.counts.values()) == last["sent"]

    continued = run(kafka_settings, *command.split()[2:], "--speed", "max")
    assert continued.returncode == 0, continued.stderr
    assert_whole_and_in_order(asyncio.run(on_topic(kafka_settings, fleet.run_id)), fleet)


def test_a_replay_that_nobody_listens_to_any_more_stops(kafka_settings: KafkaSettings) -> None:
    with running(
        kafka_settings, *SIM, "--engines", "1-2", "--speed", "1x", "--run-id", "left"
    ) as process:
        wait_for_rows(process, 1)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert process.stderr.read() == "stopped: nobody reads the progress any more\n"


@pytest.mark.real_data
def test_all_of_fd001_is_sent_whole_and_in_order(
    kafka_settings: KafkaSettings, cmapss_dir: Path
) -> None:
    request = ReplayRequest("FD001", "test", "all", "max", "2026-01-01T00:00:00Z", "1s", "one", 0)
    plan = plan_replay(request, Settings(data_dir=cmapss_dir), START)

    result = asyncio.run(run_replay(plan, kafka_settings, SystemClock(), lambda _: None))

    assert result.progress.sent == 13_096
    assert isinstance(plan.fleet, Fleet)
    found = asyncio.run(on_topic(kafka_settings, "one"))
    assert_whole_and_in_order(found, plan.fleet)
