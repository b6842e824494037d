"""Live alerts over WebSockets: what the stream promises, and what strangers are told."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.access.guard import make_key
from api.access.roles import Role
from api.live.allowed import CHECK_S
from api.live.stream import BEGINNING
from api.live.websocket import MAX_MESSAGE_BYTES
from common.errors import BackendUnavailableError
from common.settings import ApiSettings
from tests.support.alerts import batch, make_alert
from tests.support.api import Fakes, eventually
from tests.support.clock import StillClock
from tests.support.served import Served, serving

ALERTS = [make_alert(cycle, asset_id=f"m{cycle}") for cycle in range(1, 9)]
IDS = [alert.alert_id for alert in ALERTS]
PATHS = ("/api/v1/alerts/ws", "/api/v1/alarms/ws")
PLENTY = 3000


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What strangers do is no error of the server's: they would fill its log."""
    yield
    assert [one.message for one in caplog.get_records("call") if "uvicorn" in one.name] == []


def opened(api: Served, path: str, **headers: str) -> AbstractAsyncContextManager[ClientConnection]:
    return connect(
        f"{api.ws}{path}", proxy=None, compression=None, additional_headers=headers, max_size=None
    )


async def arrive(api: Served, alerts: list[Any]) -> None:
    await api.fakes.history.store(batch(alerts))
    api.services.changed.notify()


async def told(socket_: ClientConnection, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        return [json.loads(await socket_.recv()) for _ in range(count)]


async def test_a_message_is_the_alert_as_it_stood_on_the_topic(api: Served) -> None:
    alert = make_alert(7, reason='°R rose, "twice"')
    async with opened(api, "/api/v1/alerts/ws") as client:
        first = await client.recv()
        await arrive(api, [alert])
        second = await client.recv()

    assert first == '{"id":"beginning"}'
    body = alert.to_json().decode()
    assert second == f'{{"id":"{alert.alert_id}","event":"raised","data":{body}}}'
    assert json.loads(second)["data"]["reason"] == '°R rose, "twice"'


@pytest.mark.parametrize(
    ("query", "header", "first"),
    [
        pytest.param("?replay=all", None, 0, id="from the first"),
        pytest.param("", None, 8, id="new ones only"),
        pytest.param(f"?last_event_id={IDS[3]}", None, 4, id="parameter"),
        pytest.param(f"?last_event_id={IDS[3]}", IDS[6], 7, id="header before parameter"),
        pytest.param("", BEGINNING, 0, id="cut off before the first alert"),
        pytest.param("?replay=all&asset_id=m3", None, 2, id="filter"),
    ],
)
async def test_where_it_begins(api: Served, query: str, header: str | None, first: int) -> None:
    await arrive(api, ALERTS)
    last = make_alert(99, asset_id="m3")
    headers = {} if header is None else {"Last-Event-ID": header}
    async with opened(api, f"/api/v1/alerts/ws{query}", **headers) as client:
        await told(client, 1)
        await arrive(api, [last])
        expected = [last.alert_id] if "m3" in query else [*IDS[first + 1 :], last.alert_id]
        found = [item["id"] for item in await told(client, 1 + len(expected) - (first == 8))]

    assert found == ([IDS[first], *expected] if first < 8 else expected)


async def test_alarms_tell_what_operators_do_and_resume_in_both(api: Served) -> None:
    await arrive(api, ALERTS[:1])
    async with opened(api, "/api/v1/alarms/ws?replay=all") as client:
        start, raised = await told(client, 2)
        path = f"/api/v1/alarms/{ALERTS[0].alarm_id}/acknowledge"
        assert (await api.client.post(path, json={"note": "seen"})).is_success
        (acknowledged,) = await told(client, 1)
    async with opened(api, f"/api/v1/alarms/ws?last_event_id={raised['id']}") as client:
        again = await told(client, 2)

    assert (start, raised["event"]) == ({"id": "beginning~0"}, "raised")
    assert acknowledged["event"] == "acknowledged"
    assert acknowledged["data"]["why"] == "seen"
    assert again == [{"id": raised["id"]}, acknowledged]


async def test_heartbeats_tell_that_the_line_is_alive() -> None:
    async with (
        serving(settings=ApiSettings(sse_heartbeat_s=1)) as api,
        opened(api, "/api/v1/alerts/ws") as client,
    ):
        assert await told(client, 2) == [{"id": "beginning"}, {"event": "heartbeat"}]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        pytest.param("ping?", 1008, "this stream takes no messages", id="text"),
        pytest.param("", 1008, "this stream takes no messages", id="nothing"),
        pytest.param(b"\0\xff", 1003, "no bytes", id="bytes"),
        pytest.param("x" * (MAX_MESSAGE_BYTES + 1), 1009, "", id="too long"),
        pytest.param(["x"] * (MAX_MESSAGE_BYTES + 1), 1009, "", id="too long in pieces"),
    ],
)
async def test_whoever_sends_something_is_told_why_it_ends(
    api: Served, path: str, sent: Any, code: int, reason: str
) -> None:
    async with opened(api, path) as client:
        await told(client, 1)
        try:
            await client.send(sent)
            with pytest.raises(ConnectionClosed):
                await told(client, 1)
        except ConnectionClosed:
            pass  # while the pieces went out

        assert client.close_code == code
        assert reason in (client.close_reason or "")
    await eventually(lambda: subscribers(api) == 0)


