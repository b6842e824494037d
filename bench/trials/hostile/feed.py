"""What strangers put on a topic and into a state store: everything but sound readings.

Nothing here bears the name of a healthy asset's run; what bears a healthy asset's key says nothing.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from redis.asyncio import Redis

from common.settings import KafkaSettings
from common.topics import StateKeys, Topics
from tests.support.batches import SPOILT, Message, batch, marker, produce_raw, sealed
from tests.support.builders import sound_reading

CODECS: Final = {0: "plain", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
STAMPS: Final = (None, 0, 1, 1_767_225_600, 1_767_225_600_000_000, 2**62)
TIMES: Final = (
    "86400",
    "1e9",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59+00:00",
    "now",
    "",
    None,
)
NUMBERS: Final[tuple[object, ...]] = (
    None,
    float("nan"),
    float("inf"),
    10**400,
    "word",
    True,
    [],
    1e308,
    -1e18,
)
LARGEST_VALUE: Final = 800_000
BOMB_BYTES: Final = 96 * 1024 * 1024
"""What a batch of 400 kB on the wire would become: more than any batch may."""

Record = tuple[bytes | None, bytes | None, int | None, list[tuple[str, bytes]]]
"""Key, value, stamp, headers."""


class Stranger:
    """Sends hostile things; counts them by kind.

    Args:
        kafka: Where.
        chance: Decides everything.
        victims: Keys of healthy assets, under which nonsense is sent too.
    """

    def __init__(self, kafka: KafkaSettings, chance: random.Random, victims: Sequence[str]) -> None:
        self.sent: Counter[str] = Counter()
        self._kafka, self._chance = kafka, chance
        self._topic = Topics(kafka.topic_prefix).readings
        self._victims = victims
        self._records: tuple[Callable[[], Record], ...] = (
            self._bytes, self._broken_json, self._odd_field, self._odd_time, self._odd_number,
            self._odd_stamp, self._odd_key, self._large, self._repeats, self._odd_headers,
        )  # fmt: skip

    async def send_records(self, producer: AIOKafkaProducer, count: int) -> None:
        """Send some records of any kind through an ordinary producer."""
        for _ in range(count):
            kind = self._chance.choice(self._records)
            key, value, stamp, headers = kind()
            self.sent[kind.__name__.strip("_").replace("_", " ")] += 1
            await producer.send(
                self._topic, value, key=key, timestamp_ms=stamp, headers=headers,
                partition=self._chance.randrange(self._kafka.partitions),
            )  # fmt: skip

    async def send_batches(self) -> None:
        """Send batches that no producer would make: damaged, compressed, ends of transactions."""
        values = [self._broken_json()[1] for _ in range(3)]
        codec = self._chance.choice([1, 2, 3, 4])
        name, spoil = self._chance.choice(list(SPOILT.items()))
        raw = {
            f"batch: {name}": spoil(batch(values)),
            f"batch in {CODECS[codec]}": batch(values, codec=codec),
            f"damaged batch in {CODECS[codec]}": self._flipped(batch(values, codec=codec)),
            "end of a transaction": marker(0, 1, committed=True),
            "header key that is no text": sealed(
                batch([Message(b"{}", b"stranger", [("name", b"x")])]).replace(
                    b"name", b"\xff\xfe!!"
                )
            ),
        }
        partition = self._chance.randrange(self._kafka.partitions)
        await produce_raw(
            self._kafka.bootstrap_servers, self._topic, *raw.values(), partition=partition
        )
        self.sent.update(raw.keys())

    async def send_bomb(self) -> None:
        """Send a batch that is small on the wire and huge in memory."""
        builder = DefaultRecordBatchBuilder(2, 1, 0, -1, -1, -1, 1 << 30)
        builder.append(0, 1_767_225_600_000, b"bomb", bytes(BOMB_BYTES), [])
        partition = self._chance.randrange(self._kafka.partitions)
        await produce_raw(
            self._kafka.bootstrap_servers, self._topic, bytes(builder.build()), partition=partition
        )
        self.sent["bomb"] += 1

    async def plant(self, redis: Redis, keys: StateKeys, run_id: str) -> None:
        """Put a foreign value in the place of a healthy asset's state, or of a progress."""
        value = self._chance.choice([b"", b"foreign", b"\xff" * 300, b"-1", b"{}"])
        if self._chance.random() < 0.2:
            name = keys.partition(self._chance.randrange(self._kafka.partitions))
            self.sent["foreign progress in Redis"] += 1
        else:
            name = keys.asset_state(self._chance.choice(self._victims), run_id)
            self.sent["foreign state in Redis"] += 1
        await redis.set(name, value)

    def _flipped(self, data: bytes) -> bytes:
        place = self._chance.randrange(21, len(data))
        return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]

    def _key(self) -> bytes:
        return self._chance.choice(self._victims).encode()

    def _reading(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(
            sound_reading(self._chance.randrange(1, 10_000), "stranger").to_json()
        )
        return found

    def _bytes(self) -> Record:
        return self._key(), self._chance.randbytes(self._chance.randrange(200)), None, []

    def _broken_json(self) -> Record:
        body = sound_reading(1, "stranger").to_json()
        return self._key(), body[: self._chance.randrange(len(body))], None, []

    def _odd_field(self) -> Record:
        body = self._reading()
        body[self._chance.choice(list(body))] = self._chance.choice(NUMBERS)
        return b"stranger", json.dumps(body).encode(), None, []

    def _odd_time(self) -> Record:
        body = {**self._reading(), "ts": self._chance.choice(TIMES)}
        return b"stranger", json.dumps(body).encode(), None, []

    def _odd_number(self) -> Record:
        body = self._reading()
        sensors = dict(body["sensors"])  # type: ignore[call-overload]
        sensors[self._chance.choice([*sensors, "x" * 500])] = self._chance.choice(NUMBERS)
        return b"stranger", json.dumps({**body, "sensors": sensors}).encode(), None, []

    def _odd_stamp(self) -> Record:
        body = sound_reading(self._chance.randrange(1, 10_000), "stranger").to_json()
        return b"stranger", body, self._chance.choice(STAMPS), []

    def _odd_key(self) -> Record:
        key = self._chance.choice([None, b"", b"\x1b[2J\x1b]0;x\x07", b"k" * 5000, b"\xff\xfe"])
        return key, sound_reading(1, "stranger").to_json(), None, []

    def _large(self) -> Record:
        return self._key(), b"{" + b" " * self._chance.randrange(LARGEST_VALUE), None, []

    def _repeats(self) -> Record:
        body = sound_reading(1 + self.sent.total() % 50, "stranger").to_json()
        return b"stranger", body, None, []

    def _odd_headers(self) -> Record:
        headers = [("traceparent", self._chance.randbytes(30)), ("", b""), ("ä" * 50, b"\xff")]
        return b"stranger", sound_reading(1, "stranger").to_json(), None, headers
