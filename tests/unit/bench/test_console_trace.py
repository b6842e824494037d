"""Figures of a browser's trace: of the right page, in the right unit."""

from __future__ import annotations

import json

import pytest

from bench.api.console.trace import Trace


def event(name: str, thread: int, **more: object) -> dict[str, object]:
    return {"name": name, "pid": 1, "tid": thread, "ts": 0, "ph": "X", "args": {}} | more


def main_thread(number: int) -> dict[str, object]:
    return event("thread_name", number, ph="M", args={"name": "CrRendererMain"})


def moment(name: str, ts: int, navigation: str, url: str = "") -> dict[str, object]:
    said = {"data": {"navigationId": navigation, "documentLoaderURL": url}}
    return event(name, 7, ts=ts, ph="R", args=said)


def read(*events: dict[str, object]) -> Trace:
    return Trace(json.dumps({"traceEvents": events}).encode())


def test_tasks_are_those_of_the_page_that_works_with_what_is_longest_in_them() -> None:
    trace = read(
        main_thread(7),
        main_thread(8),
        event("RunTask", 7, ts=100, dur=80_000, tdur=20_000),
        event("Layout", 7, ts=200, dur=60_000),
        event("RunTask", 7, ts=90_000, dur=3_000, tdur=2_000),
        event("RunTask", 8, dur=70_000),
        event("RunTask", 9, dur=900_000),
    )

    longest, other = trace.tasks()

    assert (longest.wall_ms, longest.cpu_ms, longest.holds) == (80, 20, "Layout 60")
    assert (other.wall_ms, other.cpu_ms, other.holds) == (3, 2, "")


def test_a_paint_is_counted_from_its_own_navigation() -> None:
    trace = read(
        main_thread(7),
        moment("navigationStart", 1_000, "page", "http://127.0.0.1/"),
        moment("navigationStart", 5_000, "empty"),
        moment("firstPaint", 5_500, "empty"),
        moment("firstPaint", 301_000, "page"),
    )

    assert trace.paint_ms("firstPaint") == pytest.approx(300)


def test_a_trace_without_a_page_says_so() -> None:
    with pytest.raises(AssertionError, match="no main thread"):
        read(event("RunTask", 7, dur=1))
