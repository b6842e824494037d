"""The mistakes people make, with the real command: one clear line, never a traceback."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.links.kafka import make_producer, started
from common.settings import KafkaSettings
from common.topics import Topics
from deploy.local.programs import free_port
from tests.e2e.test_up import Up, environment, surgeline_up
from tests.support.servers.backends import wait_until

REPOSITORY = Path(__file__).parents[2]
SURGELINE = f"{shlex.quote(sys.executable)} -m deploy.cli"
SWITCH_SCREEN = b"\x1b[?1049h\x1b]0;owned\x07"


def surgeline(arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell that begins with ``surgeline``, in a folder without data or stack."""
    return subprocess.run(
        ["bash", "-c", f"{SURGELINE} {arguments}"],
        cwd=folder,
        env=environment() | {"PYTHONPATH": str(REPOSITORY)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("repaly", 2, "Did you mean replay?"),
        ("--version", 0, "surgeline 0."),
        ("replay --dataset SIM --start 1960-01-01T00:00:00Z", 2, "from 1970 to 2262"),
        ("replay --dataset ./x.csv", 2, "The path of a file is none"),
        ("replay --dataset FD0O1", 2, "Did you mean FD001"),
        ("alerts --url http://me:hush@127.0.0.1:1", 2, "No api answers at http://***@127.0.0.1:1"),
        ("deadletter list", 2, "No broker answers"),
        ("settings | head -1", 0, "SURGELINE_DATA_DIR"),
        ("settings > /dev/full", 1, "the output cannot be written: No space left on device"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_clear_line(tmp_path: Path, arguments: str, code: int, words: str) -> None:
    done = surgeline(arguments, tmp_path, COLUMNS="300")

    said = done.stdout + done.stderr
    assert words in said
    assert done.returncode == code
    assert "Traceback" not in said
    assert "hush" not in said


def test_passwords_in_addresses_are_not_shown(tmp_path: Path) -> None:
    secrets = {
        "SURGELINE_SCORES__INFLUX_URL": "http://me:hush@db.example:8086",
        "SURGELINE_REDIS__URL": "redis://:hush@redis.example/0",
        "SURGELINE_ALERTS__URL": "postgresql+asyncpg://me:hush@pg.example/alerts",
        "SURGELINE_TRACKING__TRACKING_URI": "https://me:hush@mlflow.example",
    }

    shown = surgeline("settings", tmp_path, **secrets)
    refused = surgeline(
        "settings", tmp_path, SURGELINE_TRACKING__TRACKING_URI="ftp://me:hush@mlflow.example"
    )

    assert "SURGELINE_SCORES__INFLUX_URL=http://***@db.example:8086" in shown.stdout
    assert "https://***@mlflow.example" in shown.stdout
    assert refused.returncode == 2
    assert "ftp://***@mlflow.example" in refused.stderr
    assert "hush" not in shown.stdout + shown.stderr + refused.stdout + refused.stderr


@pytest.mark.parametrize(
    "command", ["up", "demo --simulated --engines 1 --var x", "simulate --out x"]
)
def test_a_folder_that_may_not_be_written_is_one_clear_line(command: str) -> None:
    nobody_writes_here = Path("/proc")

    done = surgeline(command, nobody_writes_here)

    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A stack with alerts, scores and a hostile dead letter; its home folder cannot be written."""
    folder = tmp_path_factory.mktemp("mistakes")
    variables = {
        "HOME": "/proc/none",
        "SURGELINE_SCORES__INFLUX_URL": "http://me:hush@db.example:8086",
    }
    with surgeline_up(folder, "--api-port", str(free_port()), variables=variables) as up:
        replayed = up.command(
            *("replay", "--dataset", "SIM", "--engines", "1-8", "--speed", "max"),
            *("--run-id", "simulated-night"),
        )
        assert replayed.returncode == 0, replayed.stderr
        asyncio.run(send_hostile(up.state.urls["broker"]))
        wait_until(lambda: bool(up.get("/api/v1/alerts").json()["items"]), "an alert")
        wait_until(lambda: len(up.get("/api/v1/assets").json()["items"]) == 8, "all verdicts")
        yield up


async def send_hostile(broker: str) -> None:
    settings = KafkaSettings(bootstrap_servers=broker)
    async with started(make_producer(settings)) as producer:
        topic = Topics(settings.topic_prefix).readings
        await producer.send_and_wait(topic, b"{" + SWITCH_SCREEN, key=b"pump-7" + SWITCH_SCREEN)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["alerts", "--asset", "nope"], 0, "are stored, none of them of asset nope."),
        (["alerts", "--run", "simulated-nite"], 0, "Did you mean simulated-night?"),
        (["scores", "--asset", "nope"], 0, "8 assets have some, it is not one of them."),
        (["scores", "--asset", "SIM-test-001", "--status", "gap"], 0, "none with the verdict gap"),
        (["deadletter", "list", "--asset", "pump-8"], 0, "No dead letter matches: there are 1"),
        (["parity", "--run-id", "simulated-nite"], 2, "Did you mean simulated-night?"),
    ],
)  # fmt: skip
def test_what_is_there_is_not_denied(
    stack: Up, arguments: list[str], code: int, words: str
) -> None:
    done = stack.command(*arguments)

    said = done.stdout + done.stderr
    assert words in said
    assert done.returncode == code
    assert "Traceback" not in said


def test_a_second_stack_is_told_how_to_use_or_stop_the_first(stack: Up) -> None:
    said = stack.command("up").stderr

    for words in (f"process {stack.process.pid}", ", since 20", stack.api, "--var DIR", "kill "):
        assert words in said
    assert "{" not in said


def test_no_key_or_message_commands_the_terminal(stack: Up) -> None:
    listed = ""

    def is_listed() -> bool:
        nonlocal listed
        listed = stack.command("deadletter", "list").stdout
        return "pump-7" in listed

    wait_until(is_listed, "the dead letter")
    (position,) = {word for word in listed.split() if word.startswith("surgeline.readings-")}
    shown = stack.command("deadletter", "show", position).stdout

    for output in (listed, shown):
        assert all(each == "\n" or each.isprintable() for each in output)
        assert r"\x1b" in output


def test_a_password_is_in_no_output_and_in_private_files_alone(stack: Up) -> None:
    printed = stack.command("env")

    assert "# SURGELINE_SCORES__INFLUX_URL holds a password" in printed.stdout
    assert "hush" not in printed.stdout + printed.stderr
    for path in (stack.var_dir, *stack.var_dir.glob("stack.*"), *stack.var_dir.glob("logs/*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_what_is_no_api_of_ours_is_called_so(stack: Up) -> None:
    metrics = stack.state.urls["detector metrics"]

    done = stack.command("alerts", "--url", metrics)

    assert done.returncode == 2
    assert "is no api of Surgeline" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_reports_are_their_owners_alone(stack: Up, tmp_path: Path) -> None:
    report = tmp_path / "letters.json"

    done = stack.command("deadletter", "list", "--json", str(report))

    assert done.returncode == 0
    assert "letters" in json.loads(report.read_text())
    assert report.stat().st_mode & 0o077 == 0
