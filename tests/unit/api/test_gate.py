"""Foreign hosts, foreign pages and bodies that are no JSON come no further; HEAD answers as GET."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from api.http.bodies import MAX_BODY_BYTES
from api.http.gate import ours
from common.settings import ApiSettings
from tests.support.api import Running, api_routes, running

REPLAYS = "/api/v1/replays"
BODY = b'{"dataset": "SIM", "engines": "1"}'
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running() as started:
        started.services.changed.closed = True  # streams end at once
        yield started


PATHS = [
    re.sub(r"\{\w+\}", "x", route.path) for route in api_routes() if "GET" in (route.methods or ())
]


def test_the_paths_are_all_there_are() -> None:
    assert len(PATHS) >= 11
    assert {"/health", "/api/v1/alerts/stream", "/api/v1/replays/x"} <= set(PATHS)


@pytest.mark.parametrize(
    ("settings", "host", "accepted"),
    [
        (ApiSettings(), "localhost", True),
        (ApiSettings(), "LOCALHOST.:8080", True),
        (ApiSettings(), "127.0.0.1:8080", True),
        (ApiSettings(), "127.1.2.3", True),
        (ApiSettings(), "[::1]:8080", True),
        (ApiSettings(), "evil.example", False),
        (ApiSettings(), "localhost.evil.example", False),
        (ApiSettings(), "evil.example:8080", False),
        (ApiSettings(), "10.0.0.7", False),
        (ApiSettings(), "", False),
        (ApiSettings(host="api.internal"), "API.internal:80", True),
        (ApiSettings(host="0.0.0.0"), "10.0.0.7:8080", True),  # noqa: S104 - the case
        (ApiSettings(host="::"), "[fe80::1]:8080", True),
        (ApiSettings(host="0.0.0.0"), "evil.example", False),  # noqa: S104 - the case
        (ApiSettings(allowed_hosts=" a.example , B.example:80"), "b.example", True),
        (ApiSettings(allowed_hosts="a.example"), "c.example", False),
        (ApiSettings(allowed_hosts="*"), "c.example", True),
    ],
)
async def test_only_our_hosts_are_answered(
    settings: ApiSettings, host: str, accepted: bool
) -> None:
    async with running(settings=settings) as api:
        answer = await api.client.get("/health", headers={"Host": host})

    assert answer.status_code == (200 if accepted else 421)
    if not accepted:
        assert answer.json()["type"] == "urn:surgeline:problem:foreign_host"
        assert "SURGELINE_API__ALLOWED_HOSTS" in answer.json()["detail"]


async def test_a_foreign_host_is_answered_by_no_route(api: Running) -> None:
    for path in [*PATHS, "/docs", "/openapi.json", "/metrics", "/nowhere"]:
        answer = await api.client.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 421, path


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "http://evil.example"}, id="another page"),
        pytest.param({"Origin": "null"}, id="a page of nowhere"),
        pytest.param({"Origin": "http://localhost:1"}, id="another port"),
        pytest.param({"Origin": "http://[bad"}, id="no origin at all"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="as browsers say it"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
async def test_another_page_changes_nothing(
    api: Running, method: str, headers: dict[str, str]
) -> None:
    answer = await api.client.request(method, REPLAYS, content=BODY, headers=JSON | headers)

    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:surgeline:problem:foreign_origin"
    assert api.fakes.launcher.launched == []


async def test_our_own_page_may(api: Running) -> None:
    headers = JSON | {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}

    assert (await api.client.post(REPLAYS, content=BODY, headers=headers)).status_code == 202


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"]
)
async def test_what_a_form_can_send_is_no_body(api: Running, kind: str) -> None:
    answer = await api.client.post(REPLAYS, content=BODY, headers={"Content-Type": kind})

    assert answer.status_code == 415
    assert api.fakes.launcher.launched == []


async def test_a_body_without_end_is_not_read(api: Running) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 1024

    answer = await api.client.post(REPLAYS, content=body(), headers=JSON)

    assert answer.status_code == 413
    assert sent <= MAX_BODY_BYTES // 1024 + 1


async def test_every_get_answers_head_with_the_same_status_and_no_body(api: Running) -> None:
    for path in [*PATHS, "/docs", "/openapi.json"]:
        got, head = await api.client.get(path), await api.client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["content-type"] == got.headers["content-type"], path


async def test_head_of_a_stream_that_goes_on_for_ever_ends() -> None:
    async with running() as api:
        answer = await api.client.head("/api/v1/alerts/stream")

        assert (answer.status_code, answer.content) == (200, b"")
        assert "surgeline_api_sse_subscribers 0.0" in (await api.client.get("/metrics")).text


async def test_made_up_methods_are_one_label(api: Running) -> None:
    for method in ("BREW", "WHEN"):
        assert (await api.client.request(method, "/health")).status_code == 405

    text = (await api.client.get("/metrics")).text
    assert 'method="other",route="/health",status="405"} 2.0' in text
    assert "BREW" not in text


def test_an_empty_list_of_hosts_allows_no_empty_host() -> None:
    assert not ours(ApiSettings(allowed_hosts=",, ,"))("")


async def test_a_body_that_does_not_arrive_is_given_up(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.bodies.BODY_TIMEOUT_S", 0.01)

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await api.client.post(REPLAYS, content=body(), headers=JSON)

    assert answer.status_code == 408
    assert api.fakes.launcher.launched == []
