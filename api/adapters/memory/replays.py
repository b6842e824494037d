"""Replays, fleets and the neighbours' health in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from pydantic import TypeAdapter

from api.known_fleets import KnownFleets
from api.replays.ports import Replay, ReplayProgress, ReplaySpec, ReplayState, UnreadableReplay
from common.errors import BackendError

_REPLAY: Final = TypeAdapter(Replay)


class MemoryProbe:
    """A detector, or its group, that is what the test says.

    Attributes:
        failure: When set, ``ping`` raises it.
        hangs: When set, ``ping`` never returns.
    """

    def __init__(self) -> None:
        self.failure: BackendError | None = None
        self.hangs = False

    async def ping(self) -> None:
        """Return, raise or hang."""
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure


class MemoryReplayRecords:
    """Replays in a dictionary.

    Attributes:
        unreadable: What a test wants to be there beside them, by run id.
    """

    def __init__(self) -> None:
        self._replays: dict[str, Replay] = {}
        self.unreadable: dict[str, UnreadableReplay] = {}

    async def put(self, replay: Replay) -> None:
        """Remember the replay."""
        _REPLAY.validate_python(_REPLAY.dump_python(replay))
        self._replays[replay.spec.run_id] = replay

    async def find(self, run_id: str) -> Replay | UnreadableReplay | None:
        """Return the replay, or none."""
        return self._replays.get(run_id) or self.unreadable.get(run_id)

    async def all(self) -> Sequence[Replay | UnreadableReplay]:
        """Return all replays, the latest started first; those that cannot be read last."""
        by_run = sorted(self._replays.values(), key=lambda item: item.spec.run_id)
        readable = sorted(by_run, key=lambda item: item.started_at, reverse=True)
        return [*readable, *self.unreadable.values()]

    async def forget(self, run_id: str) -> None:
        """Remember nothing under this run id."""
        self._replays.pop(run_id, None)
        self.unreadable.pop(run_id, None)


class MemoryReplayProcess:
    """A producer whose words a test speaks."""

    def __init__(self) -> None:
        self.terminated = False
        self.killed = False
        self._said: asyncio.Queue[ReplayProgress | None] = asyncio.Queue()
        self._last = ReplayProgress()

    def say(self, progress: ReplayProgress) -> None:
        """Report progress; a state other than running ends the process."""
        self._last = progress
        self._said.put_nowait(progress)
        if progress.state is not ReplayState.RUNNING:
            self._said.put_nowait(None)

    async def progress(self) -> AsyncGenerator[ReplayProgress, None]:
        """Yield what was said until the process ended."""
        while (progress := await self._said.get()) is not None:
            yield progress

    def terminate(self) -> None:
        """Stop, as the producer does."""
        self.terminated = True
        last = self._last
        self.say(ReplayProgress(last.sent, last.skipped, last.total, ReplayState.STOPPED))

    def kill(self) -> None:
        """End at once."""
        self.killed = True
        self.say(ReplayProgress(state=ReplayState.FAILED, error="killed"))


class MemoryReplayLauncher:
    """Remembers what it was asked to launch.

    Attributes:
        launched: Each spec with its process, in order.
        failure: When set, ``launch`` raises it.
    """

    def __init__(self) -> None:
        self.launched: list[tuple[ReplaySpec, MemoryReplayProcess]] = []
        self.failure: BackendError | None = None

    async def launch(self, spec: ReplaySpec) -> MemoryReplayProcess:
        """Pretend to start a producer."""
        if self.failure is not None:
            raise self.failure
        process = MemoryReplayProcess()
        self.launched.append((spec, process))
        return process


class MemoryFleetCatalogue:
    """Knows the fleets that a test names.

    Attributes:
        known: What it answers.
    """

    def __init__(self) -> None:
        self.known = KnownFleets()

    async def fleets(self) -> KnownFleets:
        """Return what was named."""
        return self.known
