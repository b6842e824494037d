"""A defect costs its own request an answer of 500, and no other request anything."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from api.http import defects
from api.http.defects import MAX_TRACEBACK_CHARS, bounded_traceback
from tests.support.api import Running, running


class Log:
    """What was logged."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def error(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event} | fields)


class UnspeakableError(Exception):
    """Raises when it is shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def add_defect(api: Running, exc: BaseException) -> None:
    async def broken() -> None:
        heavy = ["local-variable"] * 100_000
        if heavy:
            raise exc

    api.app.add_api_route("/broken", broken)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    found = Log()
    monkeypatch.setattr(defects, "_log", found)
    return found


async def test_a_defect_is_answered_and_logged_once_under_one_id(log: Log) -> None:
    async with running() as api:
        add_defect(api, RuntimeError("of ours"))
        answer = await api.client.get("/broken")
        health = await api.client.get("/health")

    body = answer.json()
    assert (answer.status_code, body["type"]) == (500, "urn:surgeline:problem:internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["request_id"] in body["detail"]
    assert health.headers["x-request-id"] != body["request_id"]
    (event,) = log.events
    assert (event["request_id"], event["path"]) == (body["request_id"], "/broken")
    assert event["exception"].startswith("Traceback")
    assert event["exception"].endswith("RuntimeError: of ours")
    assert "local-variable" not in event["exception"].replace('["local-variable"]', "")


async def test_others_are_served_while_a_traceback_is_written(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback waits for another request to be served: on the event loop, none ever would."""
    served, writing = threading.Event(), threading.Event()

    def slow(exc: BaseException) -> str:
        writing.set()
        assert served.wait(60)
        return repr(exc)

    monkeypatch.setattr(defects, "bounded_traceback", slow)
    async with running() as api:
        add_defect(api, RuntimeError("of ours"))
        broken = asyncio.create_task(api.client.get("/broken"))
        await asyncio.to_thread(writing.wait, 60)
        assert (await api.client.get("/health")).status_code == 200
        assert log.events == []
        served.set()
        assert (await broken).status_code == 500
    assert len(log.events) == 1


@pytest.mark.parametrize(
    "exc",
    [
        pytest.param(ValueError("x" * 10_000_000), id="long"),
        pytest.param(ValueError("\ud800"), id="lone surrogate"),
        pytest.param(UnspeakableError(), id="unspeakable"),
        pytest.param(
            ExceptionGroup("many", [ValueError(str(n) * 1000) for n in range(1000)]), id="many"
        ),
        pytest.param(ValueError("http://user:hunter22@influx failed"), id="password"),
    ],
)
async def test_the_traceback_is_bounded_and_can_be_logged_whatever_was_raised(
    log: Log, exc: Exception
) -> None:
    async with running() as api:
        add_defect(api, exc)
        answer = await api.client.get("/broken")

    assert answer.status_code == 500
    (event,) = log.events
    text = event["exception"]
    assert len(text) <= MAX_TRACEBACK_CHARS + 100
    assert text.encode()
    assert "hunter22" not in text


def test_a_traceback_of_endless_recursion_is_bounded() -> None:
    def again(depth: int) -> int:
        return again(depth + 1) + 1

    try:
        again(0)
    except RecursionError as exc:
        text = bounded_traceback(exc)

    assert len(text) <= MAX_TRACEBACK_CHARS
    assert "RecursionError" in text