def subscribers(api: Served) -> float | None:
    return api.services.metrics.registry.get_sample_value("surgeline_api_sse_subscribers")


async def test_a_ping_is_answered(api: Served) -> None:
    async with opened(api, "/api/v1/alerts/ws") as client, asyncio.timeout(30):
        await (await client.ping())


async def test_an_api_that_stops_says_so(api: Served) -> None:
    async with opened(api, "/api/v1/alerts/ws") as client:
        await told(client, 1)
        api.services.changed.close()
        with pytest.raises(ConnectionClosed):
            await told(client, 1)

        assert (client.close_code, client.close_reason) == (
            1012,
            "the api stops: resume with the last id",
        )


async def test_a_history_that_fails_is_told(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(api, "/api/v1/alerts/ws") as client:
        await told(client, 1)

        async def gone(*_: object, **__: object) -> None:
            raise BackendUnavailableError("the disk is away")

        monkeypatch.setattr(api.fakes.history, "page", gone)
        api.services.changed.notify()
        with pytest.raises(ConnectionClosed):
            await told(client, 1)

        assert client.close_code == 1013
        assert "resume" in (client.close_reason or "")


async def test_a_defect_is_told_and_logged(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    async with opened(api, "/api/v1/alerts/ws") as client:
        await told(client, 1)
        monkeypatch.setattr(api.fakes.history, "page", broken)
        api.services.changed.notify()
        with pytest.raises(ConnectionClosed):
            await told(client, 1)
        assert client.close_code == 1011
    monkeypatch.setattr(api.fakes.history, "last", broken)

    assert await refusal(api, "/api/v1/alerts/ws") == (500, "internal_error")


async def refusal(api: Served, path: str, **headers: str) -> tuple[int, str]:
    """Return the status and the kind of problem with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with opened(api, path, **headers):
            pass
    response = refused.value.response
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    problem = json.loads(response.body or b"")
    assert problem["status"] == response.status_code
    return response.status_code, problem["type"].rpartition(":")[2]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ("?last_event_id=nobody", {}, (404, "unknown_event_id")),
        ("?min=1", {}, (422, "invalid_request")),
        ("?asset_id=a&asset_id=b", {}, (422, "invalid_request")),
        ("", {"Last-Event-ID": "x" * 201}, (422, "invalid_request")),
        ("", {"Origin": "https://evil.example"}, (403, "foreign_origin")),
        ("", {"Origin": "null"}, (403, "foreign_origin")),
        ("", {"Sec-Fetch-Site": "cross-site"}, (403, "foreign_origin")),
    ],
)
async def test_what_is_refused_is_refused_before_it_opens(
    api: Served, path: str, query: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert await refusal(api, path + query, **headers) == expected
    assert subscribers(api) == 0


async def test_our_own_page_may_open_one_and_a_foreign_name_leads_to_none(api: Served) -> None:
    async with opened(api, PATHS[0], Origin=f"http://127.0.0.1:{api.port}") as client:
        await told(client, 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(handshake(PATHS[0], "rebound.example"))

    assert (await reader.readline()).startswith(b"HTTP/1.1 421")
    writer.close()


def handshake(path: str, host: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("path", [*PATHS, "/api/v1/nothing/ws"])
async def test_where_keys_are_in_use_one_is_needed_and_strangers_are_noted(path: str) -> None:
    fakes = Fakes()
    secret, _ = await make_key(fakes.access, "anna", Role.VIEWER, fakes.clock.now())
    ended, _ = await make_key(
        fakes.access, "bo", Role.VIEWER, fakes.clock.now() - timedelta(2), timedelta(1)
    )
    async with serving(fakes, ApiSettings(keys="on")) as api:
        assert await refusal(api, path) == (401, "unauthorized")
        assert await refusal(api, path, Authorization=f"Bearer {ended}") == (401, "unauthorized")
        assert await refusal(api, path, Cookie="surgeline_session=x") == (401, "unauthorized")
        noted = await fakes.access.audit(10)
        assert {(entry.method, entry.path, entry.status) for entry in noted} == {("GET", path, 401)}
        if path in PATHS:
            async with opened(api, path, **{"X-API-Key": secret}) as client:
                await told(client, 1)
            login = await api.client.post("/api/v1/login", json={"key": secret})
            cookie = login.headers["set-cookie"].partition(";")[0]
            async with opened(api, path, Cookie=cookie) as client:
                await told(client, 1)
            crossed = await refusal(api, path, Cookie=cookie, Origin="https://evil.example")
            assert crossed == (403, "foreign_origin")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("by", ["key", "session"])
async def test_an_open_stream_ends_with_its_key(path: str, by: str) -> None:
    clock = StillClock()
    fakes = Fakes(clock=clock)
    secret, key = await make_key(fakes.access, "anna", Role.VIEWER, fakes.clock.now())
    async with serving(fakes, ApiSettings(keys="on")) as api:
        headers = {"X-API-Key": secret}
        if by == "session":
            login = await api.client.post("/api/v1/login", json={"key": secret})
            headers = {"Cookie": login.headers["set-cookie"].partition(";")[0]}
        async with opened(api, path, **headers) as client:
            await told(client, 1)
            clock.elapsed_s += CHECK_S
            await arrive(api, ALERTS[:1])  # it is still valid
            await told(client, 1)
            if by == "session":
                await api.services.guard.log_out(headers["Cookie"].partition("=")[2])
            else:
                await fakes.access.revoke(key.prefix, fakes.clock.now())
            clock.elapsed_s += CHECK_S
            await arrive(api, ALERTS[1:2])
            with pytest.raises(ConnectionClosed) as ended:
                await told(client, 2)  # one may have been read before

    assert ended.value.rcvd is not None
    assert (ended.value.rcvd.code, "has ended" in ended.value.rcvd.reason) == (1008, True)


@pytest.mark.parametrize("path", PATHS)
async def test_a_plain_request_is_told_what_this_is(api: Served, path: str) -> None:
    answer = await api.client.get(path)
    head = await api.client.head(path)

    assert (answer.status_code, head.status_code) == (426, 426)
    assert answer.json()["type"] == "urn:surgeline:problem:upgrade_required"
    assert f"{path.removesuffix('/ws')}/stream" in answer.json()["detail"]


async def test_a_client_that_does_not_read_is_waited_for_and_harms_nobody(api: Served) -> None:
    """What is written to it stops with the buffers; it gets the rest once it reads."""
    alerts = [make_alert(cycle, asset_id="m", reason="x" * 900) for cycle in range(1, PLENTY + 1)]
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(slow, ("127.0.0.1", api.port))
    await loop.sock_sendall(slow, handshake(f"{PATHS[0]}?replay=all", "localhost"))
    api.fakes.history.on_new = None  # nobody is notified of so many
    await arrive(api, alerts)
    async with opened(api, f"{PATHS[0]}?replay=all") as quick:
        seen = [item["id"] for item in await told(quick, PLENTY + 1)]

    assert seen[1:] == [alert.alert_id for alert in alerts]
    assert sent(api) < 2 * PLENTY
    reader, writer = await asyncio.open_connection(sock=slow)
    async with asyncio.timeout(30):
        await reader.readuntil(b"\r\n\r\n")
        got = [await frame(reader) for _ in range(PLENTY + 1)]
    assert [json.loads(text)["id"] for text in got[1:]] == seen[1:]
    writer.transport.abort()


def sent(api: Served) -> float:
    found = api.services.metrics.registry.get_sample_value("surgeline_api_sse_events_total")
    assert found is not None
    return found


async def frame(reader: asyncio.StreamReader) -> bytes:
    """Return the text of one frame from the server."""
    kind, size = await reader.readexactly(2)
    assert kind == 0x81
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    return await reader.readexactly(size)


async def test_who_sends_pings_and_reads_nothing_is_cut(api: Served) -> None:
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(slow, ("127.0.0.1", api.port))
    await loop.sock_sendall(slow, handshake(PATHS[0], "localhost"))
    assert await loop.sock_recv(slow, 12) == b"HTTP/1.1 101"
    ping = bytes([0x89, 0x80 | 125, 0, 0, 0, 0]) + b"x" * 125

    async def for_ever() -> None:
        while True:
            await loop.sock_sendall(slow, ping * 500)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(for_ever(), 30)
    slow.close()
    await eventually(lambda: subscribers(api) == 0)
