"""One visit to the console: opened, scrolled from top to bottom, and recorded by the browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Response

from bench.api.console.trace import CATEGORIES, LONG_MS, Task, Trace

WIDTH, HEIGHT = 1280, 900
WHEEL_PX: Final = 600
"""About a screen of rows: each turn of the wheel draws new ones."""

PATIENCE_MS: Final = 120_000
ACT_AFTER: Final = 100
"""Turns of the wheel after which somebody acknowledges an alarm, so that the page has news."""

LOOP: Final = """() => {
  const begin = performance.now();
  let sum = 0;
  for (let at = 0; at < 3e7; at += 1) sum = (sum * 31 + at) | 0;
  return [performance.now() - begin, sum][0];
}"""
"""A fixed piece of work, to compare machines and moments by."""

ROOM: Final = """() => {
  const { scrollTop, scrollHeight, clientHeight } = document.querySelector('.list .scroll');
  return [scrollTop, scrollHeight - clientHeight];
}"""


@dataclass(slots=True)
class Scrolled:
    """A list, scrolled from its first row to its last.

    Attributes:
        turns: Of the wheel.
        seconds: How long that took.
        fetches: Answers with machines or alarms that came meanwhile.
        tasks: Tasks of the page's main thread meanwhile, the longest first.
    """

    turns: int
    seconds: float
    fetches: int
    tasks: list[Task]

    def figures(self, name: str) -> dict[str, float]:
        """Return what is printed."""
        return {f"{name}: {what}": value for what, value in _of_tasks(self.tasks).items()} | {
            f"{name}: turns of the wheel": self.turns,
            f"{name}: seconds": self.seconds,
            f"{name}: answers meanwhile": self.fetches,
        }


@dataclass(slots=True)
class Visit:
    """What one visit showed.

    Attributes:
        figures: By name; times in ms unless the name says otherwise.
        weights: Bytes as sent, of each file of the console.
        long_tasks: Tasks over 50 ms, by the list that was scrolled.
    """

    figures: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    long_tasks: dict[str, list[Task]] = field(default_factory=dict)


def visit(browser: Browser, url: str, act: Callable[[], None]) -> Visit:
    """Open the console with an empty cache, and scroll its fleet and its alarms.

    Args:
        browser: A Chromium.
        url: The api.
        act: Does something that the page hears of.
    """
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    context.set_default_timeout(PATIENCE_MS)
    seen = Visit()
    try:
        page = context.new_page()
        answers: list[Response] = []
        # a function: Playwright sets attributes on what it calls
        page.on("response", lambda answer: answers.append(answer))
        seen.figures["fixed loop, ms"] = float(page.evaluate(LOOP))
        _open(browser, page, url, seen)
        for answer in answers:
            path = urlsplit(answer.url).path
            if path == "/" or path.startswith("/console/"):
                seen.weights[path] = answer.request.sizes()["responseBodySize"]
        for name in ("fleet", "alarms"):
            if name == "alarms":
                page.get_by_role("navigation").get_by_role("link", name="Alarms").click()
                page.locator("#show").select_option("all")
            scrolled = _scroll(browser, page, answers, act)
            seen.figures |= scrolled.figures(name)
            seen.long_tasks[name] = [each for each in scrolled.tasks if each.wall_ms > LONG_MS]
    finally:
        context.close()
    return seen


def _open(browser: Browser, page: Page, url: str, seen: Visit) -> None:
    browser.start_tracing(page=page, categories=CATEGORIES)
    begin = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.locator(".list.fleet .row").first.wait_for()
    rows_ms = 1000 * (time.perf_counter() - begin)
    page.get_by_text("live", exact=True).wait_for()
    trace = Trace(browser.stop_tracing())
    seen.figures |= {
        "first paint, ms": trace.paint_ms("firstPaint"),
        "first contentful paint, ms": trace.paint_ms("firstContentfulPaint"),
        "rows stand there, ms": rows_ms,
    }
    seen.figures |= {f"opening: {what}": value for what, value in _of_tasks(trace.tasks()).items()}
    seen.long_tasks["opening"] = [each for each in trace.tasks() if each.wall_ms > LONG_MS]


def _scroll(
    browser: Browser, page: Page, answers: list[Response], act: Callable[[], None]
) -> Scrolled:
    """Scroll a list down, and up and down again until the page has fetched the machines anew."""
    rows = page.locator(".list .scroll")
    rows.locator(".row").first.wait_for()
    page.mouse.move(WIDTH / 2, HEIGHT / 2)
    before, turns, down, was_below = len(answers), 0, True, False
    browser.start_tracing(page=page, categories=CATEGORIES)
    begin = time.perf_counter()
    while not (was_below and _fetched_anew(answers[before:])):
        page.mouse.wheel(0, WHEEL_PX if down else -WHEEL_PX)
        turns += 1
        if turns == ACT_AFTER:
            act()
        if turns % 20 == 0:
            top, bottom = page.evaluate(ROOM)
            was_below |= top >= bottom - 1
            down = top <= 0 if not down else top < bottom - 1
    seconds = time.perf_counter() - begin
    trace = Trace(browser.stop_tracing())
    asked = [each for each in answers[before:] if urlsplit(each.url).path.endswith(LISTS)]
    return Scrolled(turns, seconds, len(asked), trace.tasks())


LISTS: Final = ("/assets", "/alarms")


def _fetched_anew(answers: list[Response]) -> bool:
    """Tell whether all machines were asked for since: their last page names no other."""
    pages = [each for each in answers if urlsplit(each.url).path.endswith("/assets")]
    begun = [number for number, each in enumerate(pages) if "cursor=" not in each.url]
    # two of them: once because of the news, once because the page looks from time to time
    return len(begun) > 1 and begun[-1] < len(pages) - 1


def _of_tasks(tasks: list[Task]) -> dict[str, float]:
    return {
        "longest task, ms": max((each.wall_ms for each in tasks), default=0.0),
        "longest task, ms of processor": max((each.cpu_ms for each in tasks), default=0.0),
        "tasks > 50 ms": sum(each.wall_ms > LONG_MS for each in tasks),
        "tasks > 50 ms of processor": sum(each.cpu_ms > LONG_MS for each in tasks),
    }
