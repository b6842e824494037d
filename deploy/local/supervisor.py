"""Runs a plan of processes until it is stopped: boot after boot, nothing left behind.

Start here to understand the local stack's behaviour; ``boot.py`` is one life of it, ``process.py``
one process, ``restarts.py`` the patience, ``orphan_reaper.py`` what happens if we are
killed ourselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from common.errors import StackError
from deploy.local.boot import Boot, Orders, Room, Say, Stages, unlimited_room
from deploy.local.process import OrphanReaper
from deploy.local.restarts import CrashCount, RestartPolicy

LOST: Final = (
    "The local broker and Valkey keep all in memory, and what one holds means nothing without the "
    "other. TOPICS AND RINGS ARE LOST; everything starts anew. Stored scores and alerts stay."
)


class Supervisor:
    """Runs a plan until it is stopped or cannot go on.

    Args:
        plan: Returns what to run in a boot, counted from 0. Called for each boot, so that it can
            give fresh names to what must not be reused.
        say: Told what happens.
        on_change: Told boot and process ids by name whenever a child started or ended.
        policy: How patient to be.
        room: Says why no child can work now; none if nothing stands in the way.
    """

    def __init__(
        self,
        plan: Callable[[int], Stages],
        say: Say,
        on_change: Callable[[int, Mapping[str, int]], None] = lambda _boot, _pids: None,
        policy: RestartPolicy = RestartPolicy(),  # noqa: B008 - immutable
        room: Room = unlimited_room,
    ) -> None:
        self._plan = plan
        self._say = say
        self._on_change = on_change
        self._policy = policy
        self._room = room
        self._orders = Orders()

    def stop(self) -> None:
        """Ask for an orderly end; asked again, end everything at once."""
        if self._orders.stop.is_set():
            self._orders.hurry.set()
        self._orders.stop.set()

    async def until_ready(self) -> None:
        """Return while every child of the current boot has been ready."""
        await self._orders.ready.wait()

    async def run(self) -> None:
        """Run until :meth:`stop`. Whatever ends this coroutine, no child is left.

        Raises:
            StackError: If a child keeps crashing or never becomes ready; holds its last lines.
        """
        losses = CrashCount(self._policy)
        boot_number = 0
        async with OrphanReaper() as reaper:
            while True:
                boot = self._boot(boot_number, reaper)
                try:
                    loss = await boot.run()
                finally:
                    await boot.take_down()
                if loss is None:
                    return
                if losses.next_wait_s(loss.lived_s) is None:
                    raise StackError(f"{loss.name} keeps dying ({loss.why}).")
                self._say(loss.name, f"died ({loss.why}). {LOST}")
                boot_number += 1

    def _boot(self, number: int, reaper: OrphanReaper) -> Boot:
        return Boot(
            self._plan(number),
            reaper,
            self._orders,
            self._policy,
            self._say,
            lambda pids: self._on_change(number, pids),
            self._room,
        )
