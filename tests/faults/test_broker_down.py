"""The broker freezes, the line to it is bad: the worker recovers and loses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from deploy.local.programs import broker_command, free_port
from tests.support.detector import DetectorBench
from tests.support.outcomes import assert_same_outcome, outcome_of
from tests.support.servers.backends import build, server, wait_until
from tests.support.servers.outages import IMPATIENT, Replay
from tests.support.servers.own_server import OwnServer
from tests.support.servers.tcp_proxy import TcpProxy


async def test_a_broker_frozen_past_the_session_is_waited_for(
    bench: DetectorBench, tmp_path: Path, replay: Replay
) -> None:
    port = free_port()
    broker = OwnServer(build(lambda: broker_command(port)), port, tmp_path / "broker.log")
    bench.kafka = bench.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{port}"})
    half = len(replay.messages) // 2
    with broker.running():
        with bench.running(**IMPATIENT):
            await bench.send(replay.messages[:half])
            await bench.wait_for_verdicts(half // 2)
            with broker.frozen():
                wait_until(
                    lambda: "eartbeat" in bench.log() or "ession" in bench.log(),
                    "the worker misses the broker",
                )
            await bench.send(replay.messages[half:])
            await bench.settled()
        outcome = await outcome_of(bench)

    assert_same_outcome(outcome, replay.undisturbed)


async def test_a_broker_connection_that_is_slow_and_cut_again_and_again_changes_nothing(
    bench: DetectorBench, tmp_path: Path, replay: Replay
) -> None:
    port, proxy_port = free_port(), free_port()
    command = build(lambda: broker_command(port))
    place = command.index("--advertised-listener-url") + 1
    command[place] = command[place].replace(str(port), str(proxy_port))
    bench.kafka = bench.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{proxy_port}"})
    proxy = TcpProxy(proxy_port, port)
    parts = 4
    part = len(replay.messages) // parts
    with server(command, port, tmp_path / "broker.log"), proxy.listening():
        with bench.running(**IMPATIENT):
            for number in range(parts):
                begin, end = number * part, (number + 1) * part if number < parts - 1 else None
                await bench.send(replay.messages[begin:end])
                proxy.delay_s, proxy.bytes_per_s = 0.05, 500_000
                await bench.wait_for_verdicts(begin + part // 3)
                proxy.refuses = True
                proxy.cut()
                await asyncio.sleep(0.5)  # the line stays dead for a moment
                proxy.refuses = False
                proxy.delay_s, proxy.bytes_per_s = 0.0, None
                await bench.settled()
        outcome = await outcome_of(bench)

    assert proxy.cuts >= parts
    assert_same_outcome(outcome, replay.undisturbed)
