"""Figures from Chromium's own trace of a page: its paints, and the tasks of its main thread.

The format is the Trace Event Format of Chromium: times are microseconds; a task is a ``RunTask`` on
the thread ``CrRendererMain``, with ``dur`` by the clock on the wall, and ``tdur`` of the processor.
On a busy machine the first holds what other programs took meanwhile, the second does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

CATEGORIES: Final = [
    "-*", "loading", "blink.user_timing", "devtools.timeline",
    "disabled-by-default-devtools.timeline",
]  # fmt: skip
LONG_MS: Final = 50.0
"""A task that is longer is felt: https://www.w3.org/TR/longtasks-1/."""

TASK: Final = "RunTask"
Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One task of the page's main thread.

    Attributes:
        wall_ms: How long it took.
        cpu_ms: How long the processor worked on it.
        holds: The longest things in it, by name: where to look.
    """

    wall_ms: float
    cpu_ms: float
    holds: str


class Trace:
    """A trace, read.

    Args:
        raw: JSON, as Chromium wrote it.
    """

    def __init__(self, raw: bytes) -> None:
        self._events: list[Event] = json.loads(raw)["traceEvents"]
        self._thread = self._main_thread()

    def tasks(self) -> list[Task]:
        """Return the main thread's tasks, the longest first."""
        ours = [each for each in self._of_page() if each.get("ph") == "X"]
        found = [each for each in ours if each["name"] == TASK]
        found.sort(key=lambda each: -each["dur"])
        return [
            Task(
                each["dur"] / 1000,
                each["tdur"] / 1000 if "tdur" in each else each["dur"] / 1000,
                _holds(each, ours) if each["dur"] > 1000 * LONG_MS else "",
            )
            for each in found
        ]

    def paint_ms(self, name: str) -> float:
        """Return when something was first painted after the navigation, ms."""
        starts = {
            each["args"]["data"]["navigationId"]: each["ts"]
            for each in self._events
            if each["name"] == "navigationStart" and each["args"]["data"]["documentLoaderURL"]
        }
        painted = [
            each["ts"] - starts[each["args"]["data"]["navigationId"]]
            for each in self._events
            if each["name"] == name and each["args"]["data"]["navigationId"] in starts
        ]
        return float(min(painted)) / 1000

    def _of_page(self) -> Iterator[Event]:
        return (each for each in self._events if (each["pid"], each["tid"]) == self._thread)

    def _main_thread(self) -> tuple[int, int]:
        """Return the thread that has worked most among the main threads of renderers."""
        threads = {
            (each["pid"], each["tid"]): 0
            for each in self._events
            if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
        }
        for each in self._events:
            place = (each["pid"], each["tid"])
            if place in threads and each["name"] == TASK:
                threads[place] += each.get("dur", 0)
        assert threads, "the trace has no main thread of a page"
        return max(threads, key=lambda place: threads[place])


def _holds(task: Event, events: list[Event]) -> str:
    end = task["ts"] + task["dur"]
    inside = [
        each
        for each in events
        if task["ts"] <= each["ts"] < end and each is not task and each["name"] != TASK
    ]
    inside.sort(key=lambda each: -each["dur"])
    return ", ".join(f"{each['name']} {each['dur'] / 1000:.0f}" for each in inside[:3])
