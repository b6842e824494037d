"""Backends that stop answering for a while: the worker waits, says why, and loses nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from common.settings import RedisSettings
from deploy.local.programs import broker_command, free_port, valkey_command
from tests.support.backends import build, server, wait_until
from tests.support.detector import DetectorBench
from tests.support.outcomes import ReplayOutcome, assert_same_outcome, outcome_of
from tests.support.tcp_proxy import TcpProxy

Messages = list[tuple[bytes, bytes]]
IMPATIENT = {
    "SURGELINE_DETECTOR__MAX_BATCH_ROWS": "100",
    "SURGELINE_SCORES__OP_TIMEOUT_S": "1",
    "SURGELINE_REDIS__OP_TIMEOUT_S": "1",
    "SURGELINE_DETECTOR__RETRY_MAX_S": "1",
    "SURGELINE_KAFKA__OP_TIMEOUT_S": "4",
}


def problems(bench: DetectorBench) -> dict[str, str]:
    """What the worker says is wrong."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{bench.http_port}/ready", timeout=2):
            return {}
    except urllib.error.HTTPError as answer:
        found: dict[str, str] = json.load(answer)["problems"]
        return found


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A Valkey server of this test's own: its URL and process id."""
    port = free_port()
    folder = tmp_path / "valkey"
    folder.mkdir()
    with server(build(lambda: valkey_command(port, folder)), port, folder / "log") as process:
        yield f"redis://127.0.0.1:{port}/0", process.pid


async def test_a_locked_score_store_is_waited_for(
    bench: DetectorBench, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    half = len(messages) // 2
    with bench.running(**IMPATIENT):
        await bench.send(messages[:half])
        await bench.wait_for_verdicts(half)
        lock = sqlite3.connect(bench.scores.sqlite_path)
        lock.execute("BEGIN EXCLUSIVE")
        await bench.send(messages[half:])
        wait_until(lambda: "write_scores" in problems(bench), "the worker says what is wrong")
        lock.rollback()
        lock.close()
        await bench.wait_for_verdicts(len(messages))
        wait_until(lambda: not problems(bench), "the worker is ready again")

    assert_same_outcome(await outcome_of(bench), undisturbed)


async def test_a_frozen_valkey_is_waited_for(
    bench: DetectorBench,
    own_valkey: tuple[str, int],
    messages: Messages,
    undisturbed: ReplayOutcome,
) -> None:
    url, pid = own_valkey
    bench.redis = RedisSettings.model_validate({"url": url})
    half = len(messages) // 2
    with bench.running(**IMPATIENT):
        await bench.send(messages[:half])
        await bench.wait_for_verdicts(half)
        _freeze(pid)
        await bench.send(messages[half:])
        wait_until(lambda: "read_states" in problems(bench), "the worker says what is wrong")
        _thaw(pid)
        await bench.wait_for_verdicts(len(messages))

    assert_same_outcome(await outcome_of(bench), undisturbed)


async def test_a_read_only_valkey_is_waited_for(
    bench: DetectorBench,
    own_valkey: tuple[str, int],
    messages: Messages,
    undisturbed: ReplayOutcome,
) -> None:
    url, _ = own_valkey
    bench.redis = RedisSettings.model_validate({"url": url})
    half = len(messages) // 2
    async with Redis.from_url(url) as admin:
        with bench.running(**IMPATIENT):
            await bench.send(messages[:half])
            await bench.wait_for_verdicts(half)
            await admin.slaveof("127.0.0.1", free_port())
            await bench.send(messages[half:])
            wait_until(lambda: "write_states" in problems(bench), "the worker says what is wrong")
            await admin.slaveof()
            await bench.wait_for_verdicts(len(messages))

    assert_same_outcome(await outcome_of(bench), undisturbed)


@pytest.mark.timeout(180)
async def test_a_broker_frozen_past_the_session_is_waited_for(
    bench: DetectorBench, tmp_path: Path, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    port = free_port()
    command = build(lambda: broker_command(port))
    with server(command, port, tmp_path / "broker.log") as broker:
        bench.kafka = bench.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{port}"})
        half = len(messages) // 2
        with bench.running(**IMPATIENT):
            await bench.send(messages[:half])
            await bench.wait_for_verdicts(half // 2)
            _freeze(broker.pid)
            done = await bench.verdict_total()
            wait_until(
                lambda: "eartbeat" in bench.log() or "ession" in bench.log(),
                "the worker misses the broker",
                timeout_s=20,
            )
            _thaw(broker.pid)
            await bench.send(messages[half:])
            await bench.wait_for_verdicts(len(messages))
            assert done < len(messages)
        outcome = await outcome_of(bench)

    assert_same_outcome(outcome, undisturbed)


async def test_a_worker_that_waits_for_a_backend_can_still_be_stopped(
    bench: DetectorBench,
    own_valkey: tuple[str, int],
    messages: Messages,
    undisturbed: ReplayOutcome,
) -> None:
    url, pid = own_valkey
    bench.redis = RedisSettings.model_validate({"url": url})
    half = len(messages) // 2
    with bench.running(SURGELINE_DETECTOR__STOP_GRACE_S="1", **IMPATIENT):
        await bench.send(messages[:half])
        await bench.wait_for_verdicts(half)
        _freeze(pid)
        await bench.send(messages[half:])
        wait_until(lambda: "read_states" in problems(bench), "the worker waits")
    _thaw(pid)
    with bench.running(**IMPATIENT):
        await bench.wait_for_verdicts(len(messages))

    assert_same_outcome(await outcome_of(bench), undisturbed)


@pytest.mark.timeout(180)
async def test_a_broker_connection_that_is_slow_and_cut_again_and_again_changes_nothing(
    bench: DetectorBench, tmp_path: Path, messages: Messages, undisturbed: ReplayOutcome
) -> None:
    port, proxy_port = free_port(), free_port()
    command = build(lambda: broker_command(port))
    place = command.index("--advertised-listener-url") + 1
    command[place] = command[place].replace(str(port), str(proxy_port))
    bench.kafka = bench.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{proxy_port}"})
    proxy = TcpProxy(proxy_port, port)
    parts = 4
    part = len(messages) // parts
    with server(command, port, tmp_path / "broker.log"), proxy.listening():
        with bench.running(**IMPATIENT):
            for number in range(parts):
                begin, end = number * part, (number + 1) * part if number < parts - 1 else None
                await bench.send(messages[begin:end])
                proxy.delay_s, proxy.bytes_per_s = 0.05, 500_000
                await bench.wait_for_verdicts(begin + part // 3)
                proxy.refuses = True
                proxy.cut()
                await asyncio.sleep(0.5)  # the line stays dead for a moment
                proxy.refuses = False
                proxy.delay_s, proxy.bytes_per_s = 0.0, None
                await bench.wait_for_verdicts(begin + part)
            await bench.wait_for_verdicts(len(messages))
        outcome = await outcome_of(bench)

    assert proxy.cuts >= parts
    assert_same_outcome(outcome, undisturbed)


def _freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def _thaw(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)
