"""The supervisor over small stand-in processes: order, restarts, giving up, leaving nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.errors import StackError
from deploy.local import launch
from deploy.local.boot import Room, Stages, unlimited_room
from deploy.local.health import TcpCheck
from deploy.local.process import ChildSpec
from deploy.local.programs import answers, free_port
from deploy.local.restarts import RestartPolicy
from deploy.local.supervisor import Supervisor
from tests.support import standin
from tests.support.processes import is_alive, require_proc
from tests.support.servers.backends import wait_until

IMPATIENT = RestartPolicy(initial_s=0.05, max_s=0.1, give_up_after=3, grace_s=0.5, poll_s=0.02)


class Stack:
    """A supervisor under test, with what it said."""

    def __init__(
        self, stages: Stages, policy: RestartPolicy = IMPATIENT, room: Room = unlimited_room
    ) -> None:
        self.said: list[tuple[str, str]] = []
        self.pids: Mapping[str, int] = {}
        self.boots = 0
        self.supervisor = Supervisor(lambda _boot: stages, self._say, self._change, policy, room)
        self._heard = asyncio.Event()

    def _change(self, boot: int, pids: Mapping[str, int]) -> None:
        self.boots = boot + 1
        self.pids = pids

    def _say(self, name: str, sentence: str) -> None:
        self.said.append((name, sentence))
        self._heard.set()

    async def until(self, words: str, times: int = 1) -> None:
        """Wait until ``words`` were said."""
        async with asyncio.timeout(30):
            while sum(words in sentence for _, sentence in self.said) < times:
                self._heard.clear()
                await self._heard.wait()

    async def until_ready(self) -> None:
        async with asyncio.timeout(30):
            await self.supervisor.until_ready()


def spec(tmp_path: Path, name: str, *manners: str, vital: bool = False) -> ChildSpec:
    port = free_port()
    return ChildSpec(
        name=name,
        command=(sys.executable, "-S", standin.__file__, str(port), *manners),
        environment=dict(os.environ),
        check=TcpCheck(port),
        log=tmp_path / f"{name}.log",
        vital=vital,
        ready_within_s=60,
    )


def port_of(child: ChildSpec) -> int:
    assert isinstance(child.check, TcpCheck)
    return child.check.port


async def test_a_stage_starts_when_the_one_before_is_ready_and_all_ends_on_stop(
    tmp_path: Path,
) -> None:
    first, second = spec(tmp_path, "first"), spec(tmp_path, "second")
    stack = Stack([[first], [second]])

    running = asyncio.create_task(stack.supervisor.run())
    await stack.until_ready()
    pids = set(stack.pids.values())
    assert [name for name, sentence in stack.said if "ready" in sentence] == ["first", "second"]
    assert answers(port_of(first))
    assert answers(port_of(second))
    stack.supervisor.stop()
    await asyncio.wait_for(running, 60)

    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)
    assert not answers(port_of(first))
    assert stack.pids == {}


async def test_a_killed_child_is_started_again_and_this_is_said(tmp_path: Path) -> None:
    child = spec(tmp_path, "worker")
    stack = Stack([[child]])
    running = asyncio.create_task(stack.supervisor.run())
    await stack.until_ready()
    before = stack.pids["worker"]

    os.kill(before, signal.SIGKILL)
    await stack.until("killed by SIGKILL); starting again in 0.05 s")
    await stack.until("ready after", times=2)

    assert stack.pids["worker"] != before
    assert answers(port_of(child))
    assert stack.boots == 1
    stack.supervisor.stop()
    await running


async def test_the_death_of_a_vital_child_starts_all_anew_in_a_new_boot(tmp_path: Path) -> None:
    stack = Stack([[spec(tmp_path, "broker", vital=True)], [spec(tmp_path, "worker")]])
    running = asyncio.create_task(stack.supervisor.run())
    await stack.until_ready()
    before = dict(stack.pids)

    os.kill(before["broker"], signal.SIGKILL)
    await stack.until("TOPICS AND RINGS ARE LOST")
    await stack.until_ready()

    assert stack.boots == 2
    assert stack.pids.keys() == before.keys()
    assert not set(stack.pids.values()) & set(before.values())
    assert not any(is_alive(pid) for pid in before.values())
    stack.supervisor.stop()
    await running


async def test_a_child_that_keeps_crashing_ends_the_stack_with_its_last_words(
    tmp_path: Path,
) -> None:
    healthy = spec(tmp_path, "broker")
    stack = Stack([[healthy], [spec(tmp_path, "worker", "say", "no model", "die-at-once", "1")]])

    with pytest.raises(StackError, match=r"(?s)worker does not stay up \(exit code 1\).*no model"):
        await asyncio.wait_for(stack.supervisor.run(), 60)

    assert sum("starting again" in sentence for _, sentence in stack.said) == 2
    assert not answers(port_of(healthy))


@pytest.mark.parametrize("code", ["1", "2"])
async def test_while_the_disk_is_full_no_child_is_given_up(tmp_path: Path, code: str) -> None:
    room: list[str | None] = ["the disk is full"]
    crashing = spec(tmp_path, "worker", "die-at-once", code)
    stack = Stack([[crashing]], room=lambda: room[0])
    running = asyncio.create_task(stack.supervisor.run())

    await stack.until("starting again in 0.1 s (the disk is full)", times=5)
    assert not running.done()
    room[0] = None

    with pytest.raises(StackError, match=f"exit code {code}"):
        await asyncio.wait_for(running, 60)


@pytest.mark.parametrize("spoil", ["a file in place of its folder", "a folder in its place"])
async def test_a_child_whose_log_cannot_be_opened_runs_without(tmp_path: Path, spoil: str) -> None:
    child = replace(spec(tmp_path, "worker"), log=tmp_path / "logs" / "worker.log")
    if "file" in spoil:
        child.log.parent.touch()
    else:
        child.log.mkdir(parents=True)
    stack = Stack([[child]])

    running = asyncio.create_task(stack.supervisor.run())
    await stack.until_ready()

    assert any("cannot be written" in sentence for _, sentence in stack.said)
    stack.supervisor.stop()
    await running


async def test_a_child_that_the_system_cannot_start_now_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = asyncio.create_subprocess_exec
    refusals = [OSError(11, "Resource temporarily unavailable")]

    async def scarce(*command: str, **options: Any) -> Process:
        if launch.__file__ in command and refusals:
            raise refusals.pop()
        return await start(*command, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", scarce)
    stack = Stack([[spec(tmp_path, "worker")]])

    running = asyncio.create_task(stack.supervisor.run())
    await stack.until_ready()

    assert any("Resource temporarily unavailable" in sentence for _, sentence in stack.said)
    stack.supervisor.stop()
    await running


def test_a_log_is_its_owners_alone(tmp_path: Path) -> None:
    async def run() -> None:
        child = replace(spec(tmp_path, "worker"), log=tmp_path / "logs" / "worker.log")
        stack = Stack([[child]])
        running = asyncio.create_task(stack.supervisor.run())
        await stack.until_ready()
        stack.supervisor.stop()
        await running

    asyncio.run(run())

    for path in (tmp_path / "logs", tmp_path / "logs" / "worker.log"):
        assert path.stat().st_mode & 0o077 == 0


async def test_a_mistake_of_the_users_is_not_tried_again(tmp_path: Path) -> None:
    stack = Stack([[spec(tmp_path, "worker", "say", "no artifact", "die-at-once", "2")]])

    with pytest.raises(StackError, match=r"(?s)exit code 2.*no artifact"):
        await asyncio.wait_for(stack.supervisor.run(), 60)

    assert not any("starting again" in sentence for _, sentence in stack.said)


async def test_a_child_that_never_becomes_ready_ends_the_stack_and_says_why(
    tmp_path: Path,
) -> None:
    port = free_port()
    mute = ChildSpec(
        "worker",
        (sys.executable, "-S", standin.__file__, str(port), "mute"),
        dict(os.environ),
        TcpCheck(port),
        tmp_path / "log",
        ready_within_s=0.3,
    )
    stack = Stack([[mute]])

    with pytest.raises(StackError, match=f"not ready within 0.3 s: nothing listens on .*:{port}"):
        await asyncio.wait_for(stack.supervisor.run(), 60)

    assert stack.pids == {}


async def test_a_child_that_ignores_the_request_to_end_is_killed_after_the_grace(
    tmp_path: Path,
) -> None:
    stack = Stack([[spec(tmp_path, "worker", "stubborn")]])
    running = asyncio.create_task(stack.supervisor.run())
    await stack.until_ready()
    pid = stack.pids["worker"]

    stack.supervisor.stop()
    await asyncio.wait_for(running, 60)

    assert not is_alive(pid)


async def test_a_second_stop_does_not_wait_for_the_grace(tmp_path: Path) -> None:
    patient = RestartPolicy(grace_s=60, poll_s=0.02)
    stack = Stack([[spec(tmp_path, "worker", "stubborn")]], patient)
    running = asyncio.create_task(stack.supervisor.run())
    await stack.until_ready()

    stack.supervisor.stop()
    stack.supervisor.stop()

    await asyncio.wait_for(running, 60)


async def test_what_a_child_started_itself_ends_with_it(tmp_path: Path) -> None:
    require_proc()
    stack = Stack([[spec(tmp_path, "api", "parent")]])
    running = asyncio.create_task(stack.supervisor.run())
    await stack.until_ready()
    grandchild = int((tmp_path / "api.log").read_text().split()[1])
    assert is_alive(grandchild)

    stack.supervisor.stop()
    await asyncio.wait_for(running, 60)

    wait_until(lambda: not is_alive(grandchild), "the grandchild's end")


async def test_cancelling_the_supervisor_leaves_no_child(tmp_path: Path) -> None:
    stack = Stack([[spec(tmp_path, "worker")]])
    running = asyncio.create_task(stack.supervisor.run())
    await stack.until_ready()
    pid = stack.pids["worker"]

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not is_alive(pid)


SUPERVISING_SCRIPT = """
import asyncio, sys
from pathlib import Path
from deploy.local.supervisor import Supervisor
from tests.unit.deploy.test_supervisor import spec
folder = Path(sys.argv[1])
say = lambda name, text: print(name, text, flush=True)
changed = lambda boot, pids: print("pids", *pids.values(), flush=True)
stages = [[spec(folder, "stubborn", "stubborn")], [spec(folder, "api", "parent")]]
supervisor = Supervisor(lambda boot: stages, say, changed)
asyncio.run(supervisor.run())
"""


def test_killing_the_supervisor_itself_leaves_nothing(tmp_path: Path) -> None:
    require_proc()
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISING_SCRIPT, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert supervisor.stdout is not None
    lines = []
    for line in supervisor.stdout:
        lines.append(line.split())
        if line.startswith("api ready"):
            break
    children = [int(pid) for line in lines if line[0] == "pids" for pid in line[1:]]
    grandchild = int((tmp_path / "api.log").read_text().split()[1])
    everything = {*children, grandchild}
    assert len(everything) == 3
    assert all(is_alive(pid) for pid in everything)

    supervisor.kill()
    supervisor.communicate()

    wait_until(lambda: not any(map(is_alive, everything)), "the end of all children", 5)
