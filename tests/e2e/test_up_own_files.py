"""``surgeline up`` whose own files fail it: a full disk, a deleted folder, a closed screen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from deploy.local.programs import free_port
from deploy.local.statefile import LOCK_FILE, STATE_FILE, running_stack
from tests.e2e.test_up import READY, START_S, environment, surgeline_up
from tests.support.processes import descendants, is_alive
from tests.support.servers.backends import wait_until
from tests.support.servers.tiny_disk import tiny_disk


def test_a_full_disk_and_restarts_of_children_do_not_end_the_stack(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with (
        tiny_disk(folder, megabytes=16) as disk,
        surgeline_up(tmp_path, "--api-port", str(free_port()), var=folder / "var") as up,
    ):
        before = up.state
        with disk.full():
            os.kill(before.processes["detector"], signal.SIGKILL)
            os.kill(before.processes["api"], signal.SIGKILL)
            up.wait_for("stack.json cannot be written: No space left on device")
            up.wait_for("detector: stopped .killed by SIGKILL.; starting again")
            assert up.state.urls == before.urls  # other terminals still find the stack
            assert up.command("env").returncode == 0

        up.wait_for("detector: ready after", 2)
        up.wait_for("api: ready after", 2)
        up.wait_for("stack.json is written again")
        wait_until(lambda: len(up.state.processes) == 4, "all processes in the state file")
        assert not set(up.state.processes.values()) & {
            before.processes["detector"],
            before.processes["api"],
        }
        up.wait_well()
        replayed = up.command("replay", "--dataset", "SIM", "--engines", "1", "--speed", "max")
        assert replayed.returncode == 0, replayed.stderr
    assert up.process.returncode == 0
    assert not (folder / "var" / STATE_FILE).exists()


def test_a_folder_that_is_deleted_under_it_is_made_anew(tmp_path: Path) -> None:
    with surgeline_up(tmp_path, "--api-port", str(free_port())) as up:
        before = up.state
        shutil.rmtree(up.var_dir)
        os.kill(before.processes["detector"], signal.SIGKILL)

        up.wait_for("detector: ready after", 2)
        wait_until(lambda: running_stack(up.var_dir) is not None, "the state file")
        assert up.state.urls == before.urls
        refused = up.command("up")
        assert refused.returncode == 2
        assert "already runs" in refused.stderr
        assert up.var_dir.stat().st_mode & 0o077 == 0
        assert (up.var_dir / LOCK_FILE).exists()
    assert up.process.returncode == 0


def test_a_screen_that_closes_does_not_end_it(tmp_path: Path) -> None:
    """As after ``surgeline up | head -1``: nobody reads any more, and children come and go."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "deploy.cli", "up", "--var", str(tmp_path)),
            *("--api-port", str(free_port())),
        ],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        process.stdout.close()

        def workers() -> set[int]:
            state = running_stack(tmp_path)
            return {state.processes["detector"]} if state and len(state.processes) == 4 else set()

        wait_until(lambda: bool(workers()), "all four processes", START_S)
        (killed,) = workers()
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: bool(workers() - {killed}), "another detector", START_S)
        assert process.poll() is None
        started = descendants(process.pid)

        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 0
        assert not any(map(is_alive, started))
    finally:
        process.kill()
        process.wait()


def test_under_nohup_it_outlives_its_terminal(tmp_path: Path) -> None:
    output = tmp_path / "output"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [
                *("nohup", sys.executable, "-m", "deploy.cli", "up", "--var", str(tmp_path)),
                *("--api-port", str(free_port())),
            ],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: READY in output.read_text(errors="replace"), "the stack", START_S)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 0
        # a signal that was taken for an order would have been the first of two
        assert output.read_text().count("stopping; once more") == 1
    finally:
        process.kill()
        process.wait()
