from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import bench.__main__ as command
from bench import report, scale
from bench.sections import network
from bench.suite import running
from bench.suite.failures import MeasurementError, WrongCountError, WrongScoresError
from bench.suite.figures import PLUMBING, RATIOS, Findings
from bench.suite.machine import ROOT
from bench.suite.record import Record, write
from bench.suite.section import Context, Section
from bench.support import taking
from bench.support.seeding import partition_of
from bench.support.windows import check_scores
from common.errors import UserError

DUE = {"engine-1": {30: 0.5, 31: 0.75}}
TINY = (1, 16)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SIZES", TINY)
    monkeypatch.setattr(network, "QUICK", 32)
    monkeypatch.setattr(network, "quantised", lambda _: None)
    monkeypatch.setattr(network, "fleet_windows", _noise)
    monkeypatch.setattr(running, "machine_facts", lambda: FACTS)


FACTS: dict[str, object] = {
    "processor": "A processor", "cores": 2, "memory_gb": 8.0, "system": "Linux 1", "python": "3.11",
    "packages": {"numpy": "2"}, "commit": "abc", "when": "2026-01-01T00:00:00", "load_before": 0.1,
}  # fmt: skip


def _noise(count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(count, 30, 14)).astype(np.float32)


def section(name: str, run: Callable[[Context], Findings]) -> Section:
    return Section(name, name.title(), "for a test", lambda _: 1, run)


def ratios_of(value: float) -> Callable[[Context], Findings]:
    def run(context: Context) -> Findings:
        context.tell("all ratios")
        found = Findings(plumbing_us=(12.0, 14.0, 13.0))
        found.add("something", "rows/s", 100.0, 110.0, 90.0)
        for name in RATIOS:
            found.compare(name, [value * 10, value * 10], [10.0, 10.0])
        return found

    return run


def ran(
    *sections: Section, before: dict[str, Any] | None = None, whole: bool = False
) -> tuple[Record, list[str], str]:
    screen = io.StringIO()
    record, failures = running.run_sections(
        sections, Console(file=screen, width=120), quick=True, whole=whole, before=before
    )
    return record, failures, screen.getvalue()


def test_a_run_prints_a_table_and_writes_a_file(tmp_path: Path) -> None:
    made_up = section("made-up", ratios_of(2.0))

    record, failures, screen = ran(network.SECTION, made_up)
    write(record, tmp_path / "run.json")

    assert failures == []
    assert "network and score, batch 16" in screen
    found = json.loads((tmp_path / "run.json").read_text())
    assert found["ratios"] == dict.fromkeys(RATIOS, 2.0)
    assert found[PLUMBING] == 13.0
    assert found["machine"]["cores"] == 2
    assert found["figures"]["network"]["network, batch 1"]["median"] > 0
    assert found["figures"]["made-up"]["something"] == {
        "unit": "rows/s", "median": 100.0, "spread": 0.2, "values": [100.0, 110.0, 90.0],
    }  # fmt: skip
    assert found["not_measured"] == {
        "network: network, 8-bit weights": "needs the packages of `surgeline train`"
    }


def test_the_next_run_says_what_changed() -> None:
    before, _, _ = ran(section("made-up", ratios_of(2.0)))

    _, _, screen = ran(section("made-up", ratios_of(3.0)), before=before.as_json())

    assert "+50% (was 2)" in screen
    assert "+0% (was 100)" in screen


def wrong_count(_: Context) -> Findings:
    check_scores("a peer", {"engine-1": {30: 0.5}}, DUE)
    raise AssertionError("unreachable")


