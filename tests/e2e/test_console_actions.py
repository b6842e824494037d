"""What operators do on the console, where keys are in use: see it, set it aside, judge it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from deploy.local.programs import free_port
from tests.e2e.test_up import Up, surgeline_up
from tests.integration.test_access import new_key, run
from tests.support.browser import Watched, afresh, chromium, watched_page
from tests.support.servers.backends import wait_until

pytestmark = pytest.mark.slow

REPLAY = {"dataset": "SIM", "engines": "1-20", "speed": "max", "seed": 7}
NEEDED_ALARMS = 4
ALARM_MS = 60_000
FIELD = "%Y-%m-%dT%H:%M"
"""A moment as a field of a page takes it, on the screen's clock."""


@dataclass(frozen=True)
class Plant:
    """A stack that asks for keys, with alarms.

    Attributes:
        up: The stack.
        keys: A key for each role.
        var: Its folder.
    """

    up: Up
    keys: dict[str, str]
    var: Path

    def is_settled(self) -> bool:
        """Whether all of the replay is judged, with enough alarms to work on."""
        [replay] = self.get("/api/v1/replays")
        assets = self.get("/api/v1/assets")
        judged = sum(sum(cast(dict[str, int], each["verdicts"]).values()) for each in assets)
        return judged == replay["total"] and len(unseen(self)) >= NEEDED_ALARMS

    def get(self, path: str) -> list[dict[str, object]]:
        headers = {"Authorization": f"Bearer {self.keys['viewer']}"}
        items = httpx.get(f"{self.up.api}{path}", headers=headers, timeout=30).json()["items"]
        assert isinstance(items, list)
        return items


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    folder = tmp_path_factory.mktemp("plant")
    var: Path = folder / "var"
    var.mkdir()
    keys = {role: new_key(var, f"{role}-1", role) for role in ("viewer", "operator")}
    arguments = ("--api-port", str(free_port()))
    with surgeline_up(folder, *arguments, var=var, variables={"SURGELINE_API__KEYS": "on"}) as up:
        found = Plant(up, keys, var)
        started = httpx.post(
            f"{up.api}/api/v1/replays",
            json=REPLAY,
            headers={"Authorization": f"Bearer {keys['operator']}"},
            timeout=30,
        )
        assert started.status_code == 202, started.text
        wait_until(lambda: found.is_settled(), "all readings are judged", 90)
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def log_in(watched: Watched, plant: Plant, role: str, page: str = "alarms") -> Page:
    shown = watched.page
    shown.goto(f"{plant.up.api}/#/{page}")
    shown.get_by_label("Your key").fill(plant.keys[role])
    shown.keyboard.press("Enter")
    expect(shown.get_by_text(f"{role}-1 ({role})")).to_be_visible(timeout=ALARM_MS)
    return shown


@pytest.fixture(scope="module")
def opened(browser: Browser) -> Iterator[Watched]:
    """A page, wide and light."""
    with watched_page(browser, 1280, "light") as watched:
        yield watched


@pytest.fixture
def wide(opened: Watched) -> Watched:
    """A page, wide and light, as good as new: nobody has logged in."""
    return afresh(opened)


@pytest.fixture
def operator(plant: Plant, wide: Watched) -> Watched:
    log_in(wide, plant, "operator")
    return wide


def line(page: Page, name: str) -> Locator:
    return page.locator(".line").filter(has_text=name)


def unseen(plant: Plant) -> list[str]:
    """Return machines that have one alarm, which nobody has seen or set aside."""
    alarms = plant.get("/api/v1/alarms?limit=500")
    had = Counter(str(item["asset_id"]) for item in alarms)
    waiting = [
        str(item["asset_id"])
        for item in alarms
        if item["standing"] and not item["acknowledged"] and item["shelved"] is None
    ]
    return [name for name in waiting if had[name] == 1]


def test_a_wrong_key_opens_nothing_and_the_page_says_so(plant: Plant, wide: Watched) -> None:
    page = wide.page
    page.goto(plant.up.api)
    page.get_by_label("Your key").fill("sl_00000000_wrong")
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("navigation")).to_have_count(0)


