"""Logs of errors are short, quick to make, and hold no values of variables."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal

import httpx
import pytest
import structlog

from common.errors import BackendUnavailableError
from common.logs import configure_logging, get_logger
from common.settings import LogSettings
from common.tracebacks import MOST_LINES, one_line, plain_traceback

SECRET = "hunter2-" + "correct-horse"
QUICK_S = 0.5
"""A rich traceback of these takes seconds; one that is plain, milliseconds."""


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, threading.excepthook
    logs = structlog.get_config()
    yield
    root.handlers[:], threading.excepthook = handlers, hook
    root.setLevel(level)
    structlog.configure(**logs)
    structlog.contextvars.clear_contextvars()


def deep(frames: int) -> None:
    password, huge = SECRET, [SECRET * 100] * 10_000
    if frames == 0:
        raise ValueError("at the bottom")
    deep(frames - 1)
    assert password
    assert huge


def recursion() -> None:
    deep(900)


def chain() -> None:
    error: Exception | None = None
    for number in range(200):
        try:
            try:
                deep(20)
            finally:
                if error is not None:
                    raise RuntimeError(f"link {number}") from error
        except Exception as exc:  # noqa: BLE001 - a long chain is what is wanted
            error = exc
    assert error is not None
    raise error


def large_words() -> None:
    raise ValueError("\n".join(["a line of it"] * 100_000))


def group() -> None:
    found: list[Exception] = []
    for _ in range(50):
        try:
            deep(30)
        except ValueError as exc:
            found.append(exc)
    raise ExceptionGroup("many at once", [ExceptionGroup("inner", found), *found])


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def unspeakable() -> None:
    raise UnspeakableError


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("fails", [recursion, chain, large_words, group, unspeakable])
def test_any_error_is_logged_short_quickly_and_without_values_of_variables(
    fails: Callable[[], None], form: Literal["console", "json"]
) -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(format=form), "test", stream)
    try:
        fails()
    except Exception:
        began = time.thread_time()  # its own work: the machine may be busy
        get_logger("test").exception("it failed", data=["x" * 1000] * 1000)
        logging.getLogger("library").exception("it failed too")
        took_s = time.thread_time() - began

    said = stream.getvalue()
    assert took_s < QUICK_S
    assert SECRET not in said
    assert len(said) < 40_000
    assert len(said.splitlines()) <= 2 * (MOST_LINES + 3)
    assert fails.__name__ in said
    if form == "json":
        assert [json.loads(line)["event"] for line in said.splitlines()] == [
            "it failed",
            "it failed too",
        ]


def test_a_traceback_names_where_it_was_called_and_where_it_happened() -> None:
    with pytest.raises(ValueError, match="bottom") as caught:
        recursion()

    lines = plain_traceback(caught.value).splitlines()

    assert lines[0] == "Traceback (most recent call last):"
    assert any("in recursion" in line for line in lines)
    assert "  ... 893 frames ..." in lines  # of 903
    assert lines[-2].strip() == 'raise ValueError("at the bottom")'
    assert lines[-1] == "ValueError: at the bottom"


def test_a_cause_comes_before_what_it_caused() -> None:
    def second() -> None:
        try:
            int("x")
        except ValueError as exc:
            raise RuntimeError("second") from exc

    with pytest.raises(RuntimeError) as caught:
        second()

    lines = plain_traceback(caught.value).splitlines()

    first = next(n for n, line in enumerate(lines) if line.startswith("ValueError"))
    assert lines[first + 1] == "... which was the cause of:"
    assert lines[-1] == "RuntimeError: second"


def test_one_line_of_ours_is_its_own_words() -> None:
    assert one_line(BackendUnavailableError("the disk\nis full")) == "the disk is full"
    assert one_line(KeyError()) == "KeyError"


def test_the_log_of_requests_has_hosts_and_no_paths() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(level="DEBUG"), "test", stream)
    logging.getLogger("httpx").setLevel(logging.NOTSET)  # other tests' INFO has made it quiet
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    with httpx.Client(transport=transport) as client:
        client.post(f"https://{SECRET}@chat.plant.org:8443/hooks/{SECRET}?token={SECRET}")

    assert "POST https://chat.plant.org:8443/" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_a_thread_that_fails_is_an_event_of_the_log() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(format="json"), "test", stream)
    thread = threading.Thread(target=recursion, name="of-a-library")

    thread.start()
    thread.join()

    (event,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert event["event"] == "a thread failed: of-a-library"
    assert event["exception"].endswith("ValueError: at the bottom")
