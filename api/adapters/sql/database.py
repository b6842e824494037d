"""Opens the alert history's database: connections, time limits, migrations to the newest schema."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, make_url, update
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from api.adapters.sql import sqlite_driver
from api.adapters.sql.models import COUNTER, SequenceRow
from common.clock import SystemClock
from common.errors import BackendError, BackendRefusedError, BackendUnavailableError, SettingsError
from common.files.private import make_private_file, make_private_folder
from common.retry import Backoff, retrying
from common.settings import AlertHistorySettings
from common.terminal.extras import how_to_install
from common.tls import tls_context, tls_refusal

MIGRATION_LOCK: Final = 0x5375_7267
"""PostgreSQL's advisory lock while migrating: any number, the same in every process of ours."""

PASSING_STATES: Final = ("08", "53", "57")
"""PostgreSQL's classes of errors that pass: no connection, no room, starting or stopping."""

FEW: Final = 8
"""So many alerts take a millisecond or two of statements."""

OPENING: Final = Backoff(initial_s=0.1, max_s=1.0, attempts=6)
"""About 3 s of tries: several processes that open one new SQLite file get in each other's way."""


_LOCK: Final = (
    update(SequenceRow)
    .where(SequenceRow.name == COUNTER)
    .values(value=SequenceRow.value)
    .returning(SequenceRow.value)
)


@contextmanager
def our_errors(doing: str) -> Iterator[None]:
    """Turn the driver's errors into ours.

    Raises:
        BackendUnavailableError: If the database is locked, gone or too slow.
        BackendRefusedError: If it will answer the same again.
    """
    try:
        yield
    except (OperationalError, InterfaceError, OSError, TimeoutError) as exc:
        if (refused := tls_refusal(exc)) is not None:
            raise BackendRefusedError(
                f"The alert history could not {doing}: no connection: {refused}."
            ) from exc
        raise BackendUnavailableError(f"The alert history could not {doing}: {_why(exc)}") from exc
    except DBAPIError as exc:
        passing = exc.connection_invalidated or _state(exc).startswith(PASSING_STATES)
        kind = BackendUnavailableError if passing else BackendRefusedError
        raise kind(f"The alert history could not {doing}: {_why(exc)}") from exc
    except SQLAlchemyError as exc:
        raise BackendUnavailableError(f"The alert history could not {doing}: {exc}") from exc


def _state(exc: DBAPIError) -> str:
    """Return PostgreSQL's code of an error, or nothing."""
    return str(getattr(exc.orig, "sqlstate", None) or "")


def _why(exc: BaseException) -> str:
    cause = getattr(exc, "orig", None) or exc
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__


@asynccontextmanager
async def open_database(settings: AlertHistorySettings) -> AsyncIterator[AsyncEngine]:
    """Yield an engine whose schema is the newest; close its connections at the end.

    Raises:
        SettingsError: If the URL is not one of SQLite or PostgreSQL, or the folder cannot be made.
        BackendError: If the database cannot be opened or migrated.
    """
    url = _checked_url(settings)
    engine = _engine(url, settings)
    try:
        await retrying(lambda: _migrate(engine), OPENING, SystemClock(), _no_note)
        yield engine
    finally:
        await engine.dispose()


def _no_note(_failure: BackendError, _wait_s: float) -> None:
    """Say nothing: the last failure is raised and says it all."""


def _checked_url(settings: AlertHistorySettings) -> URL:
    try:
        url = make_url(settings.url.get_secret_value())
    except (ArgumentError, ValueError):
        raise SettingsError(
            "SURGELINE_ALERTS__URL is not a database URL. Expected sqlite+aiosqlite:///FILE or "
            "postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE, with @ : / in a password written "
            "%40 %3A %2F."
        ) from None  # what SQLAlchemy says shows parts of it
    if url.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
        raise SettingsError(
            f"SURGELINE_ALERTS__URL begins with {url.drivername}. Expected sqlite+aiosqlite or "
            "postgresql+asyncpg."
        )
    if url.drivername.startswith("postgresql"):
        return _with_password(url, settings)
    if settings.password.get_secret_value() or settings.tls.required:
        raise SettingsError(
            "SURGELINE_ALERTS__PASSWORD or SURGELINE_ALERTS__TLS__REQUIRED is set, but "
            "SURGELINE_ALERTS__URL names a SQLite file. Set the URL of a PostgreSQL server, or "
            "leave them out."
        )
    if not url.database or url.database == ":memory:":
        raise SettingsError(
            "SURGELINE_ALERTS__URL names no file. The history must outlive the process: "
            "expected sqlite+aiosqlite:///FILE."
        )
    try:
        make_private_folder(Path(url.database).parent)
    except OSError as exc:
        raise SettingsError(
            f"SURGELINE_ALERTS__URL names {url.database}, whose folder cannot be made: {exc}"
        ) from exc
    make_private_file(Path(url.database))
    return url


def _with_password(url: URL, settings: AlertHistorySettings) -> URL:
    password = settings.password.get_secret_value()
    if password and url.password:
        raise SettingsError(
            "SURGELINE_ALERTS__URL holds a password, and SURGELINE_ALERTS__PASSWORD is set too. "
            "Give it in one place."
        )
    return url.set(password=password) if password else url


def _engine(url: URL, settings: AlertHistorySettings) -> AsyncEngine:
    timeout_s = settings.op_timeout_s
    if url.drivername.startswith("postgresql"):
        if find_spec("asyncpg") is None:
            raise SettingsError(
                "SURGELINE_ALERTS__URL names PostgreSQL, whose driver asyncpg is not installed. "
                + how_to_install("postgres")
            )
        arguments: dict[str, Any] = {"timeout": timeout_s, "command_timeout": timeout_s}
        if settings.tls.required:
            arguments["ssl"] = tls_context(settings.tls, "alerts")
        return create_async_engine(
            url, pool_timeout=timeout_s, pool_pre_ping=True, connect_args=arguments
        )
    arguments = {"timeout": timeout_s, "async_creator_fn": sqlite_driver.connect}
    engine = create_async_engine(url, pool_timeout=timeout_s, connect_args=arguments)
    event.listen(engine.sync_engine, "connect", _tune_sqlite)
    return engine


def _tune_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Let readers and the one writer work side by side (WAL).

    ``synchronous=NORMAL`` survives the death of the process; a power cut may cost the last
    transactions, whole ones, and they are read from the topic again.
    """
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


async def lock_sequence(connection: AsyncConnection) -> int:
    """Return the last sequence given out; until the commit nobody else gets past this line."""
    return (await connection.execute(_LOCK)).scalar_one()


@asynccontextmanager
async def few_statements(connection: AsyncConnection, items: int) -> AsyncIterator[None]:
    """Run the block's statements where they stand, if they are few and the database is a file.

    Args:
        connection: A transaction that has locked the order of writers.
        items: How many things are stored; many would keep the loop from everybody else.
    """
    if items > FEW:
        yield
        return
    driver = (await connection.get_raw_connection()).driver_connection
    with sqlite_driver.in_place(driver):
        yield


async def _migrate(engine: AsyncEngine) -> None:
    with our_errors("open its database"):
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision; one process at a time, the others wait."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    command.upgrade(migration_config(connection), "head")


def migration_config(connection: Connection) -> Config:
    """Return Alembic's configuration for one open connection."""
    config = Config()
    folder = str(files("api").joinpath("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
