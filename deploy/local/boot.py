"""One life of the whole stack: started stage by stage, kept, taken down in reverse.

A stage begins when all of the one before are ready. A crashed child is started again, later each
time. A vital child is different: others hold positions in its memory, so its death ends the boot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from common.errors import StackError
from deploy.local.logtail import last_lines
from deploy.local.process import Child, ChildSpec, OrphanReaper, describe_exit
from deploy.local.restarts import CrashCount, RestartPolicy

USER_ERROR_EXIT: Final = 2
"""Our services end with it when a person must mend something; a restart would not."""

Stages = Sequence[Sequence[ChildSpec]]
Say = Callable[[str, str], None]
"""Told a child's name (or ``surgeline``) and a sentence. Never raises."""

Room = Callable[[], str | None]
"""Says why no child can work now; none if nothing stands in the way. Never raises."""


def unlimited_room() -> str | None:
    """Return none: nothing stands in the way."""
    return None


@dataclass(frozen=True, slots=True)
class VitalLoss:
    """A vital child died.

    Attributes:
        name: Which.
        why: Its exit in words.
        lived_s: How long it had run, s.
    """

    name: str
    why: str
    lived_s: float


@dataclass(frozen=True, slots=True)
class Orders:
    """What holds for all boots: what the supervisor was told, and whether all is ready.

    Attributes:
        stop: Set when everything must end.
        hurry: Set when it must end without grace.
        ready: Set while all children of the current boot have been ready.
    """

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Boot:
    """Runs the children of one boot.

    Args:
        stages: What to run, in order.
        reaper: Told of each process group.
        orders: When to stop, and how.
        policy: How patient to be.
        say: Told what happens.
        on_change: Told the process ids by name whenever a child started or ended.
        room: Says why no child can work now (the disk is full, say); none if nothing stands in the
            way. While it does, a child that crashes is tried again for as long as it takes.
    """

    def __init__(
        self,
        stages: Stages,
        reaper: OrphanReaper,
        orders: Orders,
        policy: RestartPolicy,
        say: Say,
        on_change: Callable[[Mapping[str, int]], None],
        room: Room = unlimited_room,
    ) -> None:
        self._stages = stages
        self._reaper = reaper
        self._orders = orders
        self._policy = policy
        self._say = say
        self._on_change = on_change
        self._room = room
        self._children: dict[str, Child] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._end: asyncio.Future[VitalLoss | StackError | None]
        self._end = asyncio.get_running_loop().create_future()

    async def run(self) -> VitalLoss | None:
        """Keep all children until told to stop, or until a vital one died.

        Children may still run when it returns or raises: :meth:`take_down` ends them.

        Raises:
            StackError: If a child keeps crashing or does not become ready; holds its last lines.
        """
        async with asyncio.TaskGroup() as tasks:
            self._spawn(tasks, self._start_stages(tasks))
            self._spawn(tasks, self._end_when_told())
            outcome = await self._end
            for task in self._tasks:
                task.cancel()
        if isinstance(outcome, StackError):
            raise outcome
        return outcome

    async def take_down(self) -> None:
        """End what runs, last stage first, the children of a stage together."""
        self._orders.ready.clear()
        for stage in reversed(self._stages):
            names = [spec.name for spec in stage if spec.name in self._children]
            grace_s = self._policy.grace_s
            await asyncio.gather(
                *(self._children[name].stop(grace_s, self._orders.hurry) for name in names)
            )
            for name in names:
                self._note(name, None)

    async def _end_when_told(self) -> None:
        await self._orders.stop.wait()
        self._finish(None)

    def _finish(self, outcome: VitalLoss | StackError | None) -> None:
        if not self._end.done():
            self._end.set_result(outcome)

    def _spawn(self, tasks: asyncio.TaskGroup, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(tasks.create_task(work))

    async def _start_stages(self, tasks: asyncio.TaskGroup) -> None:
        for stage in self._stages:
            ready = {spec.name: asyncio.Event() for spec in stage}
            for spec in stage:
                self._spawn(tasks, self._keep(spec, ready[spec.name]))
            for event in ready.values():
                await event.wait()
        self._orders.ready.set()

    async def _keep(self, spec: ChildSpec, ready: asyncio.Event) -> None:
        """Run one child again and again, until it is not worth another try."""
        crashes = CrashCount(self._policy)
        while True:
            ended = await self._live_once(spec, ready)
            if spec.vital and ready.is_set():
                self._finish(VitalLoss(spec.name, ended.why, ended.lived_s))
                return
            wait_s = crashes.next_wait_s(ended.lived_s) if ended.worth_a_retry else None
            obstacle = self._room()
            if obstacle is None and wait_s is None:
                self._finish(StackError(_how_it_ended(spec, ended.why)))
                return
            if wait_s is None:
                crashes, wait_s = CrashCount(self._policy), self._policy.max_s
            because = "" if obstacle is None else f" ({obstacle})"
            self._say(spec.name, f"stopped ({ended.why}); starting again in {wait_s:g} s{because}")
            await asyncio.sleep(wait_s)

    async def _live_once(self, spec: ChildSpec, ready: asyncio.Event) -> _Ended:
        """Run one child to its end, or to the deadline by which it should have been ready."""
        try:
            child = await Child.start(spec, self._reaper)
        except OSError as exc:
            return _Ended(f"it cannot be started: {exc.strerror}", 0.0, worth_a_retry=True)
        if child.unlogged:
            self._say(spec.name, f"{spec.log} cannot be written ({child.unlogged}); output is lost")
        self._note(spec.name, child)
        obstacle = await self._obstacle(child)
        if obstacle is None:
            self._say(spec.name, f"ready after {child.lived_s:.1f} s")
            ready.set()
            await child.wait()
        lived_s = child.lived_s
        in_time = lived_s <= spec.ready_within_s
        await child.stop(self._policy.grace_s, self._orders.hurry)  # and all it started itself
        self._note(spec.name, None)
        code = await child.wait()
        if obstacle is None:
            return _Ended(describe_exit(code), lived_s, worth_a_retry=code != USER_ERROR_EXIT)
        if in_time:
            return _Ended(describe_exit(code), 0.0, worth_a_retry=code != USER_ERROR_EXIT)
        late = f"not ready within {spec.ready_within_s:g} s: {obstacle}"
        return _Ended(late, 0.0, worth_a_retry=ready.is_set())

    async def _obstacle(self, child: Child) -> str | None:
        """Return none once the child is ready; why it is not, when it ended or took too long."""
        ended = asyncio.ensure_future(child.wait())
        try:
            while True:
                why_not = await child.spec.check.why_not()
                # what answered may be another program that holds the child's port
                if why_not is None and not ended.done():
                    return None
                if ended.done() or child.lived_s > child.spec.ready_within_s:
                    return why_not or "it ended"
                await asyncio.wait({ended}, timeout=self._policy.poll_s)
        finally:
            ended.cancel()

    def _note(self, name: str, child: Child | None) -> None:
        if child is None:
            self._children.pop(name, None)
        else:
            self._children[name] = child
        self._on_change({each: one.pid for each, one in self._children.items()})


@dataclass(frozen=True, slots=True)
class _Ended:
    """How one life of a child ended.

    Attributes:
        why: In words.
        lived_s: How long it was of use, s; 0 if it never was.
        worth_a_retry: Whether the same command may do better.
    """

    why: str
    lived_s: float
    worth_a_retry: bool


def _how_it_ended(spec: ChildSpec, why: str) -> str:
    said = "\n".join(f"  {line}" for line in last_lines(spec.log)) or "  (nothing)"
    return f"{spec.name} does not stay up ({why}). Its last lines, from {spec.log}:\n{said}"
