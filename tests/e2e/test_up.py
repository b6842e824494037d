"""``surgeline up`` for real: addresses answer, crashes are mended, nothing is left behind."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest

from common.settings import load_settings
from deploy.local.programs import answers, broker_command, free_port, valkey_command
from deploy.local.statefile import StackState, running_stack
from producer.simulator.simulate import simulate
from tests.support import forked
from tests.support.processes import (
    command_line,
    descendants,
    is_alive,
    listening_addresses,
    require_proc,
)
from tests.support.servers.backends import build, require, wait_until

READY = "everything is ready"
START_S = 90.0
CURL_TIMED_OUT = 28


class Up:
    """A running ``surgeline up``."""

    def __init__(self, process: subprocess.Popen[bytes], var_dir: Path, output: Path) -> None:
        self.process = process
        self.var_dir = var_dir
        self._output = output

    @property
    def said(self) -> str:
        return self._output.read_text(errors="replace")

    @property
    def state(self) -> StackState:
        found = running_stack(self.var_dir)
        assert found is not None, self.said[-3000:]
        return found

    @property
    def api(self) -> str:
        return self.state.urls["api"]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.api}{path}", timeout=10)

    def wait_well(self) -> None:
        """Wait until the api finds nothing wrong: it asks others, and on a busy machine again."""
        wait_until(lambda: self.get("/ready").json()["status"] == "ready", "an api that is ready")

    def wait_for(self, words: str, times: int = 1, timeout_s: float = START_S) -> None:
        def heard() -> bool:
            assert self.process.poll() is None, self.said[-3000:]
            return len(re.findall(words, self.said)) >= times

        try:
            wait_until(heard, f"{words!r} x {times}", timeout_s)
        except TimeoutError as exc:
            raise TimeoutError(f"{exc}; said last: {self.said[-3000:]}") from exc

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``surgeline`` as from another terminal, which knows the var folder only."""
        variables = environment() | {"SURGELINE_VAR_DIR": str(self.var_dir)}
        return forked.run(["deploy.cli", *arguments], variables)

    def end(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)
        self.process.wait(timeout=60)


def environment() -> dict[str, str]:
    """This process's environment without settings of Surgeline, which tests must not depend on."""
    return {name: v for name, v in os.environ.items() if not name.startswith("SURGELINE_")}


