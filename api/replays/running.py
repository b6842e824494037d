"""Replays: starts producers, follows what they say, remembers it, ends them with the api.

A replay goes by its run id. The producer itself continues a run without doubling, so starting an
ended one again means to go on.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, fields, replace
from types import TracebackType
from typing import Final, Self

from api.metrics import ApiMetrics
from api.replays.ports import (
    SIMULATOR,
    Replay,
    ReplayLauncher,
    ReplayProcess,
    ReplayProgress,
    ReplayRecords,
    ReplaySpec,
    ReplayState,
    UnreadableReplay,
)
from common.clock import Clock
from common.errors import BackendError, RequestRefusedError
from common.logs import get_logger
from common.records.ids import SIMULATED_PREFIX
from common.records.run_names import replay_run_id
from common.retry import Backoff, retrying

STOP_GRACE_S: Final = 10.0
"""How long a producer may take to stop when asked; it flushes what it has. Then it is killed."""

MAY_CHANGE: Final = frozenset({"run_id", "engines", "speed"})
"""What may differ when a run goes on; anything else would make the run contradict itself."""

LAST_WRITE: Final = Backoff(initial_s=0.2, max_s=2.0, attempts=8)

_log = get_logger(__name__)


@dataclass(slots=True)
class _Running:
    replay: Replay
    process: ReplayProcess
    watcher: asyncio.Task[None]
    ending_as: ReplayState | None = None


class Replays:
    """All replays of this api. An async context manager: leaving it ends the running ones.

    Args:
        records: Where they are remembered.
        launcher: What starts producers.
        clock: What stamps.
        most: How many may run at a time.
        metrics: Counts.
    """

    def __init__(
        self,
        records: ReplayRecords,
        launcher: ReplayLauncher,
        clock: Clock,
        most: int,
        metrics: ApiMetrics,
    ) -> None:
        self._records = records
        self._launcher = launcher
        self._metrics = metrics
        self._clock = clock
        self._most = most
        self._running: dict[str, _Running] = {}
        self._starting = asyncio.Lock()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        """Mark what an earlier life of the api left running as interrupted."""
        for replay in await self._records.all():
            if isinstance(replay, UnreadableReplay):
                _log.warning("a replay cannot be read", run_id=replay.run_id, why=replay.why)
            elif replay.progress.state is ReplayState.RUNNING:
                await self._records.put(self._ended(replay, ReplayState.INTERRUPTED))
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop all producers, and wait for them."""
        await asyncio.gather(
            *(self._end(item, ReplayState.INTERRUPTED) for item in list(self._running.values()))
        )
        await self._tasks.__aexit__(exc_type, exc, traceback)

    async def start(self, spec: ReplaySpec) -> Replay:
        """Start a replay, or go on with one that ended.

        Raises:
            RequestRefusedError: 409 if the run is being replayed, was another replay or cannot be
                read, 429 if too many are running.
            BackendError: If no producer could be started, or it could not be remembered.
        """
        async with self._starting:
            if spec.run_id in self._running:
                raise RequestRefusedError(
                    409,
                    "replay_running",
                    f"The run {spec.run_id!r} is being replayed. Wait for it, stop it with "
                    f"DELETE /api/v1/replays/{spec.run_id}, or choose another run_id.",
                )
            if len(self._running) >= self._most:
                raise RequestRefusedError(
                    429,
                    "too_many_replays",
                    f"{len(self._running)} replays are running and {self._most} may. Wait for "
                    "one, stop one, or raise SURGELINE_API__MAX_CONCURRENT_REPLAYS.",
                )
            if known := await self.known(spec.run_id):
                _refuse_another(known, spec)
            replay = Replay(spec, ReplayProgress(), self._clock.now())
            await self._records.put(replay)
            try:
                process = await self._launcher.launch(spec)
            except BackendError as exc:
                failed = replace(replay.progress, error=str(exc))
                await self._records.put(
                    self._ended(replace(replay, progress=failed), ReplayState.FAILED)
                )
                raise
            watcher = self._tasks.create_task(self._watch(spec.run_id, process))
            self._running[spec.run_id] = _Running(replay, process, watcher)
            self._metrics.replays_running.set(len(self._running))
            return replay

    async def stop(self, run_id: str) -> Replay | None:
        """Stop a replay and return it as it ended; an ended one is left as it is.

        One that cannot be read is forgotten, and none is returned.

        Raises:
            RequestRefusedError: 404 if there is no such replay.
        """
        if item := self._running.get(run_id):
            await self._end(item, ReplayState.STOPPED)
        elif isinstance(await self._records.find(run_id), UnreadableReplay):
            await self._records.forget(run_id)
            _log.info("a replay that could not be read is forgotten", run_id=run_id)
            return None
        return await self.find(run_id)

    async def find(self, run_id: str) -> Replay:
        """Return a replay as it stands.

        Raises:
            RequestRefusedError: 404 if there is no such replay, 409 if it cannot be read.
        """
        if item := self._running.get(run_id):
            return item.replay
        if found := await self.known(run_id):
            return found
        raise RequestRefusedError(
            404, "unknown_replay", f"There is no replay {run_id!r}. GET /api/v1/replays lists them."
        )

    async def all(self) -> Sequence[Replay | UnreadableReplay]:
        """Return all replays, the latest started first; those that cannot be read last."""
        live = {run_id: item.replay for run_id, item in self._running.items()}
        return [
            live.get(item.spec.run_id, item) if isinstance(item, Replay) else item
            for item in await self._records.all()
        ]

    async def known(self, run_id: str) -> Replay | None:
        """Return the replay of this run, or none.

        Raises:
            RequestRefusedError: 409 if what is stored of it cannot be read.
        """
        found = await self._records.find(run_id)
        if isinstance(found, UnreadableReplay):
            raise RequestRefusedError(
                409,
                "unreadable_replay",
                f"What is stored of the replay {run_id!r} cannot be read ({found.why}). "
                f"DELETE /api/v1/replays/{run_id} forgets it; what it sent stays on the topic.",
            )
        return found

    async def _watch(self, run_id: str, process: ReplayProcess) -> None:
        """Follow one producer to its end; whatever happens, the replay is no longer running."""
        try:
            async with aclosing(process.progress()) as said:
                async for progress in said:
                    await self._note(run_id, progress)
        except Exception as exc:  # noqa: BLE001 - a defect must not end the api with its tasks
            _log.exception("a replay was lost sight of", run_id=run_id)
            process.kill()
            with suppress(Exception):  # it may be the very noting that is broken
                await self._note(run_id, ReplayProgress(state=ReplayState.FAILED, error=repr(exc)))
        finally:
            self._running.pop(run_id, None)
            self._metrics.replays_running.set(len(self._running))

    async def _note(self, run_id: str, progress: ReplayProgress) -> None:
        item = self._running[run_id]
        self._metrics.replayed.inc(max(0, progress.sent - item.replay.progress.sent))
        item.replay = replace(item.replay, progress=progress)
        if progress.state is ReplayState.RUNNING:
            try:
                await self._records.put(item.replay)
            except BackendError as exc:  # the next word of the producer brings newer numbers
                _not_written(exc, 0.0)
            return
        if item.ending_as is not None and progress.state is not ReplayState.DONE:
            progress = replace(progress, error=None)
            item.replay = self._ended(replace(item.replay, progress=progress), item.ending_as)
        else:
            item.replay = self._ended(item.replay, progress.state)
        self._metrics.replays_ended.labels(item.replay.progress.state.value).inc()
        _log.info("a replay ended", run_id=run_id, state=item.replay.progress.state.value)
        with suppress(BackendError):  # a restart will then call it interrupted
            await retrying(
                lambda: self._records.put(item.replay), LAST_WRITE, self._clock, _not_written
            )

    async def _end(self, item: _Running, state: ReplayState) -> None:
        item.ending_as = state
        item.process.terminate()
        done, _ = await asyncio.wait([item.watcher], timeout=STOP_GRACE_S)
        if not done:
            item.process.kill()
            await asyncio.wait([item.watcher], timeout=STOP_GRACE_S)

    def _ended(self, replay: Replay, state: ReplayState) -> Replay:
        return replace(
            replay,
            progress=replace(replay.progress, state=state),
            ended_at=self._clock.now(),
        )


def _not_written(failure: BackendError, _wait_s: float) -> None:
    _log.warning("a replay's progress was not written", why=str(failure))


def new_run_id(dataset: str, split: str, clock: Clock) -> str:
    """Return a run id nobody has used, such as ``FD001-test-20260101T000000Z-1f3a``."""
    simulated = f"{SIMULATED_PREFIX}-" if dataset == SIMULATOR else ""
    mark = f"{clock.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    return simulated + replay_run_id(dataset, split, mark)


def _refuse_another(known: Replay, asked: ReplaySpec) -> None:
    """Refuse to go on with something else; a run of which nothing was sent may become anything."""
    if known.progress.sent + known.progress.skipped == 0:
        return
    different = [
        f"{field.name} was {getattr(known.spec, field.name)}, not {getattr(asked, field.name)}"
        for field in fields(ReplaySpec)
        if field.name not in MAY_CHANGE
        and getattr(known.spec, field.name) != getattr(asked, field.name)
    ]
    if different:
        raise RequestRefusedError(
            409,
            "replay_differs",
            f"The run {asked.run_id!r} is another replay: {'; '.join(different)}. Choose another "
            "run_id, or ask for the same to go on.",
        )
