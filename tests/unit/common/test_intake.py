"""The intake reads every batch that can be read, past every one that cannot."""

from __future__ import annotations

import os
import resource
import struct

import cramjam
import pytest
from aiokafka.record.legacy_records import LegacyRecordBatch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import RejectReason
from common.intake import batches as intake_batches
from common.intake import codecs
from common.intake.batches import HEADER
from common.intake.response import PartitionRecords, SetAside
from common.records.letters import MAX_ORIGINAL_BYTES
from tests.support.batches import (
    SPOILT,
    STAMP,
    Message,
    batch,
    flipped,
    legacy,
    marker,
    records_of,
    sealed,
    transactional,
    with_body,
    with_header,
)

CODECS = [pytest.param(0, id="plain")] + [
    pytest.param(number, id=name) for number, name in codecs.NAMES.items()
]
TEXT = [b'{"asset_id": "engine-1", "cycle": %d}' % number * 3 for number in range(20)]


def offsets(found: PartitionRecords) -> list[int]:
    return [record.offset for record in found]


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_keys_values_and_stamps(codec: int) -> None:
    data = batch([*TEXT, Message(None, None)], base=7, codec=codec)
    assert codec == 0 or data[22] == codec, "too small to be sent compressed"

    found = list(records_of(data, 7))

    assert [record.offset for record in found] == list(range(7, 28))
    assert [record.value for record in found] == [*TEXT, None]
    assert [record.key for record in found] == [b"key"] * 20 + [None]
    assert [record.timestamp for record in found] == list(range(STAMP, STAMP + 21))


def test_raw_snappy_without_javas_framing_is_read() -> None:
    plain = batch(TEXT)
    body = bytes(cramjam.snappy.compress_raw(plain[HEADER.size :]))

    found = records_of(with_header(with_body(plain, body), attributes=codecs.SNAPPY))

    assert [record.value for record in found] == TEXT


def test_the_brokers_stamp_is_used_where_the_topic_says_so() -> None:
    data = with_header(batch([b"a", b"b"]), attributes=0x08, largest_stamp=STAMP + 99)

    assert [(r.timestamp, r.timestamp_type) for r in records_of(data)] == [(STAMP + 99, 1)] * 2


@pytest.mark.parametrize("stamp", [-1, -(2**63), 2**63 - 1, 1_767_225_600_000_000])
def test_any_stamp_is_handed_over(stamp: int) -> None:
    found = list(records_of(with_header(batch([b"a"]), first_stamp=stamp, largest_stamp=stamp)))

    assert [record.timestamp for record in found] == [stamp]


@pytest.mark.parametrize(
    ("magic", "codec"),
    [(0, 0), (0, codecs.GZIP), (0, codecs.SNAPPY)]
    + [(1, codec) for codec in (0, codecs.GZIP, codecs.SNAPPY, codecs.LZ4)],
)
def test_the_old_formats_are_read_as_aiokafka_reads_them(magic: int, codec: int) -> None:
    data = legacy(TEXT, magic, base=100, codec=codec)

    found = list(records_of(data, 100))

    assert [record.offset for record in found] == list(range(100, 120))
    assert [record.value for record in found] == TEXT
    if codec:
        theirs = list(LegacyRecordBatch(memoryview(data), magic))
        assert [r.offset for r in theirs] == [r.offset for r in found]
        assert [r.timestamp for r in theirs] == [r.timestamp for r in found]


def test_a_header_key_that_is_not_utf8_harms_nobody() -> None:
    data = batch([Message(b"one", b"k1", [("name", b"x")]), Message(b"two", b"k2")], 5)
    data = sealed(data.replace(b"name", b"\xff\xfe\x00\x1b"))

    found = records_of(data, 5)

    assert [(r.offset, r.key, r.value) for r in found] == [(5, b"k1", b"one"), (6, b"k2", b"two")]
    assert found.set_aside == []


