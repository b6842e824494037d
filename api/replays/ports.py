"""What a replay is, and what replays need from the outside: who runs producers, who remembers.

Fakes are in ``adapters/memory/replays.py``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from common.records.ids import RunId
from common.records.times import UtcTimestamp
from common.records.wire import Finite

SIMULATOR: Final = "SIM"
"""The data set that is no recording; its runs are named as simulated."""


class ReplayState(StrEnum):
    """What a replay is doing, or how it ended."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class ReplaySpec:
    """What to replay.

    Attributes:
        run_id: Name of the run, and of the replay: sending goes on where the run stopped.
        dataset: ``FD001`` … ``FD004``, or ``SIM`` for the simulator.
        split: ``train`` or ``test``.
        engines: ``all``, or numbers and ranges such as ``1-20,42``.
        speed: ``max``, or a factor such as ``60x``.
        start: Timestamp of the first cycle.
        cycle_interval_s: Time between two cycles of an engine, s.
        seed: The simulator's seed; none for data files.
    """

    run_id: RunId
    dataset: str
    split: str
    engines: str
    speed: str
    start: UtcTimestamp
    cycle_interval_s: Finite
    seed: int | None


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """What the producer last said.

    Attributes:
        sent: Readings sent by this process.
        skipped: Readings that the topic already held.
        total: Readings of the whole run; none until it is known.
        state: The producer's own word: running, done, stopped, failed.
        error: Why it failed.
    """

    sent: int = 0
    skipped: int = 0
    total: int | None = None
    state: ReplayState = ReplayState.RUNNING
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay at a moment: what was asked, and how far it came."""

    spec: ReplaySpec
    progress: ReplayProgress
    started_at: UtcTimestamp
    ended_at: UtcTimestamp | None = None


@dataclass(frozen=True, slots=True)
class UnreadableReplay:
    """A remembered replay that nobody can read any more.

    Attributes:
        run_id: Its name.
        why: What is wrong with what is stored.
    """

    run_id: str
    why: str


class ReplayProcess(Protocol):
    """One producer at work."""

    def progress(self) -> AsyncGenerator[ReplayProgress, None]:
        """Yield what it says; ends with the process. The last one tells how it ended."""

    def terminate(self) -> None:
        """Ask it to stop after the reading at hand; harmless when it has ended."""

    def kill(self) -> None:
        """End it at once; harmless when it has ended."""


class ReplayLauncher(Protocol):
    """Starts producers."""

    async def launch(self, spec: ReplaySpec) -> ReplayProcess:
        """Start one.

        Raises:
            BackendError: If no process can be started.
        """


class ReplayRecords(Protocol):
    """Replays as they are remembered, one per run id. Raises ``BackendError``.

    What was put can be read back. A record that cannot be read (of another version, or damaged)
    harms nothing but itself.
    """

    async def put(self, replay: Replay) -> None:
        """Remember the replay, in place of what was known under its run id.

        Raises:
            ValueError: If it could not be read back; then nothing is changed.
        """

    async def find(self, run_id: str) -> Replay | UnreadableReplay | None:
        """Return the replay, or none."""

    async def all(self) -> Sequence[Replay | UnreadableReplay]:
        """Return all replays, the latest started first; those that cannot be read last."""

    async def forget(self, run_id: str) -> None:
        """Remember nothing under this run id."""
