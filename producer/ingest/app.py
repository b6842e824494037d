"""The composition root of ``surgeline ingest``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiokafka.errors import KafkaError

from common.clock import Clock
from common.errors import (
    BackendMissingError,
    BackendUnavailableError,
    FleetsError,
    MapError,
    UserError,
)
from common.fleets import load_fleets
from common.links.kafka import NOT_CONNECTED, ensure_topics, make_admin, read_to_end
from common.links.kafka_access import refusal
from common.machines.files import load_machine
from common.machines.machine import MachineType
from common.settings import KafkaSettings, RetentionSettings, Settings
from common.terminal.nearest import suggestion
from common.topics import Topics
from producer.adapters.kafka_publisher import KafkaReadingPublisher
from producer.adapters.kafka_source import KafkaMessageSource
from producer.ingest.fitting import machine_of, require_fit
from producer.ingest.loop import Ingest
from producer.ingest.map_file import MessageMap, load_map
from producer.ingest.ports import SourceMessage
from producer.ingest.tally import Tally
from producer.ingest.translate import Translator
from producer.stopping import StoppedError, stop_signals, unless_stopped

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""Of a file of messages: a longer line is taken apart, and is no JSON then."""


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """A request, understood.

    Attributes:
        wanted: The map.
        topic: Theirs.
        group_id: The group that reads it.
        machine: What the fleet's model expects, if it is known.
        note: What a person should know before it runs; empty for nothing.
    """

    wanted: MessageMap
    topic: str
    group_id: str
    machine: MachineType | None
    note: str = ""


def plan_ingest(
    path: Path,
    topic: str | None,
    machine: str | None,
    group: str | None,
    settings: Settings,
    *,
    trial: bool,
) -> IngestPlan:
    """Understand a request and check that the map fits the fleet.

    Args:
        path: The map file.
        topic: Where the messages are; none for the map's.
        machine: The machine type; none for that of the fleet's model, where it can be read.
        group: The consumer group; none for one of this fleet's and topic's own.
        settings: Whose fleets, whose topics.
        trial: A dry run, which a fleet that is not there yet does not hinder.

    Raises:
        UserError: If a part of it is not understood or does not fit.
    """
    wanted = load_map(path)
    topic = _topic(topic or wanted.topic, path, settings.kafka)
    fleets = load_fleets(settings)
    entry = fleets.get(wanted.fleet)
    note = ""
    if entry is None:
        note = (
            f"No fleet {wanted.fleet!r}: there are {', '.join(sorted(fleets))}."
            f"{suggestion(wanted.fleet, fleets)} Add it to the file that SURGELINE_FLEETS names "
            "(docs/fleets.md), or mend `fleet` in the map."
        )
        if not trial:
            raise FleetsError(note)
    known = None if entry is None else machine_of(entry)
    kind = load_machine(machine) if machine else known
    if kind is not None:
        require_fit(wanted, kind, str(path))
    group = group or f"{settings.kafka.topic_prefix}-ingest-{wanted.fleet}-{topic}"
    return IngestPlan(wanted, topic, group, kind, note)


def _topic(topic: str | None, path: Path, settings: KafkaSettings) -> str:
    if topic is None:
        raise MapError(f"{path} names no topic. Name it there, or with --topic.")
    ours = Topics(settings.topic_prefix)
    if topic in (ours.readings, ours.alerts, ours.evidence, ours.dead_letter):
        raise UserError(
            f"The topic {topic} came, which is Surgeline's own; a topic of your messages was "
            "expected."
        )
    return topic


async def run_ingest(
    plan: IngestPlan,
    settings: KafkaSettings,
    clock: Clock,
    report: Callable[[Tally], None],
    retention: RetentionSettings = RetentionSettings(),  # noqa: B008 - immutable
) -> Tally:
    """Carry messages over until SIGINT or SIGTERM comes.

    Raises:
        UserError: If there is no broker, or no such topic.
        BackendError: If the broker keeps failing. ``report`` has been told how far it came.
    """
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_signals())
        try:
            if missing := await unless_stopped(why_no_topic(plan.topic, settings), stop):
                raise BackendMissingError(missing)
            await unless_stopped(ensure_topics(settings, retention), stop)
            publisher = KafkaReadingPublisher(settings)
            await unless_stopped(stack.enter_async_context(publisher), stop)
            source = KafkaMessageSource(settings, plan.topic, plan.group_id, clock)
            await unless_stopped(stack.enter_async_context(source), stop)
        except StoppedError:
            return Tally()
        ingest = Ingest(Translator(plan.wanted), source, publisher, clock, stop, report)
        try:
            await ingest.run()
        finally:
            report(ingest.tally)
    return ingest.tally


async def first_messages(topic: str, settings: KafkaSettings, most: int) -> list[SourceMessage]:
    """Return the first messages of a topic that are still there, outside any group.

    Raises:
        BackendMissingError: If there is no broker.
        BackendUnavailableError: If the broker does not answer.
    """
    found: list[SourceMessage] = []
    async with aclosing(read_to_end(settings, topic)) as records:
        async for record in records:
            found.append(SourceMessage(record.partition, record.offset, record.value))
            if len(found) >= most:
                break
    return found


def first_lines(path: Path, most: int) -> list[SourceMessage]:
    """Return the first lines of a file as messages, each with its line as its offset, from 1.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            lines = [file.readline(MAX_LINE_BYTES) for _ in range(most)]
    except OSError as exc:
        raise UserError(f"{path} cannot be read: {exc.strerror}.") from exc
    return [
        SourceMessage(0, number, line.rstrip(b"\r\n"))
        for number, line in enumerate(lines, start=1)
        if line
    ]


async def why_no_topic(topic: str, settings: KafkaSettings) -> str:
    """Return a sentence if a topic is not there, else nothing: subscribing would create it.

    Raises:
        BackendMissingError: If no broker answers.
        BackendRefusedError: If it does not let us in, or cannot prove who it is.
        BackendUnavailableError: If it does not tell its topics.
    """
    admin = make_admin(settings)
    try:
        async with asyncio.timeout(settings.op_timeout_s):
            await admin.start()
            there = sorted(name for name in await admin.list_topics() if name[:2] != "__")
    except NOT_CONNECTED as exc:
        raise await refusal(settings) or BackendMissingError(
            f"No broker answers at {settings.bootstrap_servers}. Set "
            f"SURGELINE_KAFKA__BOOTSTRAP_SERVERS to yours. ({exc})"
        ) from exc
    except (KafkaError, TimeoutError) as exc:
        raise BackendUnavailableError(f"The broker does not tell its topics: {exc!r}") from exc
    finally:
        await admin.close()
    if topic in there:
        return ""
    return (
        f"No topic {topic!r} at {settings.bootstrap_servers}; there are "
        f"{', '.join(there[:10]) or 'none'}{' and more' if there[10:] else ''}."
        f"{suggestion(topic, there)}"
    )