@pytest.mark.parametrize("how", list(SPOILT))
@pytest.mark.parametrize("start", [10, 12])
def test_a_damaged_batch_is_set_aside_once_and_its_neighbours_are_read(
    how: str, start: int
) -> None:
    damaged = SPOILT[how](batch([b"c", b"d", b"e"], 12))
    body = batch([b"a", b"b"], 10) + damaged + batch([b"f", b"g"], 15)

    found = records_of(body, start)

    assert [r.value for r in found] == [b"a", b"b", b"f", b"g"][start - 10 :]
    [item] = found.set_aside
    assert (item.first_offset, item.last_offset) == (12, 14)
    assert item.reason in (RejectReason.DAMAGED_BATCH, RejectReason.BATCH_TOO_LARGE)
    assert (item.original, item.size) == (damaged, len(damaged))
    assert found.next_fetch_offset == 17


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_an_unknown_codec_is_named(codec: int) -> None:
    found = records_of(with_header(batch([b"a", b"b"], 3), attributes=codec) + batch([b"c"], 5), 3)

    assert [r.value for r in found] == [b"c"]
    [item] = found.set_aside
    assert item.reason is RejectReason.UNKNOWN_CODEC
    assert f"codec {codec}" in item.message


def test_what_a_letter_would_hold_of_a_large_batch_is_cut() -> None:
    data = flipped(batch([os.urandom(MAX_ORIGINAL_BYTES * 2)]), 8 * 300)

    found = records_of(data)

    assert list(found) == []
    [item] = found.set_aside
    assert (len(item.original), item.size) == (MAX_ORIGINAL_BYTES, len(data))


def bomb(codec: int) -> bytes:
    """A gigabyte of nothing: 16 times the same 64 MiB, which every codec but snappy may repeat."""
    nothing = bytes(64 * 1024 * 1024)
    match codec:
        case codecs.GZIP:
            return bytes(cramjam.gzip.compress(nothing)) * 16
        case codecs.ZSTD:
            return bytes(cramjam.zstd.compress(nothing)) * 16
        case codecs.LZ4:
            lz4 = cramjam.lz4.Compressor(level=1)
            lz4.compress(nothing)
            return bytes(lz4.finish()) * 16
        case _:
            block = bytes(cramjam.snappy.compress_raw(nothing))
            framed = struct.pack(">i", len(block)) + block
            return codecs.XERIAL_HEADER + struct.pack(">ii", 1, 1) + framed * 16


@pytest.mark.parametrize("codec", CODECS[1:])
def test_a_bomb_is_never_inflated(codec: int) -> None:
    data = with_header(with_body(batch([b"a"]), bomb(codec)), attributes=codec)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    found = records_of(data + batch([b"after"], 1))

    assert [r.value for r in found] == [b"after"]
    assert [item.reason for item in found.set_aside] == [RejectReason.BATCH_TOO_LARGE]
    assert found.set_aside[0].size < 64 * 1024 * 1024
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * 1024
    assert grown < 2 * codecs.MAX_DECOMPRESSED_BYTES


def test_snappys_stated_size_is_not_believed() -> None:
    lie = b"\xff\xff\xff\xff\x0f" + bytes(50)
    data = with_header(with_body(batch([b"a"]), lie), attributes=codecs.SNAPPY)
    found = records_of(data)

    assert list(found) == []
    assert [item.reason for item in found.set_aside] == [RejectReason.BATCH_TOO_LARGE]


def test_a_batch_just_within_the_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = batch([bytes(100_000)] * 5)
    size = len(plain) - HEADER.size
    for codec in codecs.NAMES:
        data = batch([bytes(100_000)] * 5, codec=codec)
        monkeypatch.setattr(intake_batches, "MAX_DECOMPRESSED_BYTES", size)
        assert len(list(records_of(data))) == 5
        monkeypatch.setattr(intake_batches, "MAX_DECOMPRESSED_BYTES", size - 1)
        assert list(records_of(data)) == []