def test_one_is_acknowledged_and_another_shelved_and_after_a_reload_still_so(
    plant: Plant, operator: Watched
) -> None:
    page, (first, second, *_) = operator.page, unseen(plant)
    line(page, first).get_by_role("button", name="Acknowledge").click()
    page.get_by_label("Note").fill("oil sample ordered")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    seen = "acknowledged by operator-1 “oil sample ordered”"
    expect(line(page, first)).to_contain_text(seen)

    line(page, second).get_by_role("link").focus()
    page.keyboard.press("s")
    expect(page.get_by_role("dialog")).to_contain_text("Shelve")
    page.keyboard.type("sensor is replaced at noon")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    shelved = re.compile(r"shelved until .*(59|60) min left\) by operator-1 “sensor is replaced")
    expect(line(page, second)).to_contain_text(shelved)

    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.reload()
    expect(line(page, first)).to_contain_text(seen)
    expect(line(page, second)).to_contain_text("shelved until")
    assert [each for each in asked if each.endswith("stream")] == ["/api/v1/alarms/stream"]
    page.get_by_label("Show", exact=True).select_option("shelved")
    expect(page.locator(".line")).to_have_count(1)

    page.goto(f"{plant.up.api}/#/machine/{first}")
    expect(page.locator(".timeline li").filter(has_text="oil sample ordered")).to_be_visible()
    expect(page.locator(".timeline li").filter(has_text="raised").first).to_be_visible()
    page.goto(f"{plant.up.api}/#/fleet")
    expect(line(page, first)).to_contain_text("seen: operator-1")
    expect(line(page, second)).to_contain_text("shelved: operator-1")
    assert operator.complaints == []


def test_a_shelf_is_taken_back_and_a_verdict_given_and_another_page_sees_it(
    plant: Plant, browser: Browser, operator: Watched
) -> None:
    page, name = operator.page, unseen(plant)[0]
    with watched_page(browser, 390, "dark") as other:
        beside = log_in(other, plant, "operator", f"machine/{name}")
        line(page, name).get_by_role("button", name="More").click()
        page.get_by_role("dialog").get_by_role("button", name="Shelve").click()
        page.get_by_label("Reason").fill("a mistake")
        page.get_by_label("8 h").check()
        page.get_by_role("dialog").get_by_role("button", name="Shelve").click()
        expect(beside.get_by_text("“a mistake”").first).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(line(page, name)).not_to_contain_text("shelved")
        expect(beside.locator(".timeline")).to_contain_text("unshelved it")

        beside.get_by_role("button", name="Verdict").click()
        beside.get_by_label("false alarm").check()
        beside.get_by_label("What was found").fill("a loose plug")
        beside.get_by_role("dialog").get_by_role("button", name="Verdict").click()
        expect(beside.locator(".timeline")).to_contain_text("verdict on it: false alarm")
    assert operator.complaints == []


def test_what_is_needed_must_be_there_and_escape_changes_nothing(
    plant: Plant, operator: Watched
) -> None:
    page, before = operator.page, unseen(plant)
    expect(page.locator(".line").first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Comment").click()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(dialog).to_have_count(0)
    assert unseen(plant) == before


def test_many_are_acknowledged_at_once_with_one_note(plant: Plant, operator: Watched) -> None:
    page, waiting = operator.page, unseen(plant)
    assert len(waiting) >= 2
    page.get_by_label("Show", exact=True).select_option("unacknowledged")
    page.get_by_label("select all shown").check()
    page.get_by_role("button", name=re.compile(r"^Acknowledge \d+$")).click()
    page.get_by_label("Note").fill("power cut")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()

    expect(page.get_by_text("No unacknowledged alarm")).to_be_visible()
    assert unseen(plant) == []
    page.get_by_label("Show", exact=True).select_option("all")
    expect(page.get_by_text("acknowledged by operator-1 “power cut”")).not_to_have_count(0)


def test_an_operator_plans_maintenance_of_a_machine_and_an_admin_alone_of_a_fleet(
    plant: Plant, operator: Watched
) -> None:
    page = operator.page
    page.goto(f"{plant.up.api}/#/maintenance")
    expect(page.get_by_role("radio", name="a whole fleet (role admin)")).to_be_disabled()
    page.get_by_role("combobox", name="Machine").fill("SIM-test-020")
    page.get_by_label("From").fill("2100-01-01T06:00")
    page.get_by_label("Until").fill("2100-01-01T05:00")
    page.get_by_label("Why").fill("compressor wash")
    page.get_by_role("button", name="Plan it").click()
    expect(page.get_by_role("alert")).to_be_visible()

    page.get_by_label("From").fill((datetime.now(UTC) + timedelta(days=2)).strftime(FIELD))
    page.get_by_label("Until").fill((datetime.now(UTC) + timedelta(days=3)).strftime(FIELD))
    page.get_by_role("button", name="Plan it").click()
    window = page.get_by_role("row", name=re.compile("SIM-test-020"))
    expect(window).to_contain_text("planned")
    expect(window).to_contain_text("operator-1")
    window.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("nothing is planned")).to_be_visible()
    page.get_by_label("also those that are over").check()
    expect(window).to_contain_text("cancelled")


