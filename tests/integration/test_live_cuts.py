"""Subscribers that are cut off again and again while alerts arrive, over both transports.

The cuts are of TCP: in the middle of an event, of a frame, of the handshake. The real broker, the
api as a process.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from common.links.kafka import ensure_topics, make_producer, started
from common.records.alerts import Alert
from common.settings import KafkaSettings
from common.topics import Topics
from tests.support.alerts import make_alert
from tests.support.api_process import ApiProcess

CUTS = 50
AT_A_TIME = 6
"""Alerts published between two cuts of the subscriber that is furthest."""

EVENT_BYTES = 700
"""About what one alert has on a line."""


@pytest.fixture
async def api(kafka_settings: KafkaSettings, tmp_path: Path) -> AsyncIterator[ApiProcess]:
    await ensure_topics(kafka_settings)
    process = ApiProcess(kafka_settings, tmp_path)
    process.start()
    yield process
    assert process.stop() == 0, process.log()


class Transport(Protocol):
    """How a subscriber asks, and what of the bytes it got it can use."""

    path: str

    def request(self, last_id: str | None) -> str:
        """Return the head of the request."""

    def told(self, body: bytes) -> list[tuple[str, str]]:
        """Return the id and the data of each event that is complete; data is empty where none."""


class Sse:
    """Server-Sent Events, over HTTP/1.0 so that no chunks are between them."""

    path = "stream"

    def request(self, last_id: str | None) -> str:
        resume = "" if last_id is None else f"Last-Event-ID: {last_id}\r\n"
        return f"HTTP/1.0\r\nHost: localhost\r\n{resume}\r\n"

    def told(self, body: bytes) -> list[tuple[str, str]]:
        found = []
        for block in body.decode(errors="ignore").split("\r\n\r\n")[:-1]:
            fields = dict(line.partition(": ")[::2] for line in block.split("\r\n"))
            if "id" in fields:
                found.append((fields["id"], fields.get("data", "")))
        return found


class Ws:
    """WebSocket frames: short, or with two bytes more of length; never masked, never in parts."""

    path = "ws"

    def request(self, last_id: str | None) -> str:
        resume = "" if last_id is None else f"Last-Event-ID: {last_id}\r\n"
        return (
            f"HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{resume}"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

    def told(self, body: bytes) -> list[tuple[str, str]]:
        found = []
        while len(body) >= 4:
            size, head = body[1], 2
            if size == 126:
                size, head = int.from_bytes(body[2:4], "big"), 4
            if len(body) < head + size:
                break
            message = json.loads(body[head : head + size])
            if "id" in message:
                found.append(
                    (message["id"], json.dumps(message["data"]) if "data" in message else "")
                )
            body = body[head + size :]
        return found


class Subscriber:
    """One client that keeps its last id, and is cut off.

    Attributes:
        seen: The alert ids it got, in order.
        cuts: How often it was cut.
    """

    def __init__(self, url: str, room: str, transport: Transport, dice: Random) -> None:
        self._host, self._port = urlsplit(url).hostname or "", urlsplit(url).port or 0
        self._room, self._transport, self._dice = room, transport, dice
        self._last_id: str | None = None
        self.seen: list[str] = []
        self.cuts = 0

    async def follow(self, published: Sequence[str], *, cut: bool) -> None:
        """Connect once, and read until all is there or, sooner, the line is cut."""
        most = self._dice.randrange(1, 2 * AT_A_TIME * EVENT_BYTES) if cut else None
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            path = f"/api/v1/{self._room}/{self._transport.path}?replay=all"
            writer.write(f"GET {path} {self._transport.request(self._last_id)}".encode())
            got, had = b"", len(self.seen)
            while len(self.seen) < len(published) and (most is None or len(got) < most):
                more = await reader.read(65536 if most is None else most - len(got))
                assert more, f"the api ended the line after {got[-300:]!r}"
                got += more
                self.seen[had:] = self._use(got)
        finally:
            self.cuts += 1
            writer.transport.abort()

    def _use(self, got: bytes) -> list[str]:
        head, ended, body = got.partition(b"\r\n\r\n")
        if not ended:
            return []
        assert head.split()[1] in (b"200", b"101"), head
        found = self._transport.told(body)
        if found:
            self._last_id = found[-1][0]
        return [json.loads(data)["alert_id"] for _, data in found if data]


async def publish(kafka: KafkaSettings, alerts: Sequence[Alert]) -> None:
    topic = Topics(kafka.topic_prefix).alerts
    async with started(make_producer(kafka)) as producer:
        for alert in alerts:
            await producer.send(topic, alert.to_json(), key=alert.asset_id.encode())
        await producer.flush()


async def test_a_subscriber_that_is_cut_fifty_times_has_each_alert_once(
    api: ApiProcess, kafka_settings: KafkaSettings
) -> None:
    seed = secrets.randbits(32)
    dice = Random(seed)
    alerts = [
        make_alert(number, asset_id=f"engine-{dice.randrange(9)}", reason="°" * dice.randrange(200))
        for number in range(1, CUTS * AT_A_TIME + 1)
    ]
    subscribers = [
        Subscriber(api.url, room, transport, Random(dice.random()))
        for room in ("alerts", "alarms")
        for transport in (Sse(), Ws())
    ]
    published: list[str] = []
    async with asyncio.timeout(120):
        for begin in range(0, len(alerts), AT_A_TIME):
            part = alerts[begin : begin + AT_A_TIME]
            published += [alert.alert_id for alert in part]
            await asyncio.gather(
                publish(kafka_settings, part),
                *(subscriber.follow(published, cut=True) for subscriber in subscribers),
            )
        await asyncio.gather(*(one.follow(published, cut=False) for one in subscribers))

    for one in subscribers:
        assert one.cuts > CUTS
        assert sorted(one.seen) == sorted(published), f"seed {seed}"
        assert one.seen == subscribers[0].seen, f"seed {seed}"