def test_records_are_taken_up_to_so_many_or_so_many_bytes_and_the_rest_later() -> None:
    found = records_of(batch([bytes(10_000)] * 10))

    taken, more = found.take(100, 25_000)
    assert (len(taken), more, found.next_fetch_offset) == (3, True, 3)
    assert (len(found.take(2, 1_000_000)[0]), found.next_fetch_offset) == (2, 5)
    assert (len(found.take(100, 1)[0]), found.next_fetch_offset) == (1, 6)
    rest, more = found.take(100, 1_000_000)
    assert (len(rest), more, found.next_fetch_offset) == (4, False, 10)


def test_after_some_damage_others_get_their_turn() -> None:
    spoilt = [SPOILT["cut records"](batch([b"x", b"y"], 2 * number)) for number in range(10)]
    found = records_of(b"".join(spoilt) + batch([b"a"], 20))
    met = []

    more = True
    while more:
        records, more = found.take(100, 1_000_000)
        met.append((len(records), len(found.set_aside)))
        found.set_aside.clear()

    assert met == [(0, 4), (0, 4), (1, 2)]


def test_ends_of_transactions_gaps_and_aborted_records_are_passed() -> None:
    body = (
        transactional([b"a", b"b"], 0, producer_id=1)
        + marker(2, 1, committed=True)
        + transactional([b"x", b"y"], 3, producer_id=2)
        + batch([b"c"], 5)
        + marker(6, 2, committed=False)
        + transactional([b"d"], 9, producer_id=2)
        + marker(10, 2, committed=True)
        + with_header(batch([b"e"], 20), delta=9)
        + with_header(with_body(batch([b"gone"], 30), b""), records=0, delta=4)
    )

    found = records_of(body, aborted=[(2, 3)])

    assert [(r.offset, r.value) for r in found] == [
        (0, b"a"),
        (1, b"b"),
        (5, b"c"),
        (9, b"d"),
        (20, b"e"),
    ]
    assert found.set_aside == []
    assert found.next_fetch_offset == 35


def test_a_damaged_batch_of_an_aborted_transaction_is_nobodys() -> None:
    damaged = with_body(transactional([b"x", b"y"], 0, producer_id=2), b"garbage")

    found = records_of(damaged + marker(2, 2, committed=False), aborted=[(2, 0)])

    assert offsets(found) == []
    assert found.set_aside == []
    assert found.next_fetch_offset == 3


def test_reading_begins_in_the_middle_of_a_batch() -> None:
    found = records_of(batch(TEXT, 0, codecs.ZSTD), 15)

    assert offsets(found) == [15, 16, 17, 18, 19]


def test_a_batch_that_is_sent_several_times_is_read_once() -> None:
    last = with_header(batch([b"c"], 2), delta=7)

    found = records_of(batch([b"a", b"b"]) + last * 3)

    assert [r.value for r in found] == [b"a", b"b", b"c"]
    assert (found.set_aside, found.next_fetch_offset) == ([], 10)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(None, id="null"),
        pytest.param(b"abc", id="three bytes"),
        pytest.param(bytes(8) + struct.pack(">i", -5) + bytes(60), id="negative length"),
        pytest.param(bytes(8) + struct.pack(">i", 2**31 - 1) + bytes(60), id="huge length"),
        pytest.param(bytes(8) + struct.pack(">i", 0) + bytes(60), id="no length"),
        pytest.param(batch([b"a"], 40)[:-1], id="cut"),
        pytest.param(batch([b"a"], 3), id="from before the position"),
        pytest.param(with_header(batch([b"a"]), base=-(2**63)), id="negative offset"),
        pytest.param(with_header(batch([b"a"], 40), delta=-1), id="negative span"),
        pytest.param(with_header(batch([b"a"], 40), records=-1), id="negative count"),
    ],
)
def test_what_is_no_batch_at_all_is_passed_too(body: bytes | None) -> None:
    found = records_of(body, 40)

    assert list(found) == []
    assert found.next_fetch_offset == (41 if body else 40)
    assert len(found.set_aside) == (1 if body else 0)


