"""A real browser for tests of pages: Chromium, driven by Playwright, and watched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.servers.backends import require

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 30_000

Scheme = Literal["light", "dark"]


@dataclass
class Watched:
    """A page, and what went wrong on it.

    Attributes:
        page: The page.
        complaints: Errors of scripts, refusals of the content security policy, failed files.
        hosts: What it asked for anything.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def violations(self, *, of_colours: bool = False) -> list[str]:
        """Return what axe-core finds on the page as it is: all, or what depends on colours."""
        options = {"resultTypes": ["violations"]}
        if of_colours:
            options["runOnly"] = ["color-contrast", "link-in-text-block"]
        is_there = self.page.evaluate("'axe' in window")
        axe = Axe("true") if is_there else Axe()
        found = axe.run(self.page, options=options).response["violations"]
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found
            for node in each["nodes"]
        ]

    def violations_in_both(self) -> list[str]:
        """Return what axe-core finds light and dark; what has no colours, it looks for once."""
        self.page.emulate_media(color_scheme="dark")
        found = self.violations(of_colours=True)
        self.page.emulate_media(color_scheme="light")
        return found + self.violations()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser; where there is none, the test says so."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        require("no Chromium: apt-get install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched_page(browser: Browser, width: int, scheme: Scheme) -> Iterator[Watched]:
    """Open a page of a width and a colour scheme."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    watched = Watched(page)
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on(
        "console",
        lambda line: watched.complaints.append(line.text) if line.type == "error" else None,
    )
    page.on("request", lambda request: watched.hosts.add(urlsplit(request.url).netloc))
    try:
        yield watched
    finally:
        context.close()


def afresh(watched: Watched) -> Watched:
    """Make a page as good as new: nothing stored, nobody logged in, nothing asked for or held back.

    It stays in its process. A context of its own for each test takes longer than most tests.
    """
    page = watched.page
    page.unroute_all(behavior="ignoreErrors")
    page.context.set_offline(False)
    page.context.clear_cookies()
    if page.url.startswith("http"):
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
    page.goto("about:blank")  # what it has open or under way ends here
    watched.complaints.clear()
    watched.hosts.clear()
    return watched
