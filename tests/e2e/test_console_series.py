"""A replayed series in the console: both its scores, and the anomalies that it is known to have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from playwright.sync_api import Page, expect

from common.fleets import fleets_text
from deploy.local.programs import free_port
from tests.e2e.test_up import Up, environment, surgeline_up
from tests.support import forked
from tests.support.browser import Watched, chromium, watched_page
from tests.support.live_parts import LENGTH, NAMES, LiveParts
from tests.support.servers.backends import wait_until
from tests.support.telemetry import BURST, TEST_ROWS
from tests.support.world import ALARM

pytestmark = pytest.mark.slow

LABEL = "true anomaly, by the data set's labels"
CHART = re.compile(r"^Score at once, final score, and the threshold")
NOT_KNOWN = "\u2013"
MINE = ("--run-id", "mine", "--engines", "P-2", "--speed", "9000x")
"""Slow enough to be seen in parts: 150 readings a second."""


@dataclass(frozen=True)
class Replayed:
    """A stack that has judged two series.

    Attributes:
        up: The stack.
        run_id: How the replay named the run.
        variables: What its commands need.
    """

    up: Up
    run_id: str
    variables: dict[str, str]

    def replay(self, *words: str) -> None:
        """Replay series."""
        done = forked.run(["deploy.cli", "replay", "--dataset", "SMAP", *words], self.variables)
        assert done.returncode == 0, done.stderr

    def verdicts(self, name: str) -> dict[str, int]:
        """Return how many verdicts each run of an asset has."""
        runs = self.up.get(f"/api/v1/assets/{name}/runs").json().get("items", ())
        return {run["run_id"]: sum(run["verdicts"].values()) for run in runs}


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    folder = tmp_path_factory.mktemp("series")
    made = LiveParts.made(folder)
    fleets = folder / "fleets.toml"
    fleets.write_text(
        fleets_text({"SMAP": str(made.folder)})
        + f"alarm = {{ on_delay_cycles = {ALARM.on_delay_cycles}, "
        f"off_delay_cycles = {ALARM.off_delay_cycles}, deadband = {ALARM.deadband} }}\n"
    )
    variables = {"SURGELINE_FLEETS": str(fleets), "SURGELINE_DATA_DIR": str(folder)}
    with surgeline_up(folder, "--api-port", str(free_port()), variables=variables) as up:
        own = environment() | variables | {"SURGELINE_VAR_DIR": str(up.var_dir)}
        found = Replayed(up, "", own)
        found.replay("--speed", "max")

        def judged() -> list[int]:
            return [count for name in NAMES for count in found.verdicts(name).values()]

        wait_until(lambda: judged() == 2 * [TEST_ROWS], "a verdict for each reading")
        (run_id,) = found.verdicts("A-1")
        yield replace(found, run_id=run_id)


@pytest.fixture(scope="module")
def shown(series: Replayed) -> Iterator[Watched]:
    with chromium() as browser, watched_page(browser, 1280, "light") as watched:
        yield watched


def test_a_labelled_series_shows_both_scores_and_its_true_anomaly(
    series: Replayed, shown: Watched
) -> None:
    page = shown.page
    page.goto(f"{series.up.api}/#/machine/A-1")
    chart = page.get_by_role("img", name=CHART)
    expect(chart).to_have_accessible_name(re.compile(f"{LABEL} from {BURST[0] + 1} to {BURST[1]}$"))
    figure = page.locator("figure", has=chart)
    expect(figure.locator("figcaption")).to_contain_text(LABEL)

    middle = values_at(page, 0.5)
    assert middle.keys() >= {"score at once", "final score", "threshold"}
    assert NOT_KNOWN not in middle.values()
    # the last are not final, and never will be
    assert values_at(page, 0.999)["final score"] == NOT_KNOWN
    rows = series.up.get("/api/v1/scores?asset_id=A-1&limit=1000&order=oldest").json()["items"]
    assert sum(row["final_score"] is None for row in rows[LENGTH - 1 :]) == LENGTH - 1
    for width, scheme in ((1280, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert shown.violations() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1280, "height": 900})
    assert shown.complaints == []


def test_of_a_run_that_somebody_named_no_anomaly_is_claimed_and_scores_become_final_on_the_page(
    series: Replayed, shown: Watched
) -> None:
    page = shown.page
    page.goto(f"{series.up.api}/#/machine/P-2")
    expect(page.get_by_text(LABEL)).to_be_visible()

    with page.expect_response(re.compile(r"/assets/P-2/labels\?run_id=mine")) as said:
        series.replay(*MINE)
    assert said.value.json()["items"] == []
    chart = page.get_by_role("img", name=CHART)
    expect(chart).to_have_accessible_name(re.compile(f"reading 1 to {TEST_ROWS};"))
    expect(page.get_by_role("heading", name="Course of run mine")).to_be_visible()
    expect(page.get_by_text(LABEL)).to_have_count(0)
    finals = [values_at(page, part / 20)["final score"] for part in range(1, 19)]
    assert NOT_KNOWN not in finals
    # how sure an alarm is, only one model for all could say: what refuses that is no fault
    assert [each for each in shown.complaints if "503" not in each] == []


def values_at(page: Page, part: float) -> dict[str, str]:
    """Return what the legend says with the pointer at a part of the first chart's width."""
    over = page.locator("figure.chart .u-over").first
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + part * box["width"], box["y"] + box["height"] / 2)
    rows = page.locator("figure.chart").first.locator(".u-series")
    return {
        row.locator(".u-label").inner_text(): row.locator(".u-value").inner_text()
        for row in rows.all()
    }
