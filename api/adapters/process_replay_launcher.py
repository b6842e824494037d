"""Replays as child processes: ``python -m producer replay ... --progress json``.

The child's standard output is a pipe that only we read. If the api is killed, the pipe breaks and
the producer ends with its next word, so no replay goes on that nobody knows of.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import BinaryIO, Final

from api.replays.ports import ReplayProgress, ReplaySpec, ReplayState
from common.errors import BackendUnavailableError
from common.logs import get_logger
from common.records.times import utc_text
from common.replay import parse_progress
from common.settings import (
    PREFIX,
    Settings,
    as_text,
    field_paths,
    file_variable_name,
    value_of,
    variable_name,
)

TAIL_BYTES: Final = 4096
"""How much of the end of the child's standard error is looked at to explain a failure."""

LINE_BYTES: Final = 1024 * 1024

_log = get_logger(__name__)


def producer_command(spec: ReplaySpec) -> list[str]:
    """Return the command line that replays ``spec``."""
    options: dict[str, str | None] = {
        "--dataset": spec.dataset,
        "--split": spec.split,
        "--engines": spec.engines,
        "--speed": spec.speed,
        "--start": utc_text(spec.start),
        "--cycle-interval": _duration(spec.cycle_interval_s),
        "--seed": None if spec.seed is None else str(spec.seed),
        "--run-id": spec.run_id,
        "--progress": "json",
    }
    command = [sys.executable, "-m", "producer", "replay"]
    for name, value in options.items():
        if value is not None:
            command += [name, value]
    return command


def _duration(seconds: float) -> str:
    """Return seconds as the producer reads them: plain digits, to the microsecond."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def producer_environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the child's environment: ours, with the producer's settings as we hold them.

    Its secrets are those of the broker. Those of other parts (Redis, InfluxDB, the database) are
    not handed on.
    """
    kept = {name: value for name, value in inherited.items() if not name.upper().startswith(PREFIX)}
    kept[variable_name(("data_dir",))] = str(settings.data_dir)
    if settings.fleets is not None:
        kept[variable_name(("fleets",))] = str(settings.fleets)
    given = {name.upper(): value for name, value in inherited.items()}
    for path in field_paths():
        if path[0] in ("kafka", "log"):
            file = given.get(file_variable_name(path))
            if file:  # a secret in a file stays there
                kept[file_variable_name(path)] = file
            else:
                kept[variable_name(path)] = as_text(value_of(settings, path))
    return kept


class ProcessReplayLauncher:
    """Starts ``python -m producer``."""

    def __init__(self, settings: Settings) -> None:
        self._environment = producer_environment(settings, os.environ)

    async def launch(self, spec: ReplaySpec) -> ProducerProcess:
        """Start a producer; see the port."""
        errors = await asyncio.to_thread(tempfile.TemporaryFile)
        try:
            process = await asyncio.create_subprocess_exec(
                *producer_command(spec),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=self._environment,
                limit=LINE_BYTES,
                start_new_session=True,  # Ctrl-C reaches us; we end the child in our own order
            )
        except OSError as exc:
            errors.close()
            raise BackendUnavailableError(f"The producer could not be started: {exc}") from exc
        return ProducerProcess(process, errors)


class ProducerProcess:
    """One running ``python -m producer replay``."""

    def __init__(self, process: asyncio.subprocess.Process, errors: BinaryIO) -> None:
        self._process = process
        self._errors = errors

    async def progress(self) -> AsyncGenerator[ReplayProgress, None]:
        """Yield what it says; ends with the process, and the last one tells how it ended."""
        last = ReplayProgress()
        async for line in self._lines():
            if (progress := _parsed(line)) is not None:
                last = progress
                if progress.state is ReplayState.RUNNING:
                    yield progress
        code = await self._process.wait()
        said = await asyncio.to_thread(self._last_words)
        yield _ending(last, code, said)

    def terminate(self) -> None:
        """Ask it to stop."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _lines(self) -> AsyncGenerator[str, None]:
        assert self._process.stdout is not None  # noqa: S101 - launched with a pipe
        while True:
            try:
                raw = await self._process.stdout.readline()
            except ValueError:  # longer than LINE_BYTES: the reader has dropped it
                continue
            if not raw:
                return
            yield raw.decode(errors="replace")

    def _last_words(self) -> str:
        """Return the last line of its standard error, and close that."""
        with self._errors as errors:
            size = errors.seek(0, os.SEEK_END)
            errors.seek(max(0, size - TAIL_BYTES))
            lines = errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"


def _ending(last: ReplayProgress, code: int, said: str) -> ReplayProgress:
    if last.state is not ReplayState.RUNNING:
        return last
    why = f"signal {-code}" if code < 0 else f"exit code {code}"
    error = f"The producer ended without a last word ({why}): {said}"
    return ReplayProgress(last.sent, last.skipped, last.total, ReplayState.FAILED, error)


def _parsed(line: str) -> ReplayProgress | None:
    said = parse_progress(line)
    if said is None:
        _log.warning("the producer said something else than progress", line=line.strip()[:200])
        return None
    state = ReplayState(said.state.value)
    return ReplayProgress(said.sent, said.skipped, said.total or None, state, said.error)
