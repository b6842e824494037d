"""Child processes that replay: their command, their environment, their words, their ends."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.adapters import process_replay_launcher as launcher
from api.adapters.process_replay_launcher import (
    ProcessReplayLauncher,
    ProducerProcess,
    producer_command,
    producer_environment,
)
from api.replays.ports import ReplayProgress, ReplaySpec, ReplayState
from common.settings import KafkaSettings, RedisSettings, Settings, load_settings
from tests.support.alerts import START

SPEC = ReplaySpec("demo", "FD001", "test", "1-20,42", "60x", START, 0.25, None)
SETTINGS = Settings(
    data_dir=Path("some/data"),
    kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1234", idempotent_producer=True),
    redis=RedisSettings(url=SecretStr("redis://:hunter2@x:1/0")),
)


def test_the_command_says_everything_once() -> None:
    assert producer_command(SPEC)[1:] == [
        *("-m", "producer", "replay"),
        *("--dataset", "FD001", "--split", "test", "--engines", "1-20,42", "--speed", "60x"),
        *("--start", "2026-01-01T00:00:00Z", "--cycle-interval", "0.25s", "--run-id", "demo"),
        *("--progress", "json"),
    ]


def test_the_simulator_has_a_seed() -> None:
    spec = replace(SPEC, dataset="SIM", seed=7, run_id="simulated-1")

    command = producer_command(spec)

    assert command[command.index("--seed") + 1] == "7"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.0, "1s"), (1e-6, "0.000001s"), (3600.5, "3600.5s"), (86400.0, "86400s")],
)
def test_intervals_are_plain_digits(seconds: float, text: str) -> None:
    command = producer_command(replace(SPEC, cycle_interval_s=seconds))

    assert command[command.index("--cycle-interval") + 1] == text


def test_the_child_gets_our_settings_and_no_secrets() -> None:
    inherited = {"PATH": "/bin", "SURGELINE_KAFKA__LINGER_MS": "9", "surgeline_redis__url": "y"}

    environment = producer_environment(SETTINGS, inherited)

    understood = load_settings(environment)
    assert understood.kafka == SETTINGS.kafka
    assert understood.data_dir == SETTINGS.data_dir
    assert environment["PATH"] == "/bin"
    assert "hunter2" not in str(environment)


@pytest.mark.parametrize("in_a_file", [True, False])
def test_the_child_is_let_into_the_broker_and_a_secret_in_a_file_stays_there(
    tmp_path: Path, in_a_file: bool
) -> None:
    file = tmp_path / "password"
    file.write_text("hunter3")
    given = {
        "SURGELINE_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "SURGELINE_KAFKA__SASL_USERNAME": "me",
        "SURGELINE_KAFKA__TLS__CA_FILE": "/ca.pem",
    } | (
        {"surgeline_kafka__sasl_password_file": str(file)}
        if in_a_file
        else {"SURGELINE_KAFKA__SASL_PASSWORD": "hunter3"}
    )
    settings = load_settings(given)

    environment = producer_environment(settings, given)

    assert load_settings(environment).kafka == settings.kafka
    assert ("hunter3" in str(environment)) is not in_a_file


async def started(monkeypatch: pytest.MonkeyPatch, script: str) -> ProducerProcess:
    """Start a Python script in the place of the producer."""
    monkeypatch.setattr(launcher, "producer_command", lambda _: [sys.executable, "-c", script])
    return await ProcessReplayLauncher(SETTINGS).launch(SPEC)


async def said(process: ProducerProcess) -> list[ReplayProgress]:
    async with asyncio.timeout(30):
        return [progress async for progress in process.progress()]


async def test_words_become_progress_and_the_last_one_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = await started(
        monkeypatch,
        """
print('{"run_id":"demo","sent":1,"skipped":2,"total":9,"state":"running","error":null}')
print('not progress')
print('{"run_id":"demo","sent":7,"skipped":2,"total":9,"state":"done","error":null}')
""",
    )

    assert await said(process) == [
        ReplayProgress(1, 2, 9, ReplayState.RUNNING),
        ReplayProgress(7, 2, 9, ReplayState.DONE),
    ]


async def test_a_producer_that_ends_without_a_word_failed_and_its_last_error_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = await started(
        monkeypatch,
        """
import sys
print('{"sent":5,"total":9,"state":"running"}')
print("x" * 100_000, file=sys.stderr)
sys.exit("error: test_FD001.txt is missing")
""",
    )

    *_, last = await said(process)

    assert (last.state, last.sent) == (ReplayState.FAILED, 5)
    assert last.error is not None
    assert "exit code 1" in last.error
    assert last.error.endswith("error: test_FD001.txt is missing")


async def test_terminate_lets_it_finish_and_kill_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
import signal, sys
def stop(*_):
    print('{"sent":3,"total":9,"state":"stopped"}', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print('{"sent":1,"total":9,"state":"running"}', flush=True)
signal.pause()
"""
    polite, killed = await started(monkeypatch, script), await started(monkeypatch, script)

    async with asyncio.timeout(30):
        async for progress in polite.progress():
            if progress.state is ReplayState.RUNNING:
                polite.terminate()
        ending = progress
        async for progress in killed.progress():
            if progress.state is ReplayState.RUNNING:
                killed.kill()

    assert (ending.state, ending.sent) == (ReplayState.STOPPED, 3)
    assert progress.state is ReplayState.FAILED
    assert progress.error is not None
    assert "signal 9" in progress.error
    polite.terminate()
    killed.kill()


async def test_a_line_without_end_does_not_stop_the_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = await started(
        monkeypatch,
        """
print("x" * 3_000_000)
print('{"sent":9,"total":9,"state":"done"}')
""",
    )

    assert (await said(process))[-1] == ReplayProgress(9, 0, 9, ReplayState.DONE)


def test_timestamps_are_sent_in_utc() -> None:
    spec = replace(SPEC, start=datetime(2026, 1, 1, 12, 30, 0, 250_000, tzinfo=UTC))

    command = producer_command(spec)

    assert command[command.index("--start") + 1] == "2026-01-01T12:30:00.250000Z"
