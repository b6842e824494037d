"""Reading a topic from its beginning to its end, with errors a person can act on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord
from pydantic import ValidationError

from common.errors import BackendMissingError, BackendUnavailableError, UserError
from common.links.kafka import NOT_CONNECTED, make_admin, read_to_end
from common.links.kafka_access import refusal
from common.records.wire import WireRecord
from common.settings import KafkaSettings

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how much of it is done, and how much there is; none if not known."""

REPORT_EVERY = 1000


def silent(_what: str, _done: int, _total: int | None) -> None:
    """Report no progress."""


async def topic_exists(settings: KafkaSettings, topic: str) -> bool:
    """Return whether the broker has the topic; never creates it.

    Raises:
        BackendMissingError: If no broker answers at the address.
        BackendRefusedError: If it does not let us in, or cannot prove who it is.
        BackendUnavailableError: If it answers but not to this.
    """
    admin = make_admin(settings)
    try:
        await admin.start()
        return topic in await admin.list_topics()
    except NOT_CONNECTED as exc:
        raise await refusal(settings) or BackendMissingError(
            f"No broker answers at {settings.bootstrap_servers}. Is `surgeline up` running? Or set "
            "SURGELINE_KAFKA__BOOTSTRAP_SERVERS."
        ) from exc
    except KafkaError as exc:
        raise BackendUnavailableError(f"The broker could not list its topics: {exc!r}") from exc
    finally:
        await admin.close()


async def topic_records(
    settings: KafkaSettings, topic: str, progress: Progress = silent
) -> AsyncIterator[ConsumerRecord]:
    """Yield what is on a topic now, oldest first within a partition; nothing if it is not there.

    Raises:
        BackendMissingError: If no broker answers at the address.
        BackendUnavailableError: If the broker stops answering.
    """
    if not await topic_exists(settings, topic):
        return
    what, read = f"reading {topic}", 0
    try:
        async for record in read_to_end(settings, topic):
            yield record
            read += 1
            if read % REPORT_EVERY == 0:
                progress(what, read, None)
    except KafkaError as exc:
        raise BackendUnavailableError(f"{topic} cannot be read: {exc!r}") from exc
    progress(what, read, read)


Message = TypeVar("Message", bound=WireRecord)


async def topic_messages(
    settings: KafkaSettings,
    topic: str,
    kind: type[Message],
    called: str,
    progress: Progress = silent,
) -> AsyncIterator[tuple[Message, bytes]]:
    """Yield the messages on one of our own topics, each with its bytes.

    Args:
        settings: Where the broker is.
        topic: Which topic.
        kind: What is on it.
        called: What a person calls that, with its article.
        progress: Told how far it is.

    Raises:
        UserError: If something else is on the topic.
        BackendMissingError: If no broker answers at the address.
        BackendUnavailableError: If the broker stops answering.
    """
    async for record in topic_records(settings, topic, progress):
        content = record.value or b""
        try:
            message = kind.model_validate_json(content)
        except ValidationError as exc:
            raise UserError(
                f"{topic}, partition {record.partition}, offset {record.offset}: not {called}. "
                "Something else has written to this topic."
            ) from exc
        yield message, content