def test_a_viewer_sees_all_and_is_offered_nothing(plant: Plant, wide: Watched) -> None:
    actions = re.compile("Acknowledge|Shelve|Verdict|Comment|Close|More|Start the replay|Stop")
    page = log_in(wide, plant, "viewer")
    page.get_by_label("Show", exact=True).select_option("all")
    expect(page.locator(".line")).not_to_have_count(0)
    page.keyboard.press("j")
    name = page.locator(".line.at b").inner_text().split()[0]
    for each in ("alarms", f"machine/{name}", "replay"):
        page.goto(f"{plant.up.api}/#/{each}")
        expect(page.get_by_text("needs the role operator")).to_be_visible()
        expect(page.get_by_role("button", name=actions)).to_have_count(0)
        expect(page.get_by_role("checkbox")).to_have_count(0)
    page.goto(f"{plant.up.api}/#/maintenance")
    expect(page.get_by_text("needs the role operator")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Plan|End|Cancel|longer"))).to_have_count(0)
    page.goto(f"{plant.up.api}/#/machine/{name}")
    page.keyboard.press("s")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto(f"{plant.up.api}/#/health")
    expect(page.get_by_text("Reading them needs the role operator")).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Your key")).to_be_visible()
    refused = page.evaluate("fetch('/api/v1/alarms').then((answer) => answer.status)")
    assert refused == 401


def test_a_page_whose_key_is_revoked_asks_for_another(plant: Plant, wide: Watched) -> None:
    plant.keys["guest"] = new_key(plant.var, "guest-1", "viewer")
    page = wide.page
    page.goto(plant.up.api)
    page.get_by_label("Your key").fill(plant.keys["guest"])
    page.keyboard.press("Enter")
    expect(page.get_by_text("guest-1 (viewer)")).to_be_visible()
    run(plant.var, "deploy.cli", "keys", "revoke", plant.keys["guest"].split("_")[1])

    expect(page.get_by_label("Your key")).to_be_visible(timeout=ALARM_MS)
    expect(page.get_by_role("navigation")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 390])
def test_login_and_dialogs_are_accessible(plant: Plant, browser: Browser, width: int) -> None:
    with watched_page(browser, width, "light") as watched:
        watched.page.goto(plant.up.api)
        expect(watched.page.get_by_label("Your key")).to_be_visible()
        assert watched.violations_in_both() == []
        page = log_in(watched, plant, "operator")
        page.get_by_label("Show", exact=True).select_option("all")
        name = page.locator(".line b").first.inner_text().split()[0]
        assert watched.violations_in_both() == []
        for key, word in (("s", "Shelve"), ("v", "Verdict"), ("c", "Comment")):
            line(page, name).first.get_by_role("link").focus()
            page.keyboard.press(key)
            dialog = page.get_by_role("dialog", name=re.compile(f"{word}|not possible"))
            if key != "s":  # what is shelved already cannot be
                expect(dialog).to_be_visible()
            assert watched.violations_in_both() == [], word
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_have_count(0)  # it takes keys as long as it is
        line(page, name).first.get_by_role("button", name="More").click()
        expect(page.get_by_role("dialog", name=name)).to_be_visible()
        assert watched.violations_in_both() == []
        page.keyboard.press("Escape")
        page.goto(f"{plant.up.api}/#/machine/{name}")
        expect(page.locator(".timeline li").first).to_be_visible()
        assert watched.violations_in_both() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert watched.complaints == []