@pytest.mark.parametrize(
    ("run", "said"),
    [
        pytest.param(wrong_count, "a peer stored 1 scores; 2 were due", id="wrong count"),
        pytest.param(lambda _: Findings(), "nothing was measured", id="nothing measured"),
        pytest.param(lambda _: 1 / 0, "ZeroDivisionError", id="a defect"),
    ],
)
def test_what_is_not_right_fails_the_run(
    run: Callable[[Context], Findings], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sections = (section("good", ratios_of(2.0)), section("bad", run))
    monkeypatch.setattr(command, "SECTIONS", sections)
    monkeypatch.setattr(command, "LATEST", tmp_path / "latest.json")

    outcome = invoked()

    assert outcome.exit_code == 1
    assert said in outcome.output
    assert "1 of 2 sections" in outcome.output
    assert not (tmp_path / "latest.json").exists()


def test_a_whole_run_is_kept_and_a_part_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    latest = tmp_path / "latest.json"
    sections = (section("good", ratios_of(2.0)), section("other", ratios_of(2.0)))
    monkeypatch.setattr(command, "SECTIONS", sections)
    monkeypatch.setattr(command, "LATEST", latest)

    assert invoked("--only", "good").exit_code == 0
    assert not latest.exists()
    assert invoked("--quick").exit_code == 0
    assert not latest.exists()
    assert invoked().exit_code == 0
    assert json.loads(latest.read_text())["whole"] is True


def test_a_section_there_is_not_is_a_user_s_mistake() -> None:
    outcome = invoked("--only", "network,everything")

    assert outcome.exit_code == 2
    assert "everything came; sections are network" in outcome.output


def invoked(*words: str) -> Any:
    app = typer.Typer()
    app.command()(command.main)
    return CliRunner().invoke(app, words)


def test_a_whole_run_without_one_of_the_ratios_is_no_run() -> None:
    record, failures, _ = ran(network.SECTION, whole=True)

    assert failures == []
    with pytest.raises(MeasurementError, match="e2e_over_scoring"):
        record.as_json()


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_figure_that_is_no_measurement_is_refused(value: float) -> None:
    with pytest.raises(MeasurementError, match="nothing was measured"):
        Findings().add("rate", "rows/s", value)


@pytest.mark.parametrize(
    ("came", "error", "said"),
    [
        pytest.param({"engine-1": {30: 0.5}}, WrongCountError, "1 of them are missing", id="less"),
        pytest.param(
            {"engine-1": {30: 0.5, 31: 0.75, 32: 1.0}}, WrongCountError, "1 others", id="more"
        ),
        pytest.param(
            {"engine-1": {30: 0.5, 31: 0.75001}}, WrongScoresError, "cycle 31", id="other"
        ),
        pytest.param(
            {"engine-1": {30: float("nan"), 31: 0.75}}, WrongScoresError, "cycle 30", id="nan"
        ),
    ],
)
def test_scores_must_be_those_of_the_batch_path(
    came: dict[str, dict[int, float]], error: type[Exception], said: str
) -> None:
    check_scores("ours", {"engine-1": {30: 0.5, 31: 0.75 + 1e-9}}, DUE)
    with pytest.raises(error, match=said):
        check_scores("a peer", came, DUE)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        pytest.param([0, 2, 5, 10, 11], "stored 11 scores; 10 were due", id="one too many"),
        pytest.param([0, 9, 10, 10], "too few were left", id="too late"),
    ],
)
async def test_a_rate_is_of_all_scores_and_no_others(
    counts: list[int], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(taking, "QUIET_S", 0.0)
    monkeypatch.setattr(taking, "POLL_S", 0.0)
    left: Iterator[int] = iter(counts)

    async def count() -> int:
        return next(left)

    with idle() as process, pytest.raises(MeasurementError, match=said):
        await taking.rate_of(count, 10, [process], "a peer", tmp_path / "log")


async def test_a_program_that_ends_is_no_measurement(tmp_path: Path) -> None:
    async def count() -> int:
        return 0

    (tmp_path / "log").write_text("cannot connect")
    with idle() as process:
        process.kill()
        process.wait()
        with pytest.raises(MeasurementError, match=r"code -9. It said: cannot connect"):
            await taking.rate_of(count, 10, [process], "a peer", tmp_path / "log")


@contextmanager
def idle() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_it_needs_no_test_package() -> None:
    """What `make demo` installs must do: neither pytest nor the tests' own modules."""
    waiting = ["__main__", "report", "scale", "worker.end_to_end", "worker.stages"]
    waiting += ["support.listener"]
    waiting += [f"peers.{file.stem}" for file in (ROOT / "bench/peers").glob("*.py")]
    seen: dict[str, set[str]] = {}
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen[name] = imported_by(ROOT / f"bench/{name.replace('.', '/')}.py")
            waiting += [each[6:] for each in seen[name] if is_module(each)]

    assert {"sections.latency", "support.taking", "peers.pipeline"} <= set(seen)
    wrong = {
        name: [each for each in found if each.partition(".")[0] in {"pytest", "tests"}]
        for name, found in seen.items()
    }
    assert {name: found for name, found in wrong.items() if found} == {}


def test_what_measures_one_part_needs_no_more_than_the_demo() -> None:
    """They may use the tests' modules, but nothing that is not installed: no pytest, no torch."""
    rooms = [ROOT / "bench" / name for name in ("worker", "stores", "api")]
    waiting = [file for room in rooms for file in room.glob("*.py")]
    seen: dict[Path, set[str]] = {}
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen[file] = imported_by(file, at_once=True)
            places = (ROOT / f"{name.replace('.', '/')}.py" for name in seen[file])
            waiting += [place for place in places if place.is_file()]

    wanted = {
        f"{file.relative_to(ROOT)}: {name}"
        for file, names in seen.items()
        for name in names
        if name.partition(".")[0] in only_for_developers()
    }
    assert wanted == set()
    assert {"pytest", "torch"} <= only_for_developers()
    assert len(seen) > 50


@cache
def only_for_developers() -> set[str]:
    """Modules of the extras that the demo does without."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    plain = re.compile(r"[\w.-]+")
    needed = {plain.match(each)[0] for each in (*project["dependencies"], *extras.pop("local"))}  # type: ignore[index]  # each begins with a name
    others = {plain.match(each)[0] for extra in extras.values() for each in extra} - needed  # type: ignore[index]  # likewise
    modules = metadata.packages_distributions()
    return {name for name, dists in modules.items() if {*dists} & others and not {*dists} & needed}


def imported_by(file: Path, *, at_once: bool = False) -> set[str]:
    """Modules that a file imports; with ``at_once`` only those it needs to be imported itself."""
    found: set[str] = set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def is_module(name: str) -> bool:
    return name.startswith("bench.") and (ROOT / f"{name.replace('.', '/')}.py").is_file()


def test_the_page_shows_the_last_run() -> None:
    page = report.PAGE.read_text(encoding="utf-8")

    assert page == report.rendered(page, report.last_run()), "python -m bench.report --write"


def test_a_run_is_shown_on_the_page_whatever_was_there() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    run = whole_run()

    shown = report.rendered(page, run)

    assert report.NO_RUN not in shown
    assert "| `e2e_over_scoring` | 2 | 0% | ≥ 0.75 |" in shown
    assert "A processor, 2 cores" in shown
    assert "Not measured: InfluxDB: not installed." in shown
    assert "| workers | 2 |" in shown
    assert report.rendered(shown, run) == shown
    assert report.rendered(shown, None) == report.rendered(page, None)


def whole_run() -> dict[str, Any]:
    found = {name: Findings() for name in report.SECTION_NAMES}
    for each in found.values():
        each.add("something", "ms", 1.0)
    found["peers"] = ratios_of(2.0)(Context())
    found["throughput"].not_measured["InfluxDB"] = "not installed"
    for name in ("a reading on the wire", "a verdict in SQLite"):
        found["throughput"].add(name, "bytes", 400.0)
    found["throughput"].add("processor time of the broker", "µs", 5.0)
    found["growth"].add(scale.MANY, "rows/s", 10_000.0)
    for name in ("the worker", "Valkey"):
        found["growth"].add(f"{scale.MANY}: processor time of {name}", "µs", 50.0)
    found["growth"].add(f"{scale.MANY}: Redis", "bytes/asset", 3_000.0)
    return Record(True, FACTS, found, {"peers": 60.0}).as_json()


def test_a_page_without_a_mark_is_refused() -> None:
    page = report.PAGE.read_text(encoding="utf-8").replace("<!-- scale -->", "")

    with pytest.raises(UserError, match="each block has one"):
        report.rendered(page, None)


def test_a_larger_fleet_needs_more() -> None:
    slopes = scale.Slopes.of(whole_run())

    needs = [scale.need(assets, 1.0, slopes) for assets in (1, 10_000, 1_000_000)]

    assert [each.workers for each in needs] == sorted(each.workers for each in needs)
    assert needs[0].workers == 1
    most = needs[-1]
    assert most.workers >= 1_000_000 / (10_000 * scale.FULL)
    assert most.per_s * most.busiest / most.workers <= 10_000 * scale.FULL + 1
    assert most.redis_gb == pytest.approx(3.0)
    assert scale.need(1_000_000, 10.0, slopes).per_s == pytest.approx(100_000)


def test_assets_fall_on_partitions_as_the_simulation_has_it() -> None:
    assets, partitions, workers = 20_000, 64, 16
    homes = [partition_of(f"asset-{number}", partitions) for number in range(assets)]
    load = np.bincount(np.array(homes) % workers, minlength=workers)

    assert scale.busiest(assets, partitions, workers) == pytest.approx(
        load.max() / load.mean(), abs=0.04
    )
