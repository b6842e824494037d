"""Runs the producer as a process of its own and follows its progress lines."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.errors import StackError, UserError
from common.replay import ReplayProgress, parse_progress
from deploy.local import launch
from deploy.local.boot import USER_ERROR_EXIT
from deploy.local.logtail import last_lines
from deploy.local.process import BARE_PYTHON, describe_exit, open_log

PRODUCER: Final = (sys.executable, "-m", "producer")


@dataclass(slots=True)
class Replay:
    """A replay, as far as it has come.

    Attributes:
        line: Its latest progress line; none before the first.
        finished: Whether it has sent everything.
    """

    line: ReplayProgress | None = None
    finished: bool = False


async def run_replay(
    replay: Replay, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> None:
    """Run the producer to its end; ``replay`` tells how far it is.

    Args:
        replay: Updated with every progress line.
        arguments: What follows ``python -m producer``.
        environment: Its environment variables.
        log: Where its standard error goes.

    Raises:
        UserError: If it refused its arguments or settings; holds its words.
        StackError: If it failed otherwise.
    """
    try:
        sink = open_log(log)
    except OSError as exc:
        raise UserError(f"{log} cannot be written: {exc.strerror}.") from exc
    try:
        process = await asyncio.create_subprocess_exec(
            *BARE_PYTHON,
            launch.__file__,
            str(os.getpid()),
            *PRODUCER,
            *arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            env=dict(environment),
            start_new_session=True,
        )
    finally:
        os.close(sink)
    assert process.stdout is not None  # noqa: S101 - asked for as a pipe above
    try:
        async for text in process.stdout:
            replay.line = parse_progress(text) or replay.line
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        words = (replay.line and replay.line.error) or " ".join(last_lines(log, 3)) or "no reason"
        if code == USER_ERROR_EXIT:
            raise UserError(words.removeprefix("error: "))
        raise StackError(f"The replay failed ({describe_exit(code)}): {words}. Its log: {log}")
    replay.finished = True
