"""``surgeline report``: one file that tells a run, whatever strangers' values are in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from api.commands.acting import ack
from api.commands.report import report
from api.commands.shown.course import Point, course, thinned
from api.commands.shown.html import VOID, element
from api.known_fleets import KnownFleet, KnownFleets, KnownModel
from common.machines.turbofan import TURBOFAN
from common.records.alerts import RemainingLife, Transition
from common.records.verdicts import Level, Verdict
from tests.support.alerts import make_alert
from tests.support.terminal import Terminal, scored, terminal, unscored

EVIL = 'x</style><script>alert(1)</script>"><img src=http://evil.example/ onerror=alert(2)>'
LIFE = RemainingLife(expected=60.0, low=40.2, high=84.6)
ALERTS = [
    make_alert(10, asset_id="crit", run_id="r1").model_copy(update={"severity": 1.2}),
    make_alert(
        14,
        asset_id="crit",
        run_id="r1",
        state=Transition.ESCALATED,
        level=Level.CRITICAL,
        onset_cycle=10,
        reason=f"Escalated to critical. {EVIL}\x1b[2J",
    ).model_copy(update={"severity": 4.5, "life": LIFE}),
    make_alert(20, asset_id="warn", run_id="r1").model_copy(update={"severity": 1.1}),
    make_alert(20, asset_id="other-run", run_id="r2"),
]
SCORES = [
    *(
        structs.replace(scored("crit", cycle / 5, cycle), run_id="r1")
        for cycle in (*range(1, 8), *range(9, 16))
    ),
    *(structs.replace(scored("warn", 0.9, cycle), run_id="r1") for cycle in range(1, 3)),
    structs.replace(scored("quiet", 0.2), run_id="r1"),
    structs.replace(unscored("cold"), run_id="cold-run"),
    structs.replace(scored("other-run", 1.3), run_id="r2"),
]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Terminal]:
    monkeypatch.chdir(tmp_path)
    with terminal(monkeypatch, SCORES, ALERTS) as started:
        model = KnownModel(ALERTS[0].model, TURBOFAN, 0.5, 0.8)
        started.fakes.catalogue.known = KnownFleets(
            {"default": KnownFleet("default", "fd001", model)}
        )
        yield started


class Reader(HTMLParser):
    """Reads a page as a browser does, as far as is needed here."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_run_is_told_machine_by_machine(screen: Terminal) -> None:
    assert screen.run(ack, "crit", "--note", f"oil sample {EVIL}").exit_code == 0

    done = screen.run(report, "--run-id", "r1")

    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == "surgeline-r1.html: 3 machines, 2 with an alarm."
    file = Path("surgeline-r1.html")
    assert file.stat().st_mode & 0o077 == 0
    page = file.read_text()
    text = " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.S).split())
    assert "3 machines of default: 1 critical, 1 with a warning, 1 without an alarm." in text
    assert re.findall(r"<h2>(\w+) ", page)[1:] == ["crit", "warn"]
    assert "First warning cycle 10, 2026-01-01 00:00:10 UTC" in text
    assert "First critical cycle 14, 2026-01-01 00:00:14 UTC" in text
    assert "T50 ↑ high 75% °R total temperature at LPT outlet" in text
    assert "40-85 cycles, in 90% of cases, at cycle 14" in text
    assert "local acknowledged it: oil sample" in text
    assert "Severity from cycle 1 to 15, highest 3" in text
    assert page.count("<polyline") == 3  # a missing cycle breaks a course in two
    assert "other-run" not in page


def test_the_page_loads_and_runs_nothing(screen: Terminal) -> None:
    assert screen.run(ack, "crit", "--note", EVIL).exit_code == 0
    screen.run(report, "--run-id", "r1", "--output", "deep/found.html")

    page = Path("deep/found.html").read_text()
    found = Reader(page)

    assert found.open == []
    assert found.elements & {"script", "img", "iframe", "object", "link", "form"} == set()
    assert found.handlers == []
    assert all(re.fullmatch(r"#machine-[\w-]+", address) for address in found.addresses)
    assert "\x1b" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "default-src 'none'" in page.replace("&#x27;", "'")


def test_a_run_that_scored_nothing_says_so(screen: Terminal) -> None:
    done = screen.run(report, "--run-id", "cold-run")

    sentence = "No reading of the run cold-run was scored (1 warming_up): nothing can have been"
    assert done.exit_code == 1
    assert sentence in done.stderr
    assert sentence in Path("surgeline-cold-run.html").read_text()


@pytest.mark.parametrize("name", ["r11", "a/b", ""])
def test_a_run_that_there_is_none_of(screen: Terminal, name: str) -> None:
    done = screen.run(report, "--run-id", name)

    assert done.exit_code == 2
    assert f"There is no run {name!r}." in done.stderr
    assert list(Path().glob("*.html")) == []


def test_before_anything_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as bare:
        done = bare.run(report, "--run-id", "demo")

    assert done.exit_code == 2
    assert "no reading has come yet" in done.stderr


points = st.lists(
    st.builds(Point, st.integers(1, 5000), st.floats(0, 1e6)),
    min_size=1,
    max_size=300,
    unique_by=lambda point: point.cycle,
).map(sorted)


@settings(max_examples=50)
@given(points, st.integers(2, 50))
def test_a_thinned_course_keeps_its_extremes(given_points: list[Point], most: int) -> None:
    thin = thinned(given_points, most)

    assert len(thin) <= max(most, 2)
    assert set(thin) <= set(given_points)
    assert thin == sorted(thin)
    peak = max(point.severity for point in given_points)
    assert max(point.severity for point in thin) == peak
    assert min(point.severity for point in thin) == min(point.severity for point in given_points)


@settings(max_examples=30)
@given(points)
def test_any_course_is_drawn_inside_its_frame(given_points: list[Point]) -> None:
    drawn = course(given_points, [], "cycle")

    places = re.findall(r'points="([^"]+)"', drawn)
    numbers = [float(n) for place in places for pair in place.split() for n in pair.split(",")]
    assert all(0 <= number <= 760 for number in numbers)
    assert Reader(drawn).open == []


@settings(max_examples=50)
@given(st.text())
def test_no_text_becomes_an_element(text: str) -> None:
    found = Reader(element("p", text, title=text))

    assert found.elements == {"p"}
    assert found.open == []


def test_verdicts_without_a_score_are_counted(screen: Terminal) -> None:
    screen.run(report, "--run-id", "r1")

    assert f"14 {Verdict.SCORED}" in Path("surgeline-r1.html").read_text()
