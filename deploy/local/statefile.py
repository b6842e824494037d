"""Tells other terminals about the running stack: ``VAR/stack.json``, believed only while it runs.

The supervisor holds a lock on ``VAR/stack.lock`` for as long as it lives. The kernel gives the lock
up when the process ends, however it ends, so a state file left by ``kill -9`` is never believed.
``statekeeper.py`` keeps the file true while the stack runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import UserError
from common.files.atomic import PRIVATE, replace_file

STATE_FILE: Final = "stack.json"
LOCK_FILE: Final = "stack.lock"
LOCK_PATIENCE_S: Final = 1.0
"""Another command that looks whether a stack runs holds the lock for a moment."""

PRIVATE_FOLDER: Final = 0o700
OWN_SERVERS: Final = (
    "SURGELINE_KAFKA__BOOTSTRAP_SERVERS",
    "SURGELINE_REDIS__URL",
    "SURGELINE_REDIS__URL_FILE",
)


class StackState(BaseModel):
    """What other commands need to know of a running stack.

    Attributes:
        pid: The supervisor's process id.
        urls: Where people can look, by name.
        environment: The SURGELINE_ variables that lead to this stack.
        processes: Process ids by name.
        started_at: When it was started, with its zone; none if not known.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    urls: dict[str, str]
    environment: dict[str, str]
    processes: dict[str, int]
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What can be told of a folder's stack from outside.

    Attributes:
        state: The running stack's; none if none runs, or its state cannot be read.
        trouble: Why a stack that runs, or ran, there cannot be used; none if there is nothing to
            say. A sentence for a person.
    """

    state: StackState | None
    trouble: str | None = None


class Claim:
    """A folder held for one stack. What the file system refuses is told, never raised.

    Args:
        var_dir: The folder.
        lock: Descriptor of its lock file; the lock is held.
    """

    def __init__(self, var_dir: Path, lock: int) -> None:
        self._var_dir = var_dir
        self._lock = lock

    def publish(self, state: StackState) -> str | None:
        """Write the state file, whole or not at all; return why it could not be.

        A folder that is gone is made anew. A folder that is another stack's by now is left alone.
        """
        try:
            self._reclaim()
            if self.shows(state):
                return None
            try:
                self._write(state)
            except OSError:
                if not self._leads_astray(state):
                    raise
                self._withdraw()
                self._write(state)  # now there may be room
        except OSError as exc:
            return exc.strerror or str(exc)
        return None

    def shows(self, state: StackState) -> bool:
        """Whether the state file says just this."""
        return self._is_ours() and _read_state(self._var_dir) == state

    def release(self) -> None:
        """Take the state file away and give the folder up."""
        self._withdraw()
        os.close(self._lock)

    def _write(self, state: StackState) -> None:
        content = state.model_dump_json(indent=2) + "\n"
        replace_file(self._var_dir / STATE_FILE, content.encode(), PRIVATE)

    def _leads_astray(self, state: StackState) -> bool:
        """Whether the file there names other addresses; other process ids alone do no harm."""
        shown = _read_state(self._var_dir)
        return shown is not None and shown.environment != state.environment

    def _withdraw(self) -> None:
        if self._is_ours():
            with contextlib.suppress(OSError):
                (self._var_dir / STATE_FILE).unlink(missing_ok=True)

    def _is_ours(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._lock), (self._var_dir / LOCK_FILE).stat())
        except OSError:
            return False

    def _reclaim(self) -> None:
        """Hold the folder again if it, or the lock file in it, was deleted meanwhile.

        Raises:
            OSError: If it cannot be, or another stack holds it.
        """
        if self._is_ours():
            return
        lock = _open_lock(self._var_dir)
        if not _locked(lock, fcntl.LOCK_EX):
            os.close(lock)
            raise BlockingIOError(0, "another stack has taken the folder")
        os.close(self._lock)
        self._lock = lock


@contextmanager
def claimed(var_dir: Path) -> Iterator[Claim]:
    """Hold a folder for one stack until the block ends; its state file goes with it.

    Raises:
        UserError: If another stack runs there, or the folder cannot be written.
    """
    try:
        lock = _open_lock(var_dir)
    except OSError as exc:
        raise UserError(
            f"{var_dir} cannot be used for the stack: {exc.strerror}. Give another folder: "
            "--var DIR, or set SURGELINE_VAR_DIR."
        ) from exc
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while not _locked(lock, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            os.close(lock)
            raise UserError(_taken(var_dir))
        time.sleep(0.02)
    claim = Claim(var_dir, lock)
    try:
        (var_dir / STATE_FILE).unlink(missing_ok=True)  # of a stack that was killed
        yield claim
    finally:
        claim.release()


def look(var_dir: Path) -> Sighting:
    """Return what can be told of the stack in a folder."""
    state_path = var_dir / STATE_FILE
    state = _read_state(var_dir)
    try:
        lock = os.open(var_dir / LOCK_FILE, os.O_RDONLY)
    except FileNotFoundError:
        return Sighting(None)
    except OSError as exc:
        return Sighting(None, f"Whether a stack runs in {var_dir} cannot be told: {exc.strerror}.")
    try:
        runs = not _locked(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)
    if runs and state is None:
        return Sighting(
            None,
            f"A stack runs in {var_dir}, but {state_path} is missing or cannot be read, so its "
            "addresses are not known. It is written again as soon as it can be: see that the disk "
            "has room and the folder may be written.",
        )
    if state is not None and not runs:
        return Sighting(
            None,
            f"{state_path} is left over from a stack that was killed (process {state.pid}); it is "
            "not used.",
        )
    return Sighting(state)


def running_stack(var_dir: Path) -> StackState | None:
    """Return the state of the stack that runs in a folder; none if none does."""
    return look(var_dir).state


def leads_elsewhere(environ: Mapping[str, str]) -> bool:
    """Return whether the user has named servers of their own."""
    return any(name in environ for name in OWN_SERVERS)


def _read_state(var_dir: Path) -> StackState | None:
    try:
        return StackState.model_validate_json((var_dir / STATE_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def _open_lock(var_dir: Path) -> int:
    var_dir.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    return os.open(var_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, PRIVATE)


def _locked(descriptor: int, kind: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return True
    return False


def _taken(var_dir: Path) -> str:
    state = running_stack(var_dir)
    who = ""
    if state is not None:
        since = f", since {state.started_at:%Y-%m-%d %H:%M:%S}" if state.started_at else ""
        who = f" (process {state.pid}{since}, {state.urls.get('api', 'no api')})"
    return (
        f"A stack already runs in {var_dir}{who}. Use it: `surgeline replay` and the other "
        "commands find it from here. Stop it with Ctrl-C in its terminal"
        + (f" or `kill {state.pid}`" if state else "")
        + ". Or start another one in a folder of its own: `surgeline up --var DIR`."
    )