@contextmanager
def surgeline_up(
    folder: Path,
    *arguments: str,
    var: Path | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Up]:
    """Run ``surgeline up``; it is ready when the block begins, and gone when it ends."""
    require_proc()
    build(lambda: broker_command(1))
    build(lambda: valkey_command(1, folder))
    var_dir, output = var or folder / "var", folder / "output"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "up", "--var", str(var_dir), *arguments],
            env=environment() | dict(variables),
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        up = Up(process, var_dir, output)
        try:
            up.wait_for(READY)
            yield up
        finally:
            if process.poll() is None:
                up.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for the tests that leave it running."""
    with surgeline_up(tmp_path_factory.mktemp("up"), "--api-port", str(free_port())) as up:
        yield up


def test_every_address_it_prints_answers(stack: Up) -> None:
    urls = stack.state.urls

    for url in urls.values():  # the table follows the line that all is ready
        stack.wait_for(re.escape(url))
    stack.wait_well()
    assert httpx.get(urls["api reference"], timeout=10).status_code == 200
    assert "surgeline_verdicts" in httpx.get(urls["detector metrics"], timeout=10).text
    assert answers(int(urls["broker"].rpartition(":")[2]))
    assert answers(int(re.findall(r":(\d+)/", urls["valkey"])[0]))


def test_it_listens_on_loopback_alone(stack: Up) -> None:
    ports = listening_addresses(descendants(stack.process.pid) | {stack.process.pid})

    assert len(ports) >= 4
    assert {address for address, _port in ports} == {"127.0.0.1"}


def test_lines_of_the_services_come_with_their_names(stack: Up) -> None:
    assert re.search(r"^detector +\| .*joined the group", stack.said, re.MULTILINE)
    assert re.search(r"^api +\| ", stack.said, re.MULTILINE)


def test_another_terminal_finds_the_stack_and_a_second_replay_adds_nothing(stack: Up) -> None:
    replay = (
        *("replay", "--dataset", "SIM", "--engines", "1-2", "--seed", "0", "--speed", "max"),
        *("--run-id", "simulated-twice", "--progress", "json"),
    )

    rows = simulate(2, seed=0, split="test").rows

    first, second = stack.command(*replay), stack.command(*replay)

    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "using the running stack" in first.stderr
    assert f'"sent": {rows}, "skipped": 0' in first.stdout.splitlines()[-1]
    assert f'"sent": 0, "skipped": {rows}' in second.stdout.splitlines()[-1]

    def verdicts() -> int:
        assets = stack.get("/api/v1/assets").json()["items"]
        own = [one["verdicts"] for one in assets if one["run_id"] == "simulated-twice"]
        return sum(sum(counts.values()) for counts in own)

    wait_until(lambda: verdicts() == rows, "a verdict for each reading")
    scores = stack.command("scores", "--asset", "SIM-test-001", "--limit", "3")
    assert scores.returncode == 0, scores.stderr
    assert "scored" in scores.stdout


def test_what_the_readme_asks_with_curl_is_answered(stack: Up) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    if shutil.which("curl") is None:
        require("curl is needed: apt-get install curl")
    lines = [line for line in readme.splitlines() if line.startswith("curl ")]

    for line in lines:
        words = shlex.split(line)
        url = next(word for word in words if word.startswith("http"))
        assert url.startswith("http://127.0.0.1:8080/")
        words[words.index(url)] = url.replace("http://127.0.0.1:8080", stack.api)
        is_stream = "-N" in words
        done = subprocess.run(
            [
                *words,
                "--silent",
                "--show-error",
                "--fail",
                "--max-time",
                "1" if is_stream else "10",
            ],
            capture_output=True,
            check=False,
        )
        assert done.returncode == (CURL_TIMED_OUT if is_stream else 0), f"{line}: {done}"

    assert len(lines) >= 5


def test_env_prints_what_leads_to_the_stack(stack: Up) -> None:
    printed = stack.command("env").stdout
    pairs = dict(line.removeprefix("export ").split("=", 1) for line in printed.splitlines())

    assert load_settings(pairs).kafka.bootstrap_servers == stack.state.urls["broker"]


def test_a_second_stack_in_the_same_folder_is_refused(stack: Up) -> None:
    refused = stack.command("up")

    assert refused.returncode == 2
    assert "already runs" in refused.stderr


def test_a_killed_detector_is_started_again(stack: Up) -> None:
    before = stack.state.processes
    ready = len(re.findall("detector: ready after", stack.said))

    os.kill(before["detector"], signal.SIGKILL)
    stack.wait_for("detector: ready after", ready + 1)

    after = stack.state.processes
    assert "detector: stopped (killed by SIGKILL); starting again" in stack.said
    assert after["detector"] != before["detector"]
    assert after["broker"] == before["broker"]


def test_a_killed_valkey_starts_everything_anew_and_says_what_is_lost(stack: Up) -> None:
    before = stack.state
    ready = len(re.findall("detector: ready after", stack.said))

    os.kill(before.processes["valkey"], signal.SIGKILL)
    stack.wait_for("detector: ready after", ready + 1)
    wait_until(lambda: len(stack.state.processes) == 4, "all processes")

    after = stack.state
    assert "TOPICS AND RINGS ARE LOST" in stack.said
    assert not set(after.processes.values()) & set(before.processes.values())
    assert after.urls == before.urls
    prefix = "SURGELINE_REDIS__KEY_PREFIX"
    assert after.environment[prefix] != before.environment[prefix]
    # the new broker's topics begin at offset 0 again: nobody may go on from an old position
    replay = stack.command(
        *("replay", "--dataset", "SIM", "--engines", "1-10", "--speed", "max"),
        *("--run-id", "simulated-after"),
    )
    assert replay.returncode == 0, replay.stderr
    wait_until(
        lambda: bool(stack.get("/api/v1/alerts?run_id=simulated-after").json()["items"]),
        "an alert of a replay after the loss",
    )
    (alert,) = stack.get("/api/v1/alerts?run_id=simulated-after&limit=1").json()["items"]
    where = f"/api/v1/alerts/{alert['alert_id']}/evidence"
    wait_until(
        lambda: stack.get(where).status_code == httpx.codes.OK,
        "its evidence, which comes over another topic",
    )
    evidence = stack.get(where).json()
    assert (evidence["cycle"], evidence["window"]["cycles"][-1]) == (alert["cycle"],) * 2
    assert len(evidence["channels"][0]["values"]) == evidence["window"]["length"] == 30
    readings = f"/api/v1/readings?asset_id={alert['asset_id']}&limit=2000"
    wait_until(
        lambda: "ring" in {item["source"] for item in stack.get(readings).json()["items"]},
        "the asset's ring, which is written after the alert",
    )
    kept = stack.get(readings).json()
    assert kept["run_id"] == "simulated-after"
    assert kept["notes"] == []


def test_ctrl_c_leaves_no_process_and_no_port(tmp_path: Path) -> None:
    with surgeline_up(tmp_path, "--api-port", str(free_port()), "--workers", "2") as up:
        started = descendants(up.process.pid)
        ports = {port for _address, port in listening_addresses(started)}
        assert {"detector-1", "detector-2"} < up.state.processes.keys()

        up.end(signal.SIGINT)

    assert up.process.returncode == 0
    assert "all stopped" in up.said
    assert [command_line(pid) for pid in started if is_alive(pid)] == []
    assert len(ports) >= 5
    assert not any(answers(port) for port in ports)
    assert running_stack(up.var_dir) is None


def test_killing_it_in_the_middle_of_a_replay_leaves_nothing(stack: Up) -> None:
    """Comes last: it ends the stack that the other tests use."""
    slow = {"dataset": "SIM", "engines": "1-3", "speed": "1x"}
    httpx.post(f"{stack.api}/api/v1/replays", json=slow, timeout=10).raise_for_status()

    def is_replaying() -> bool:
        started = descendants(stack.process.pid)
        return any("producer replay" in command_line(pid) for pid in started)

    wait_until(is_replaying, "the producer's start")
    started = descendants(stack.process.pid)

    stack.end(signal.SIGKILL)

    wait_until(lambda: not any(map(is_alive, started)), "the end of all", 15)
    assert running_stack(stack.var_dir) is None
