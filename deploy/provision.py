"""``surgeline provision``: makes the topics, the bucket and the tables that are missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Annotated, Final

import typer

from common.clock import Clock, SystemClock
from common.errors import BackendMissingError, BackendUnavailableError
from common.settings import Settings, load_settings
from common.terminal.cli import error_console, friendly_errors, output_console
from common.topics import Topics

RETRY_S: Final = 1.0


@friendly_errors
def provision(
    retention_days: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="How long InfluxDB keeps scores, days; 0 for ever. Left out: as it is; a new "
            "bucket as SURGELINE_RETENTION__SCORES_DAYS says.",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, max=3600, help="How long to wait for servers that start, s.")
    ] = 60.0,
) -> None:
    """Make what the servers that the settings name lack: topics, InfluxDB bucket, tables.

    What is there stays as it is, so it may run before every start. Services make missing topics
    and tables by themselves, too; the bucket they do not, since writing scores needs fewer rights
    than making a bucket.

    A bucket that is there gets another retention only if `--retention-days` says so; a shorter one
    deletes what is older.
    """
    settings = load_settings()
    done = asyncio.run(provide(settings, retention_days, wait, SystemClock()))
    for sentence in done:
        output_console(soft_wrap=True).print(sentence)


async def provide(
    settings: Settings, retention_days: int | None, wait_s: float, clock: Clock
) -> list[str]:
    """Make what is missing, and say in sentences what there is now.

    Args:
        settings: Which servers.
        retention_days: How long InfluxDB keeps scores, days; see ``ensure_bucket``.
        wait_s: How long each server may take to answer, s.
        clock: What waits.

    Raises:
        UserError: If a setting is wrong, or a server is not there in time.
        BackendError: If a server does not answer in time, or refuses.
    """
    done = [await _patiently(lambda: _topics(settings), wait_s, clock)]
    if settings.scores.backend == "influx":
        done.append(await _patiently(lambda: _bucket(settings, retention_days), wait_s, clock))
        done.append(await _patiently(lambda: _hourly(settings), wait_s, clock))
    done.append(await _patiently(lambda: _tables(settings), wait_s, clock))
    return done


async def _patiently(step: Callable[[], Awaitable[str]], wait_s: float, clock: Clock) -> str:
    """Take a step again and again while its server is not there; raise the last failure."""
    until = clock.monotonic() + wait_s
    said = False
    while True:
        try:
            return await step()
        except (BackendMissingError, BackendUnavailableError) as exc:
            if clock.monotonic() >= until:
                raise
            if not said:
                error_console().print(f"waiting: {exc}", style="dim")
                said = True
        await clock.sleep(RETRY_S)


async def _topics(settings: Settings) -> str:
    from common.links.kafka import ensure_topics

    await ensure_topics(settings.kafka, settings.retention)
    topics = Topics(settings.kafka.topic_prefix)
    names = topics.readings, topics.alerts, topics.evidence, topics.dead_letter
    return f"topics {', '.join(names)} are there"


async def _bucket(settings: Settings, retention_days: int | None) -> str:
    from common.scorestore.influx.bucket import ensure_bucket

    initial_days = int(settings.retention.scores_days)
    return await asyncio.to_thread(ensure_bucket, settings.scores, retention_days, initial_days)


async def _hourly(settings: Settings) -> str:
    from common.scorestore.influx.hourly import ensure_hourly

    return await ensure_hourly(settings.scores, settings.retention)


async def _tables(settings: Settings) -> str:
    from api.adapters.sql.database import open_database

    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_database(settings.alerts))
        return f"tables of the alert history are there ({engine.dialect.name})"
