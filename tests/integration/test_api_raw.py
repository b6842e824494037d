"""The api's front door as a stranger finds it: raw bytes, foreign hosts, defects beside others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from common.links.kafka import ensure_topics
from common.settings import KafkaSettings
from tests.support.api_process import ApiProcess

HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"


@pytest.fixture
async def api(kafka_settings: KafkaSettings, tmp_path: Path) -> AsyncIterator[ApiProcess]:
    await ensure_topics(kafka_settings)
    process = ApiProcess(kafka_settings, tmp_path)
    process.start()
    yield process
    assert process.stop() == 0, process.log()


async def said(api: ApiProcess, request: bytes) -> bytes:
    """Return the beginning of what the api says, or nothing if it hangs up."""
    url = httpx.URL(api.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(30):
            return await reader.read(4096)
    finally:
        writer.close()


REQUESTS: Final[list[tuple[bytes, set[int], str]]] = [
    (b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n", {200}, "plain"),
    (b"HEAD /health HTTP/1.1\r\n" + HOST + b"\r\n", {200}, "HEAD"),
    (
        b"HEAD /api/v1/alerts/stream HTTP/1.1\r\n" + HOST + b"\r\n", {200}, "HEAD of a stream"
    ),
    (b"GET /%zz%%00%ff HTTP/1.1\r\n" + HOST + b"\r\n", {404}, "bad escapes"),
    (
        b"GET /api/v1/alerts/%00 HTTP/1.1\r\n" + HOST + b"\r\n", {404}, "NUL in the path"
    ),
    (
        b"GET /api/v1/alerts/a%2Fb HTTP/1.1\r\n" + HOST + b"\r\n", {404}, "slash in an id"
    ),
    (
        b"GET /api/v1/alerts?cursor=%ED%A0%80 HTTP/1.1\r\n" + HOST + b"\r\n", {422},
        "surrogate in the query",
    ),
    ("GET /é HTTP/1.1\r\n".encode() + HOST + b"\r\n", {400, 404}, "raw UTF-8"),
    (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", {400, 404}, "raw bytes"),
    (b"BREW /health HTTP/1.1\r\n" + HOST + b"\r\n", {400, 405}, "BREW"),
    (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {400, 404, 405}, "OPTIONS *"),
    (
        b"GET http://evil.example/health HTTP/1.1\r\n" + HOST + b"\r\n", {200, 400, 404},
        "absolute target",
    ),
    (b"GET /health HTTP/1.0\r\n\r\n", {421}, "no Host"),
    (b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", {421}, "foreign"),
    (
        b"GET /health HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n\r\n", {400, 421},
        "two Hosts",
    ),
    (
        b"GET /api/v1/alerts/stream HTTP/1.1\r\nHost: evil.example\r\n\r\n", {421},
        "foreign stream",
    ),
    (
        b"POST /api/v1/replays HTTP/1.1\r\n" + HOST + b"Content-Type: text/plain\r\n"
        b'Content-Length: 18\r\n\r\n{"dataset": "SIM"}', {415}, "a form's JSON",
    ),
    (
        b"POST /api/v1/replays HTTP/1.1\r\n" + HOST + JSON + b"Origin: http://evil.example\r\n"
        b'Content-Length: 18\r\n\r\n{"dataset": "SIM"}', {403}, "another page",
    ),
    (
        b"DELETE /api/v1/replays/x HTTP/1.1\r\n" + HOST + b"Origin: null\r\n\r\n", {403},
        "a page of nowhere",
    ),
    (
        b"POST /api/v1/replays HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 99999999\r\n\r\n",
        {413}, "a huge body announced",
    ),
    (
        b"POST /api/v1/replays HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
        + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 2 + b"0\r\n\r\n", {413},
        "a huge body in parts",
    ),
    (b"\x16\x03\x01\x00garbage\r\n\r\n", {400}, "TLS"),
    (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", {400, 404, 414, 421, 431}, "long"),
]  # fmt: skip


async def test_whatever_bytes_come_the_answer_is_no_defect(api: ApiProcess) -> None:
    for request, statuses, name in REQUESTS:
        answer = await said(api, request)

        assert answer.startswith(b"HTTP/1."), (name, answer)
        assert int(answer.split(b" ", 2)[1]) in statuses, (name, answer)
        async with httpx.AsyncClient(base_url=api.url, trust_env=False) as http:
            assert (await http.get("/health")).status_code == 200, name
    assert "Traceback" not in api.log()
    assert "a defect" not in api.log()
