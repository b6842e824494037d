"""A subscriber as users have them: says when each alert came, from the topic and over SSE.

    python -m bench.support.listener '{"brokers": ..., "topic": ..., "url": ..., "out": ...}'

Writes a line for each: where it came from, whose it is, and when, UTC epoch ms; `ready` when it
listens. A process of its own, so that nothing else keeps it from looking at its clock.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from pathlib import Path
from typing import TextIO

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from httpx_sse import aconnect_sse


def told(out: TextIO, source: str, text: str | bytes) -> None:
    """Write that an alert has come."""
    now_ms = time.time() * 1000
    alert = json.loads(text)
    if alert["state"] == "raised":
        out.write(f"{source} {alert['asset_id']} {now_ms:.3f}\n")


async def from_topic(brokers: str, topic: str, out: TextIO) -> None:
    """Read the topic from its beginning."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        group_id=f"listener-{uuid.uuid4().hex}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        out.write("topic ready 0\n")
        async for message in consumer:
            told(out, "topic", message.value)
    finally:
        await consumer.stop()


async def from_stream(url: str, out: TextIO) -> None:
    """Read the stream, from now on."""
    async with (
        httpx.AsyncClient(timeout=None, trust_env=False) as client,  # noqa: S113 - a stream
        aconnect_sse(client, "GET", url) as source,
    ):
        source.response.raise_for_status()
        out.write("sse ready 0\n")
        async for event in source.aiter_sse():
            if event.data:
                told(out, "sse", event.data)


async def listen(brokers: str, topic: str, url: str, out: TextIO) -> None:
    """Listen until killed."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(from_topic(brokers, topic, out))
        tasks.create_task(from_stream(url, out))


def main() -> None:
    """Write what comes, a line at a time."""
    given = json.loads(sys.argv[1])
    with Path(given.pop("out")).open("w", buffering=1, encoding="utf-8") as lines:
        asyncio.run(listen(**given, out=lines))


if __name__ == "__main__":
    main()
