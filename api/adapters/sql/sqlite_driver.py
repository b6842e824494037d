"""SQLite off the event loop, one trip to its thread for a statement instead of four.

aiosqlite has a thread for each connection. SQLAlchemy sends it there for a cursor, for the
statement, for the rows and for closing the cursor: each costs more than SQLite itself, and storing
one alert takes a dozen statements. Here a statement is one trip; rows were kept in memory anyway.
Whoever holds the writers' lock already, and has few and small statements, may run them where they
are asked for (:func:`in_place`): none of them can wait for anybody.

This needs private names of aiosqlite; whatever is stored or read in the tests of the api fails when
an upgrade moves one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Final, Self

import aiosqlite

ROWS_AT_ONCE: Final = 64
"""aiosqlite's own; of no account where all are fetched at once."""


class WholeCursor:
    """A cursor as SQLAlchemy uses it: a statement is run, and all its rows are there.

    Attributes:
        description: The columns; none where the statement brings no rows.
        rowcount: How many rows a write changed.
        lastrowid: The row it wrote.
        arraysize: Of no account.
    """

    def __init__(self, connection: WholeConnection) -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        """Return it: there is nothing to open."""
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        """Run a statement and fetch its rows."""
        return await self._run(lambda cursor: cursor.execute(sql, parameters))

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Self:
        """Run a statement for each of some parameters."""
        return await self._run(lambda cursor: cursor.executemany(sql, parameters))

    async def fetchall(self) -> Sequence[Any]:
        """Return the rows."""
        return self._rows

    async def close(self) -> None:
        """Do nothing: it was closed when the rows had been fetched."""

    async def _run(self, work: Callable[[sqlite3.Cursor], object]) -> Self:
        if self._connection.in_place:
            self._carry_out(work)
            return self
        trip: Any = self._connection._execute  # aiosqlite does not say its types
        await trip(partial(self._carry_out, work))
        return self

    def _carry_out(self, work: Callable[[sqlite3.Cursor], object]) -> None:
        """Do all of it, in one thread."""
        cursor = self._connection._conn.cursor()
        try:
            work(cursor)
            self.description = cursor.description
            self._rows = cursor.fetchall() if cursor.description else ()
            self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()


class WholeConnection(aiosqlite.Connection):
    """A connection with such cursors.

    Attributes:
        in_place: Whether statements run in the caller's thread.
    """

    in_place = False

    def cursor(self) -> WholeCursor:  # type: ignore[override]
        """Return a cursor; nothing has been asked of the thread yet."""
        return WholeCursor(self)


def connect(database: str | Path, **options: Any) -> WholeConnection:
    """Return a connection that opens once it is awaited: SQLAlchemy's ``async_creator_fn``.

    Its thread ends with the process, as that of SQLAlchemy's own does.

    Args:
        database: The file.
        options: As for ``sqlite3.connect``.
    """
    connection = WholeConnection(partial(sqlite3.connect, str(database), **options), ROWS_AT_ONCE)
    thread = connection if isinstance(connection, Thread) else connection._thread
    thread.daemon = True
    return connection


@contextmanager
def in_place(connection: object) -> Iterator[None]:
    """Run the statements of the block in the caller's thread, which must hold the writers' lock.

    Commit outside it: that writes to the disk. The connection's thread rests meanwhile, for nobody
    else has the connection; SQLAlchemy opens it for use by any thread.

    Args:
        connection: The driver's own; of another database it is left as it is.
    """
    if not isinstance(connection, WholeConnection):
        yield
        return
    connection.in_place = True
    try:
        yield
    finally:
        connection.in_place = False
