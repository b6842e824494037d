"""The broker's own id of a topic: another one when the topic was deleted and made anew."""

from __future__ import annotations

import uuid
from io import BytesIO
from typing import Any, Final

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

NO_ID: Final = uuid.UUID(int=0)


class Uuid(AbstractType[uuid.UUID]):  # type: ignore[misc]
    """Sixteen bytes, which aiokafka has no type for."""

    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        """Return the bytes."""
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        """Return the id."""
        return uuid.UUID(bytes=data.read(16))


class MetadataResponseV10(Response):  # type: ignore[misc]
    """The first version that names topics' ids; aiokafka knows up to 5."""

    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class MetadataRequestV10(RequestStruct):  # type: ignore[misc]
    """Asks for one topic by name."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = MetadataResponseV10
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_id", Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicIdRequest(Request[MetadataRequestV10]):  # type: ignore[misc]
    """Asks for a topic's id."""

    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[Any]) -> Any:
        """Return the request."""
        return request_struct_class([(NO_ID, self._topic, {})], False, False, False, {})


async def topic_id_of(client: Any, node_id: int, topic: str) -> str | None:
    """Return the id of a topic; none where the broker has no ids, or does not know the topic.

    Args:
        client: A connected ``AIOKafkaClient``.
        node_id: The broker to ask.
        topic: Its name.

    Raises:
        KafkaError: If the broker does not answer.
    """
    try:
        answer = await client.send(node_id, TopicIdRequest(topic))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return None
    for error, name, found, *_ in answer.topics:
        if name == topic and error == 0 and found != NO_ID:
            return str(found)
    return None
