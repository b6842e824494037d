"""The console in a real browser, on a real stack: what a person sees and can do."""

from __future__ import annotations

import random
import re
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from confluent_kafka import Producer
from playwright.sync_api import Browser, Page, Route, expect

from common.machines.turbofan import SENSOR_NAMES, SETTING_NAMES
from deploy.local.programs import free_port
from producer.simulator.simulate import simulate
from tests.e2e.test_up import Up, surgeline_up
from tests.support.browser import Watched, afresh, chromium, watched_page
from tests.support.servers.backends import wait_until
from tests.support.strangers import talk_like_strangers

pytestmark = pytest.mark.slow

PAGES = ("fleet", "alarms", "maintenance", "replay", "whatif", "health")
PAYLOAD = (
    "<img src=x onerror='window.ran=1'><script>window.ran=1</script>\"'`>${window.ran=1}"
    "{{window.ran=1}}</script><svg onload=window.ran=1>javascript:window.ran=1//__proto__ "
    "\u202e%00%3Cb%3E&lt;&amp;\u2028,;\n=1+1"
)
"""What has run in somebody's browser elsewhere."""

ALARM_MS = 60_000
"""How long a replay, a worker and a page may take on a busy machine until an alarm is seen."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("console")
    with surgeline_up(folder, "--api-port", str(free_port())) as up:
        yield up


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def opened(browser: Browser) -> Iterator[Watched]:
    """A page, wide and light."""
    with watched_page(browser, 1280, "light") as watched:
        yield watched


@pytest.fixture
def wide(opened: Watched) -> Watched:
    """A page, wide and light, as good as new."""
    return afresh(opened)


@pytest.fixture
def shown(stack: Up, wide: Watched) -> Watched:
    """The console, wide and light, at its first page."""
    wide.page.goto(stack.api)
    return wide


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=name).click()


def start_a_replay(page: Page) -> None:
    go(page, "Replay")
    page.get_by_label("Data set").select_option("SIM")
    page.get_by_label("Engines").fill("1-3")
    page.get_by_label("Speed").fill("max")
    page.get_by_role("button", name="Start the replay").click()


def send_nonsense(broker: str, key: str) -> None:
    producer = Producer({"bootstrap.servers": broker})
    producer.produce("surgeline.readings", b"{", key=key.encode())
    assert producer.flush(30) == 0


def settled(page: Page) -> None:
    """Wait until a page has what it asked for."""
    expect(page.get_by_text(re.compile("^(Loading|Judging)"))).to_have_count(0)
    page.wait_for_function("!performance.getEntriesByType('resource').some(e => !e.responseEnd)")


def machines(page: Page) -> list[str]:
    return page.get_by_role("group", name="Machines, worst first").locator("b").all_inner_texts()


def test_a_replay_from_the_page_becomes_an_alarm_on_it_without_a_reload(shown: Watched) -> None:
    page = shown.page
    expect(page.get_by_role("heading", name="No readings yet")).to_be_visible()
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    page.evaluate("window.notReloaded = true")

    start_a_replay(page)
    expect(page.get_by_role("cell", name="done")).to_be_visible(timeout=ALARM_MS)
    go(page, "Fleet")
    row = page.get_by_role("link", name=re.compile("SIM-test-00[1-3].*SIMULATED"))
    expect(row.first.get_by_text(re.compile("warning|critical"))).to_be_visible(timeout=ALARM_MS)
    row.first.click()

    expect(page.get_by_text(re.compile("Raised to|Escalated to")).first).to_be_visible()
    sensors = page.locator("table.stack").first
    expect(sensors.get_by_role("row").nth(1)).to_contain_text("healthy level")
    expect(page.get_by_role("img", name=re.compile("Severity, as a multiple"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("rpm|psia|°R.*expected"))).not_to_have_count(0)
    sure = page.locator("dt", has_text="How sure").locator("xpath=following-sibling::dd")
    expect(sure).to_contain_text(re.compile(r"(\d+|fewer than 1) in 1,000 healthy windows"))
    assert page.evaluate("window.notReloaded") is True
    assert shown.complaints == []
    assert shown.hosts == {urlsplit(page.url).netloc}, "it loads from elsewhere"


def test_the_worst_are_shown_before_all_are_here(shown: Watched) -> None:
    page, held = shown.page, list[Route]()
    every_machine = re.compile(r"/api/v1/assets\?limit=1000")
    page.route(every_machine, lambda route: held.append(route))
    page.reload()
    expect(page.locator(".list.fleet .row").first).to_be_visible()

    go(page, "Health")
    expect(page.get_by_text("Loading machines and alarms")).to_be_visible()
    assert held  # more than one, where the page before had just asked, too
    for route in held:
        route.continue_()
    page.unroute(every_machine)
    expect(page.get_by_role("heading", name="Health")).to_be_visible()
    assert shown.complaints == []


def test_the_worst_comes_first_and_one_is_found_by_its_name(shown: Watched) -> None:
    page = shown.page
    expect(page.get_by_role("group", name="Machines, worst first")).to_be_visible()
    levels = page.locator(".list .row .badge:not(.simulated)").all_inner_texts()
    ranks = [["quiet", "not scored", "warning", "critical"].index(one.lower()) for one in levels]
    assert ranks == sorted(ranks, reverse=True)

    page.keyboard.press("/")
    page.keyboard.type("sim-test-002")
    expect(page.locator(".list .row")).to_have_count(1)
    assert machines(page)[0].startswith("SIM-test-002")
    page.get_by_role("searchbox").fill("no such machine")
    expect(page.get_by_text("has “no such machine” in its name")).to_be_visible()


def test_the_keys_move_and_open(shown: Watched) -> None:
    page = shown.page
    expect(page.locator(".list .row").first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    marked = page.locator(".list .line.at")
    expect(marked).to_have_count(1)
    name = marked.locator("b").inner_text().split()[0]

    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.get_by_role("heading", name="Health")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("down, up in a list")
    assert shown.complaints == []


def test_where_no_keys_are_in_use_a_name_is_asked_for_and_kept(shown: Watched) -> None:
    page = shown.page
    go(page, "Alarms")
    row = page.locator(".list .line").filter(has_text="SIM-test").first
    name = row.locator("b").inner_text().split()[0]
    row.get_by_role("button", name="Acknowledge").click()
    page.get_by_label("Your name").fill("anna")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("acknowledged by anna").first).to_be_visible()

    page.goto(f"{page.url.partition('#')[0]}#/machine/{name}")
    page.get_by_role("button", name="Comment").click()
    expect(page.get_by_label("Your name")).to_have_value("anna")
    assert shown.complaints == []


def test_lanes_say_in_words_what_they_draw_and_lead_to_their_machine(shown: Watched) -> None:
    page = shown.page
    lane = page.locator(".lane").first
    expect(lane).to_have_attribute(
        "aria-label", re.compile(r"^SIM-test-\d+, simulated: .*(warning|critical) from .* UTC")
    )
    assert lane.locator(".run:is(.warning, .critical)").count() > 0
    name = lane.locator("b").inner_text().split()[0]
    lane.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def test_siblings_are_compared_at_the_same_step_of_their_runs(shown: Watched) -> None:
    rng = random.Random(7)
    steps = list(range(1, 40))
    courses = [
        sorted(rng.sample(steps, rng.randint(1, 30)))
        for _ in range(rng.randint(2, 5))
        for _ in "ab"
    ]
    severity = [{at: rng.random() for at in course} for course in courses]
    points = [[{"cycle": at, "severity": one[at]} for at in one] for one in severity]

    found = shown.page.evaluate(
        "async ([points, x]) => (await import('/console/siblings.js')).medians(points, x)",
        [points, steps],
    )
    for step, median in zip(steps, found, strict=True):
        known = [
            one[max(at for at in one if at <= step)]
            for one in severity
            if min(one) <= step <= max(one)
        ]
        assert median == (pytest.approx(statistics.median(known)) if len(known) >= 3 else None)


def test_a_machine_is_taken_out_of_service_and_back(shown: Watched) -> None:
    page = shown.page
    go(page, "Maintenance")
    page.get_by_role("combobox", name="Machine").fill("SIM-test-003")
    page.get_by_label("Why").fill("compressor wash")
    page.get_by_role("button", name="Plan it").click()
    window = page.get_by_role("row", name=re.compile("SIM-test-003"))
    expect(window).to_contain_text("running")
    expect(window).to_contain_text("compressor wash")

    go(page, "Alarms")
    standing = page.locator(".line").filter(has_text="SIM-test-003").first
    expect(standing).to_contain_text("out of service until")
    go(page, "Maintenance")
    window.get_by_role("button", name="1 h longer").click()
    expect(page.get_by_text("one hour longer")).to_be_visible()
    window.get_by_role("button", name="End now").click()
    expect(page.get_by_text("Nothing is out of service")).to_be_visible()
    assert shown.complaints == []


def test_a_higher_threshold_is_tried_and_what_would_be_lost_is_said(shown: Watched) -> None:
    page = shown.page
    go(page, "What if")
    sums = page.locator(".sums")
    expect(sums).to_contain_text(re.compile(r"(\d+) alarms? as it is, \1 as you say"))
    page.get_by_label("Raised after, as a number").fill("60")
    page.keyboard.press("Tab")
    expect(sums).not_to_contain_text("the same 0gained")
    expect(page.get_by_role("heading", name=re.compile("Lost|Moved")).first).to_be_visible()
    page.get_by_role("button", name="As it is now").click()
    expect(sums).to_contain_text("lost 0")
    assert shown.complaints == []


def test_a_file_is_judged_as_the_stream_was_and_its_mistakes_are_listed(
    shown: Watched, stack: Up
) -> None:
    page = shown.page
    go(page, "Replay")
    page.get_by_label("CSV file").set_input_files(
        {"name": "<b>engine</b>.csv", "mimeType": "text/csv", "buffer": engine_file()}
    )
    page.get_by_label("Judged as fleet").last.select_option("default")
    page.get_by_role("button", name="Judge the file").click()
    found = httpx.get(f"{stack.api}/api/v1/alarms?asset_id=SIM-test-003").json()["items"]
    for alarm in found:
        begins = re.compile(f"SIM-test-003 rows {alarm['onset_cycle']} to ")
        expect(page.get_by_role("row", name=begins)).to_be_visible()
        shaded = re.compile(f"SIM-test-003: severity.*shaded from {alarm['onset_cycle']} to ")
        expect(page.get_by_role("img", name=shaded)).to_be_visible()
    assert found
    expect(page.get_by_text("<b>engine</b>.csv")).to_be_visible()
    wrong = page.get_by_role("row", name=re.compile("line 6"))
    expect(wrong).to_contain_text("<script>window.ran=1</script>")
    assert page.evaluate("window.ran") is None
    assert shown.complaints == []


def test_a_machine_shows_its_other_runs_and_each_of_them_as_it_was(
    shown: Watched, stack: Up
) -> None:
    [first] = httpx.get(f"{stack.api}/api/v1/replays").json()["items"]
    again = {"dataset": "SIM", "engines": "3", "seed": 7, "run_id": "simulated-again"}
    assert httpx.post(f"{stack.api}/api/v1/replays", json=again).status_code == 202
    page = shown.page
    page.goto(f"{stack.api}/#/machine/SIM-test-003")
    expect(page.get_by_role("heading", name="Other runs")).to_be_visible(timeout=ALARM_MS)
    expect(page.get_by_text("run simulated-again").first).to_be_visible()

    page.get_by_role("link", name=first["run_id"]).click()
    expect(page.get_by_text(f"run {first['run_id']}").first).to_be_visible()
    again_in_list = page.get_by_role("listitem").filter(has_text="simulated-again")
    expect(again_in_list).to_contain_text(re.compile(r"to cycle \d+, at most \d"))
    page.goto(f"{stack.api}/#/machine/SIM-test-003?run=nowhere")
    expect(page.get_by_text("No machine of this name")).to_be_visible()
    assert shown.complaints == []


def engine_file() -> bytes:
    """Return the third engine of the replay as a table, with a cell that is no number."""
    [*_, engine] = simulate(3, seed=7, split="test").engines
    rows = [["asset_id", "cycle", *SETTING_NAMES, *SENSOR_NAMES]]
    for cycle, settings, sensors in zip(
        engine.cycles, engine.settings, engine.sensors, strict=True
    ):
        rows.append(["SIM-test-003", str(cycle), *map(str, settings), *map(str, sensors)])
    rows[5][-1] = "<script>window.ran=1</script>"
    return "\n".join(map(",".join, rows)).encode()


def test_a_break_of_the_stream_is_said_at_once_and_mended_by_itself(shown: Watched) -> None:
    page = shown.page
    expect(page.get_by_text("live", exact=True)).to_be_visible()

    page.context.set_offline(True)
    page.evaluate("fetch('/health').catch(() => {})")
    expect(page.get_by_text(re.compile("not live for|does not answer")).first).to_be_visible(
        timeout=ALARM_MS
    )
    page.context.set_offline(False)
    expect(page.get_by_text("live", exact=True)).to_be_visible(timeout=ALARM_MS)
    expect(page.get_by_text("does not answer")).to_have_count(0, timeout=ALARM_MS)


def test_a_machine_nobody_has_heard_of_and_a_page_there_is_not_say_so(shown: Watched) -> None:
    page = shown.page
    page.goto(f"{page.url.partition('#')[0]}#/machine/nobody")
    expect(page.get_by_text("No machine of this name has been heard of.")).to_be_visible()
    page.goto(f"{page.url.partition('#')[0]}#/nowhere")
    expect(page.get_by_text("There is no page “nowhere”.")).to_be_visible()


def test_what_is_refused_is_said_in_a_sentence(shown: Watched) -> None:
    page = shown.page
    go(page, "Replay")
    page.get_by_label("Engines").fill("9-3")
    page.get_by_role("button", name="Start the replay").click()

    expect(page.get_by_role("alert")).to_contain_text("engines:")


def test_what_an_api_does_not_offer_is_missed_calmly(shown: Watched) -> None:
    page = shown.page
    missing = re.compile("/(whatif|detect|detect/csv|scores/plot|evidence|readings)([?]|$)")
    body = {"title": "Not Found", "status": 404, "detail": "There is none of it."}
    page.route(missing, lambda route: route.fulfill(status=404, json=body))
    page.reload()
    expect(page.locator(".list .row").first).to_be_visible()
    page.locator(".list .row").first.click()
    expect(page.get_by_text("There is none of it.")).to_be_visible()
    expect(page.locator("dl")).to_contain_text("not known")
    expect(page.get_by_role("img", name=re.compile("Severity"))).to_be_visible()
    go(page, "What if")
    expect(page.get_by_role("alert")).to_have_text("This api does not offer what-if.")
    go(page, "Replay")
    page.get_by_label("CSV file").set_input_files(
        {"name": "a.csv", "mimeType": "text/csv", "buffer": b"a\n1\n"}
    )
    page.get_by_role("button", name="Judge the file").click()
    expect(page.get_by_role("alert")).to_have_text("This api does not judge files.")
    go(page, "Fleet")
    expect(page.locator(".list .row").first).to_be_visible()
    expect(page.locator(".lane")).to_have_count(0)
    assert not [each for each in shown.complaints if "404" not in each]


def test_a_silent_machine_says_why_in_its_row_and_on_its_page(shown: Watched) -> None:
    page = shown.page
    why = "No reading since 2026-01-01 14:03:00 UTC: one was due within 10 min"

    def silence(route: Route) -> None:
        answer = route.fetch()
        found = answer.json()
        for asset in found["items"]:
            if asset["asset_id"] == "SIM-test-002":
                asset["alarm"] = None
                asset["silent"] = {"evidence": "silent", "reason": why}
        route.fulfill(response=answer, json=found)

    page.route("**/api/v1/assets?**", silence)
    page.reload()
    row = page.locator(".list .row").filter(has_text="SIM-test-002")
    expect(row.locator(".badge")).to_have_text("not scored")
    expect(row.locator(".sensors")).to_have_text(why)
    row.click()
    expect(page.locator(".headline")).to_have_text(f"Not being scored: {why}.")
    expect(page.locator(".badge").first).to_have_text("not scored")
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_accessible(stack: Up, browser: Browser, width: int) -> None:
    with watched_page(browser, width, "light") as watched:
        page = watched.page
        page.goto(stack.api)
        row = page.locator(".list .row b").first
        expect(row).to_be_visible()
        name = row.inner_text().split()[0]
        for each in (*PAGES, f"machine/{name}"):
            page.goto(f"{stack.api}/#/{each}")
            expect(page.get_by_role("heading", level=1).first).to_be_attached()
            settled(page)
            assert watched.violations_in_both() == [], each
            assert page.evaluate("document.documentElement.scrollWidth") <= width, each
        assert watched.complaints == []


def test_a_dead_letter_is_shown_with_its_reason_and_whose_it_is(stack: Up, shown: Watched) -> None:
    send_nonsense(stack.state.urls["broker"], "pump-9")
    page = shown.page

    def is_there() -> bool:
        found = httpx.get(f"{stack.api}/api/v1/dead-letters", timeout=30).json()["items"]
        return any(each["asset_id"] == "pump-9" for each in found)

    wait_until(is_there, "the letter is on its topic", 60)
    go(page, "Health")

    row = page.get_by_role("row").filter(has_text="pump-9")
    expect(row).to_contain_text("malformed json")
    expect(row).to_contain_text("surgeline.readings-")
    assert shown.complaints == []


def test_what_strangers_say_is_shown_and_never_run(stack: Up, wide: Watched) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    plan = {"asset_id": "SIM-test-002", "ends_at": until.isoformat(), "reason": "wash"}
    assert httpx.post(f"{stack.api}/api/v1/maintenance", json=plan).status_code == 201
    page = wide.page
    talk_like_strangers(page, PAYLOAD)
    page.goto(stack.api)
    expect(page.locator(".list .row").first).to_be_visible()
    machine = page.locator(".list .row").first.get_attribute("href") or ""
    for each in (*(f"#/{one}" for one in PAGES), machine):
        page.goto(f"{stack.api}/{each}")
        expect(page.get_by_role("heading", level=1).first).to_be_attached()
        settled(page)
        if each != "#/whatif":  # it may have nothing to tell
            expect(page.locator("main")).to_contain_text("onerror='window.ran=1'><script>")
        assert page.locator("#app :is(script, img, svg, iframe, object, embed)").count() == 0
        assert set(page.eval_on_selector_all("a", "all => all.map(a => a.protocol)")) == {"http:"}
    assert page.evaluate("window.ran") is None
    assert wide.complaints == []
    page.unroute_all(behavior="ignoreErrors")
