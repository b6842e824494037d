"""Tells other terminals about the running stack: ``VAR/stack.json``, believed only while it runs.

The supervisor holds a lock on ``VAR/stack.lock`` for as long as it lives. The kernel gives the lock
up when the process ends, however it ends, so a state file left by ``kill -9`` is never believed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import UserError

STATE_FILE: Final = "stack.json"
LOCK_FILE: Final = "stack.lock"
LOCK_PATIENCE_S: Final = 1.0
"""Another command that looks whether a stack runs holds the lock for a moment."""


class StackState(BaseModel):
    """What other commands need to know of a running stack.

    Attributes:
        pid: The supervisor's process id.
        urls: Where people can look, by name.
        environment: The SURGELINE_ variables that lead to this stack.
        processes: Process ids by name.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    urls: dict[str, str]
    environment: dict[str, str]
    processes: dict[str, int]


@contextmanager
def claimed(var_dir: Path) -> Iterator[None]:
    """Hold a folder for one stack until the block ends; its state file goes with it.

    Raises:
        UserError: If another stack runs there, or the folder cannot be written.
    """
    try:
        var_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(var_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise UserError(f"{var_dir} cannot be used for the stack: {exc.strerror}.") from exc
    try:
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while not _lock(lock, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise UserError(_taken(var_dir))
            time.sleep(0.02)
        try:
            yield
        finally:
            (var_dir / STATE_FILE).unlink(missing_ok=True)
    finally:
        os.close(lock)


def publish(var_dir: Path, state: StackState) -> None:
    """Write the state file, whole or not at all; only its owner may read it."""
    path = var_dir / STATE_FILE
    fresh = path.with_suffix(".tmp")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123 - a Path cannot set the mode
        file.write(state.model_dump_json(indent=2) + "\n")
    fresh.replace(path)


def running_stack(var_dir: Path) -> StackState | None:
    """Return the state of the stack that runs in a folder; none if none does."""
    try:
        state = StackState.model_validate_json((var_dir / STATE_FILE).read_bytes())
        lock = os.open(var_dir / LOCK_FILE, os.O_RDWR)
    except (OSError, ValidationError):
        return None
    try:
        return None if _lock(lock, fcntl.LOCK_SH) else state
    finally:
        os.close(lock)


def leads_elsewhere(environ: Mapping[str, str]) -> bool:
    """Return whether the user has named servers of their own."""
    return any(name in environ for name in OWN_SERVERS)


OWN_SERVERS: Final = ("SURGELINE_KAFKA__BOOTSTRAP_SERVERS", "SURGELINE_REDIS__URL")


def _lock(descriptor: int, kind: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return True
    return False


def _taken(var_dir: Path) -> str:
    state = running_stack(var_dir)
    who = f" (process {state.pid}, {json.dumps(state.urls)})" if state else ""
    return (
        f"A stack already runs in {var_dir}{who}. Stop it with Ctrl-C, or give this one another "
        "folder: --var DIR."
    )
