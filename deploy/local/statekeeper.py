"""Keeps the state file of a running stack true, whatever becomes of the disk it lies on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from deploy.local.statefile import STATE_FILE, Claim, StackState

CHECK_EVERY_S: Final = 1.0


class StateKeeper:
    """Publishes the latest state, and again until the file says it.

    A state file that cannot be written never ends a stack: its processes need none. It is said once
    when it fails and once when it is mended.

    Args:
        claim: The stack's folder.
        say: Told when the file cannot be written, and when it can again.
    """

    def __init__(self, claim: Claim, say: Callable[[str], None]) -> None:
        self._claim = claim
        self._say = say
        self._wanted: StackState | None = None
        self._trouble: str | None = None

    def publish(self, state: StackState) -> None:
        """Have the file say this from now on; never raises."""
        self._wanted = state
        self._write(state)

    async def keep(self) -> None:
        """Look after the file until cancelled."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            if self._wanted is not None and not self._claim.shows(self._wanted):
                self._write(self._wanted)

    def _write(self, state: StackState) -> None:
        before, self._trouble = self._trouble, self._claim.publish(state)
        if self._trouble and self._trouble != before:
            self._say(
                f"{STATE_FILE} cannot be written: {self._trouble}. The stack goes on; commands in "
                "other terminals may not find it until that is mended."
            )
        elif before and not self._trouble:
            self._say(f"{STATE_FILE} is written again")