class Log:
    """A partition as a broker serves it: whole batches, from the one that holds the offset on."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int, bytes]] = []
        self.sound: list[int] = []

    @property
    def end(self) -> int:
        return self.batches[-1][1] + 1 if self.batches else 0

    def add(self, data: bytes, count: int, sound: bool) -> None:
        begin = self.end
        self.batches.append((begin, begin + count - 1, data))
        if sound:
            self.sound += range(begin, begin + count)

    def body(self, position: int) -> bytes:
        return b"".join(data for _, last, data in self.batches if last >= position)

    def read(self, highwater: bool) -> tuple[list[int], list[SetAside]]:
        """Read as a consumer does, fetch after fetch."""
        position, found, set_aside = 0, list[int](), list[SetAside]()
        while position < self.end:
            part = records_of(self.body(position), position, (), self.end if highwater else -1)
            found += offsets(part)
            set_aside += part.set_aside
            assert part.next_fetch_offset > position
            position = part.next_fetch_offset
        return found, set_aside


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A log in which any batch may have a bit turned over, anywhere but in its offset."""
    log = Log()
    for _ in range(draw(st.integers(1, 5))):
        count = draw(st.integers(1, 6))
        value = draw(st.binary(max_size=30)) * draw(st.sampled_from([1, 40]))
        data = batch([value] * count, log.end, draw(st.integers(0, 4)))
        spoilt = draw(st.booleans())
        if spoilt:
            data = flipped(data, draw(st.integers(64, 8 * len(data) - 1)))
        harmless = data[12:16] != b"\xff\xff\xff\xff"  # the leader's epoch: not read by anyone
        log.add(data, count, not spoilt or harmless)
    return log


@settings(max_examples=400, deadline=None)
@given(logs(), st.booleans())
def test_intact_batches_keep_all_their_records_whatever_is_damaged_around_them(
    log: Log, highwater: bool
) -> None:
    found, set_aside = log.read(highwater)

    assert found == log.sound
    assert bool(set_aside) == (len(log.sound) < log.end)


@settings(max_examples=400, deadline=None)
@given(logs(), st.integers(0, 63))
def test_a_batch_whose_offset_is_damaged_costs_no_other_its_records(log: Log, bit: int) -> None:
    """Where the end is known and something follows: else its offset is anyone's guess."""
    first, last, data = log.batches[0]
    log.batches[0] = (first, last, flipped(data, bit))
    rest = [offset for offset in log.sound if offset > last]

    found, _ = log.read(highwater=True)

    if len(log.batches) > 1 and len(log.sound) == log.end:
        assert set(rest) <= set(found)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 2**40))
def test_any_bytes_at_all_never_raise_and_never_stand_still(body: bytes, start: int) -> None:
    found = records_of(body, start)

    list(found)

    assert found.next_fetch_offset >= start + bool(body)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([0, 1, 2]),
    st.integers(0, 4),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    st.integers(0, 10_000),
    st.booleans(),
)
def test_spoilt_batches_of_every_format_never_raise(
    magic: int, codec: int, changes: list[tuple[int, int]], cut: int, seal: bool
) -> None:
    data = bytearray(
        batch(TEXT, codec=codec) if magic == 2 else legacy(TEXT, magic, codec=min(codec, 2))
    )
    for where, value in changes:
        data[where % len(data)] = value
    body = bytes(data)
    if seal and magic == 2:
        body = sealed(body[: max(HEADER.size, len(body) - cut % 50)])
    found = records_of(body + batch([b"after"], 1000))

    list(found)

    assert found.next_fetch_offset > 0
