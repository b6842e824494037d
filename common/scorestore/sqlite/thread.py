"""One SQLite connection and the only thread that touches it, so that the event loop never waits."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from common.errors import BackendRefusedError
from common.scorestore.sqlite.errors import sqlite_errors
from common.scorestore.sqlite.schema import open_connection

T = TypeVar("T")

STEPS_BETWEEN_CHECKS: Final = 20_000
"""SQLite asks for the time after so many of its steps, about a millisecond of work."""


class SqliteThread:
    """Runs jobs on one connection, one after another, each within the time limit.

    A job waits at most ``timeout_s`` for another process's lock, and works at most as long. When
    the caller is cancelled, the job still ends by itself; :meth:`close` waits for it.
    """

    def __init__(self, path: Path, role: str, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._deadline = 0.0
        self._connection: sqlite3.Connection | None = None
        self._file: os.stat_result | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"score-store-{role}")

    async def open(self) -> None:
        """Open the connection.

        Raises:
            BackendError: If the file cannot be opened (``sqlite_schema.open_connection``).
        """
        await self._in_thread(self._connect)

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``job`` returns.

        A transaction that the job leaves open, by failing or being done with reading, is rolled
        back.

        Raises:
            BackendUnavailableError: If the file is locked or the time limit is reached.
            BackendRefusedError: If the file is damaged.
        """
        return await self._in_thread(lambda: self._run(job))

    async def close(self) -> None:
        """Finish what was started, and close the connection."""
        await self._in_thread(self._disconnect)
        await asyncio.to_thread(self._executor.shutdown)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _connect(self) -> None:
        self._connection = open_connection(self._path, self._timeout_s)
        self._file = self._path.stat()
        self._connection.set_progress_handler(self._is_late, STEPS_BETWEEN_CHECKS)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            raise RuntimeError("The score store is not open: use it as an async context manager.")
        self._check_in_place()
        self._deadline = time.monotonic() + self._timeout_s
        with sqlite_errors(self._path):
            try:
                return job(self._connection)
            finally:
                if self._connection.in_transaction:
                    self._deadline = float("inf")  # undoing must not be interrupted
                    self._connection.execute("ROLLBACK")

    def _check_in_place(self) -> None:
        """Refuse to go on when the file was deleted or replaced: what is written would be lost."""
        try:
            in_place = self._file is not None and os.path.samestat(self._path.stat(), self._file)
        except OSError:
            in_place = False
        if not in_place:
            raise BackendRefusedError(
                f"Score store {self._path}: the file was moved or deleted while in use. "
                "Put it back, or restart this service to start anew."
            )

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline
