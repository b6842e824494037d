"""Batches of records as bytes: sound ones of every kind, and ways to spoil them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from common.intake.batches import AFTER_CHECKSUM, HEADER, Header
from common.intake.fetched import FetchedRecords, record_bytes
from common.intake.response import Body, PartitionRecords
from tests.support.servers.containers import are_chosen

WHERE = TopicPartition("readings", 0)
STAMP = 1_700_000_000_000
COMMITTED = 1


@dataclass(frozen=True)
class Message:
    """What goes into a batch."""

    value: bytes | None
    key: bytes | None = b"key"
    headers: Sequence[tuple[str, bytes]] = ()


def batch(values: Sequence[bytes | Message | None], base: int = 0, codec: int = 0) -> bytes:
    """Return a batch of format 2; nothing in it compresses badly enough to be sent plain."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 30)
    for number, value in enumerate(values):
        item = value if isinstance(value, Message) else Message(value)
        builder.append(number, STAMP + number, item.key, item.value, list(item.headers))
    return with_header(bytes(builder.build()), base=base)


def with_header(data: bytes, **fields: Any) -> bytes:
    """Return a batch with some header fields changed, its checksum right."""
    header = Header(*HEADER.unpack_from(data))._replace(**fields)
    return sealed(HEADER.pack(*header) + data[HEADER.size :])


def sealed(data: bytes) -> bytes:
    """Return a batch with its length and checksum made right."""
    found = bytearray(data)
    struct.pack_into(">i", found, 8, len(found) - 12)
    struct.pack_into(">I", found, AFTER_CHECKSUM - 4, calc_crc32c(bytes(found[AFTER_CHECKSUM:])))
    return bytes(found)


def with_body(data: bytes, body: bytes) -> bytes:
    """Return a batch with other bytes behind its header, its checksum right."""
    return sealed(data[: HEADER.size] + body)


def transactional(values: Sequence[bytes], base: int, producer_id: int) -> bytes:
    """Return a batch that is part of a transaction."""
    return with_header(batch(values), base=base, attributes=0x10, producer_id=producer_id)


def marker(base: int, producer_id: int, committed: bool) -> bytes:
    """Return the end of a transaction."""
    end = batch([Message(b"\0" * 6, struct.pack(">hh", 0, int(committed)))])
    return with_header(end, base=base, attributes=0x30, producer_id=producer_id)


def legacy(values: Sequence[bytes], magic: int, base: int = 0, codec: int = 0) -> bytes:
    """Return messages of format 0 or 1; compressed they are one that holds them all."""
    builder = LegacyRecordBatchBuilder(magic, codec, 1 << 30)
    for number, value in enumerate(values):
        offset = number if codec and magic == 1 else base + number
        builder.append(offset, STAMP + number, b"key", value)
    data = bytearray(builder.build())
    if codec:
        struct.pack_into(">q", data, 0, base + len(values) - 1)
    return bytes(data)


def flipped(data: bytes, bit: int) -> bytes:
    """Return data with one bit turned over."""
    found = bytearray(data)
    found[bit // 8] ^= 1 << (bit % 8)
    return bytes(found)


def fetched_records(records: Sequence[Any]) -> FetchedRecords:
    """Return aiokafka's records as a fetch hands them over."""
    return FetchedRecords(records, sum(map(record_bytes, records)), lambda record: record)


def records_of(
    body: bytes | None,
    start: int = 0,
    aborted: Sequence[tuple[int, int]] = (),
    highwater: int = -1,
) -> PartitionRecords:
    """Return the intake's view of a fetch response's bytes."""
    found = PartitionRecords(WHERE, Body(body), list(aborted), start, None, None, True, COMMITTED)
    found.highwater = highwater
    return found


async def produce_raw(server: str, topic: str, *batches: bytes, partition: int = 0) -> list[int]:
    """Send batches to a broker as they are, one by one; return the offset each was given.

    Skips the test on containers: Apache Kafka looks into batches, and takes none that is damaged.

    Raises:
        AssertionError: If the broker refused one.
    """
    if are_chosen():
        pytest.skip("Apache Kafka takes no batches made by hand; the local broker does")
    client = AIOKafkaClient(bootstrap_servers=server)
    await client.bootstrap()
    offsets = []
    try:
        await client._wait_on_metadata(topic)
        node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        for data in batches:
            request = ProduceRequest(
                transactional_id=None,
                required_acks=-1,
                timeout=10_000,
                topics=[(topic, [(partition, data)])],
            )
            answer = await client.send(node, request)
            [(_, [(_, error, offset, *_)])] = answer.topics
            assert error == 0, error
            offsets.append(offset)
    finally:
        await client.close()
    return offsets


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "checksum": lambda data: flipped(data, 8 * (len(data) - 2)),
    "garbage where gzip should be": lambda data: with_header(
        with_body(data, b"\x1f\x8b\x08" + b"\xfe" * 80), attributes=1
    ),
    "cut records": lambda data: with_body(data, data[HEADER.size : -7]),
    "bytes behind the records": lambda data: sealed(data + b"behind"),
    "two thousand million records": lambda data: with_header(data, records=2**31 - 1),
    "too few records": lambda data: with_header(data, records=1),
    "a negative length in a record": lambda data: with_body(
        data, b"\x07" + data[HEADER.size + 1 :]
    ),
}
"""Ways to spoil a batch of several records, none of them so that a broker would notice all."""
