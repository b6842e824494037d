"""The demo's parts that need no stack: what is replayed, what is counted, what is shown."""

from __future__ import annotations

import asyncio
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from rich.console import Console

from common.errors import DatasetError, StackError, UserError
from common.metering.names import LATENCY
from common.records.alerts import Alert, ChannelShare, ModelRef, RemainingLife, Transition
from common.records.verdicts import Level, Verdict
from common.replay import ReplayProgress
from common.scorestore.memory import MemoryScoreStore
from common.scorestore.port import RunSummary
from deploy.demo import replaying
from deploy.demo.findings import EngineFinding, engine_finding
from deploy.demo.latency import at_rest, merged_buckets, quantile_s
from deploy.demo.replaying import Replay, run_replay
from deploy.demo.report import SIMULATED_NOTE, DemoReport, show, write_json
from deploy.demo.source import EngineSource, choose_source
from deploy.demo.waiting import every_verdict, unless_failed
from detector.metrics import DetectorMetrics
from tests.support.clock import FakeClock
from tests.support.parity import EQUAL

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def source(data_dir: Path, name: str = "FD001", **options: object) -> EngineSource:
    arguments = {"split": "test", "engines": "1-3", "simulated": False, "now": NOW} | options
    return choose_source(data_dir, name, **arguments)  # type: ignore[arg-type] # a table of them


def test_recorded_engines_are_used_where_they_are(tmp_path: Path) -> None:
    row = " ".join(["0.5"] * 24)
    (tmp_path / "test_FD001.txt").write_text(f"1 1 {row}\n1 2 {row}\n2 1 {row}\n")
    (tmp_path / "RUL_FD001.txt").write_text("10\n20\n")

    found = source(tmp_path, engines="1-2")

    assert not found.simulated
    assert found.notice is None
    assert found.rul("FD001-test-001") == [11, 10]
    assert found.rul("FD001-test-002") == [20]
    assert "--seed" not in found.replay_arguments("max")


def test_the_rul_is_not_known_without_its_file(tmp_path: Path) -> None:
    (tmp_path / "test_FD001.txt").write_text(f"1 1 {' '.join(['0.5'] * 24)}\n")

    assert source(tmp_path, engines="1").rul("FD001-test-001") is None


def test_published_data_that_are_not_there_are_simulated_and_this_is_said(tmp_path: Path) -> None:
    found = source(tmp_path)

    assert found.simulated
    assert found.run_id.startswith("simulated")
    assert found.notice is not None
    assert "SIMULATED" in found.notice
    assert "\n" not in found.notice
    assert found.rul("SIM-test-003") is not None


def test_the_simulator_by_choice_needs_no_excuse(tmp_path: Path) -> None:
    found = source(tmp_path, simulated=True)

    assert found.simulated
    assert found.notice is None
    assert found.replay_arguments("max")[:4] == ["replay", "--dataset", "SIM", "--split"]


def test_damaged_data_are_an_error_and_not_simulated(tmp_path: Path) -> None:
    (tmp_path / "test_FD001.txt").write_text("1 2 3\n")

    with pytest.raises(DatasetError, match="line 1"):
        source(tmp_path)


def test_a_data_set_nobody_published_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"test_FD009\.txt"):
        source(tmp_path, name="FD009")


def alert(asset_id: str, cycle: int, state: Transition = Transition.RAISED) -> Alert:
    return Alert(
        alert_id=f"{asset_id}-{cycle}",
        alarm_id="a",
        asset_id=asset_id,
        run_id="r",
        level=Level.WARNING,
        state=state,
        onset_cycle=1,
        cycle=cycle,
        ts=NOW,
        score=1.0,
        threshold=0.5,
        channels=tuple(
            ChannelShare(name=name, share=0.25, direction="high")
            for name in ("T2", "T24", "Nf", "Nc")
        ),
        model=ModelRef(name="m", version="1", sha256="0"),
        reason="",
    )


def summary(asset_id: str) -> RunSummary:
    return RunSummary(
        asset_id,
        "r",
        "default",
        1,
        40,
        NOW,
        {Verdict.SCORED: 11, Verdict.WARMING_UP: 29},
        0.4,
        Level.NONE,
        2.5,
    )


def finding(alerts: Sequence[Alert], rul: Sequence[int] | None = None) -> EngineFinding:
    return engine_finding(summary("e1"), alerts, rul)


def test_the_first_raised_alert_of_the_engine_itself_counts() -> None:
    alerts = [
        alert("e1", 38),
        alert("e1", 31),
        alert("e1", 30, Transition.ESCALATED),
        alert("e2", 5),
    ]

    found = finding(alerts, rul=list(range(139, 99, -1)))

    assert found.first_alert_cycle == 31
    assert found.rul_at_first_alert == 109
    assert found.alerts == 3
    assert [share.name for share in found.top_sensors] == ["T2", "T24", "Nf"]


def test_an_engine_without_an_alert() -> None:
    found = finding([alert("e2", 5)], rul=[1] * 40)

    assert found.first_alert_cycle is None
    assert found.rul_at_first_alert is None
    assert found.top_sensors == ()


def test_an_unknown_rul_stays_unknown() -> None:
    assert finding([alert("e1", 31)]).rul_at_first_alert is None


def test_latency_is_read_off_all_workers_pages() -> None:
    pages = []
    for seconds in ([0.1] * 50, [0.8] * 50):
        metrics = DetectorMetrics()
        metrics.latency.observe_many(np.array(seconds))
        pages.append(generate_latest(metrics.registry).decode())

    buckets = merged_buckets(pages)

    p50, p99 = quantile_s(buckets, 0.5), quantile_s(buckets, 0.99)
    assert p50 == pytest.approx(0.1, rel=0.25)  # the width of a bucket
    assert p99 == pytest.approx(0.8, rel=0.25)


def test_latency_beyond_the_last_bucket_is_that_bucket() -> None:
    registry = CollectorRegistry()
    Histogram(LATENCY.name, "x", buckets=(1, 2), registry=registry).observe(50)

    assert quantile_s(merged_buckets([generate_latest(registry).decode()]), 0.5) == 2.0


def test_workers_are_at_rest_when_none_has_a_batch_in_hand() -> None:
    busy, idle = DetectorMetrics(), DetectorMetrics()
    busy.in_hand.inc()
    pages = [generate_latest(metrics.registry).decode() for metrics in (idle, busy)]

    assert at_rest(pages[:1])
    assert not at_rest(pages)


def test_no_latency_without_a_measurement() -> None:
    assert quantile_s({}, 0.5) is None
    assert quantile_s({1.0: 0.0, math.inf: 0.0}, 0.5) is None


REPORT = DemoReport(
    dataset="FD001",
    split="test",
    run_id="r",
    simulated=False,
    own=False,
    readings_sent=40,
    verdicts={"scored": 11, "warming_up": 29},
    scores_stored=11,
    dead_letters=0,
    alerts=1,
    rows_per_s=100.0,
    latency_ms={"p50": 1.0, "p99": 2.0},
    stack_ready_s=3.0,
    engines=(finding([alert("e1", 31)]),),
    parity=EQUAL,
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"readings_sent": 41}, "41 readings were sent", id="a reading without"),
        pytest.param({"scores_stored": 10}, "10 are stored", id="a score not stored"),
        pytest.param(
            {"parity": replace(EQUAL, doubled=1)}, "live differs from batch", id="not the same"
        ),
        pytest.param({}, None, id="all well"),
    ],
)
def test_counts_that_do_not_add_up_are_named(change: dict[str, int], words: str | None) -> None:
    mismatch = replace(REPORT, **change).mismatch  # type: ignore[arg-type] # a table of fields

    assert (mismatch is None) if words is None else (words in (mismatch or ""))


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        pytest.param({"scored": 11, "warming_up": 29}, None, id="all that could be"),
        pytest.param({"scored": 5, "gap": 5, "warming_up": 90}, None, id="half of it"),
        pytest.param(
            {"scored": 4, "gap": 1, "unknown_regime": 4, "warming_up": 90},
            "only 4 of 9 readings that could be was scored, mainly because 4 are unknown_regime: "
            "the fleet's model does not know the conditions",
            id="less",
        ),
        pytest.param(
            {"rejected": 7, "warming_up": 29},
            "nothing was scored, mainly because 7 are rejected",
            id="nothing",
        ),
        pytest.param({"warming_up": 29}, "too short for a single window", id="short"),
        pytest.param({}, "no reading got a verdict", id="empty"),
    ],
)
def test_a_demo_in_which_little_was_scored_says_so(
    verdicts: dict[str, int], words: str | None
) -> None:
    hollow = replace(REPORT, verdicts=verdicts).hollow

    assert (hollow is None) if words is None else (words in (hollow or ""))


def test_the_json_report_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"

    write_json(REPORT, path)

    entries = json.loads(path.read_text())
    assert entries["verdicts"] == {"scored": 11, "warming_up": 29}
    assert entries["parity"]["equal"] is True
    assert entries["engines"][0]["verdicts"] == {"scored": 11, "warming_up": 29}
    assert entries["engines"][0]["top_sensors"][0] == {
        "name": "T2",
        "share": 0.25,
        "direction": "high",
        "against": None,
    }


def test_a_report_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UserError, match="cannot be written"):
        write_json(REPORT, tmp_path / "file" / "report.json")


def shown(report: DemoReport) -> str:
    console = Console(file=io.StringIO(), width=80)
    show(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_fits_a_terminal_of_80_columns() -> None:
    wide = finding([alert("e1", 31)], rul=[100] * 40)
    lines = shown(replace(REPORT, engines=(replace(wide, asset_id="FD001-test-001"),)))

    assert "FD001-test-001" in lines
    assert "T2↑25 T24↑25 Nf↑25" in lines
    assert "…" not in lines


def test_the_widest_row_keeps_every_name_and_number_at_80_columns() -> None:
    """The longest names of engine and sensors that C-MAPSS has, and the longest figures."""
    life = RemainingLife(expected=140, low=126, high=145)
    sensors = ["htBleed", "PCNfR_dmd", "Nf_dmd"]
    shares = tuple(ChannelShare(name=name, share=1 / 3, direction="low") for name in sensors)
    widest = replace(
        finding([alert("e1", 31)]),
        asset_id="FD004-train-249",
        level=Level.CRITICAL,
        first_alert_cycle=543,
        life_at_first_alert=life,
        peak_severity=123.45,
        top_sensors=shares,
    )

    lines = shown(replace(REPORT, engines=(widest,)))

    assert "…" not in lines
    assert max(len(line) for line in lines.splitlines() if not line.startswith("live ")) <= 80
    for word in (
        "FD004-train-249",
        "543!",
        "126-145",
        "123.45",
        *(f"{name}↓33" for name in sensors),
    ):
        assert word in lines.split()


def test_the_worst_comes_first_and_a_legend_says_what_is_what() -> None:
    quiet, warned = finding([]), finding([alert("e1", 31)])
    worst = replace(warned, asset_id="crit", level=Level.CRITICAL, peak_severity=1.2)
    engines = (
        replace(quiet, asset_id="quiet", peak_severity=0.9),
        replace(warned, asset_id="low", peak_severity=1.1),
        replace(quiet, asset_id="unscored", peak_severity=None),
        worst,
        replace(warned, asset_id="high", peak_severity=3.0),
    )

    ids = {each.asset_id for each in engines}
    report = replace(REPORT, engines=engines)

    for own in (False, True):
        lines = shown(replace(report, own=own)).splitlines()
        names = [name for line in lines for name in line.split()[:1] if name in ids]
        assert names == ["crit", "high", "low", "quiet", "unscored"]
        assert max(len(line) for line in lines if not line.startswith("live ")) <= 80
        assert "↑ reads high, ↓ low" in "".join(lines)
    assert finding([alert("e1", 31)]).level is Level.WARNING
    assert quiet.level is Level.NONE
    assert "31!" in shown(replace(REPORT, engines=engines))


def test_a_simulated_report_says_so() -> None:
    assert SIMULATED_NOTE in shown(replace(REPORT, simulated=True))
    assert "SIMULATED" not in shown(REPORT)


@pytest.fixture
def producer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for ``python -m producer``; the test writes what it does."""
    package = tmp_path / "producer"
    package.mkdir()
    monkeypatch.setattr(replaying, "PRODUCER", (sys.executable, str(package / "main.py")))
    return package / "main.py"


def replay_of(producer: Path, code: str) -> Replay:
    producer.write_text(code)
    replay = Replay()
    asyncio.run(run_replay(replay, [], {}, producer.parent / "replay.log"))
    return replay


def test_progress_lines_are_followed_and_other_lines_passed_over(producer: Path) -> None:
    replay = replay_of(
        producer,
        'print(\'{"sent": 1, "skipped": 0, "total": 2}\')\nprint("words")\n'
        'print(\'{"sent": 2, "skipped": 0, "total": 2, "state": "done", "new": 1}\')',
    )

    assert replay.finished
    assert replay.line is not None
    assert replay.line.sent == 2


def test_a_refused_replay_is_the_users_to_mend(producer: Path) -> None:
    with pytest.raises(UserError, match=r"^no such speed$"):
        replay_of(producer, "import sys; sys.stderr.write('error: no such speed'); sys.exit(2)")


def test_a_failed_replay_says_why_and_where_to_look(producer: Path) -> None:
    line = '{"sent": 1, "total": 2, "state": "failed", "error": "the broker is gone"}'

    with pytest.raises(StackError, match=r"exit code 1.*the broker is gone.*replay\.log"):
        replay_of(producer, f"import sys; print('{line}'); sys.exit(1)")


class CountingStore(MemoryScoreStore):
    """A score store whose counts follow a script."""

    def __init__(self, counts: Sequence[int]) -> None:
        super().__init__()
        self._counts = iter(counts)
        self._last = 0

    async def verdict_counts(self, run_id: str | None = None) -> Mapping[Verdict, int]:
        self._last = next(self._counts, self._last)
        return {Verdict.SCORED: self._last}


async def test_the_wait_ends_when_every_reading_sent_has_a_verdict() -> None:
    seen: list[tuple[int, int | None, int]] = []
    replay = Replay(ReplayProgress(sent=3, total=3), finished=True)

    counts = await every_verdict(
        CountingStore([0, 1, 3, 99]), "r", replay, lambda *now: seen.append(now), FakeClock(), ""
    )

    assert counts == {Verdict.SCORED: 3}
    assert seen == [(3, 3, 0), (3, 3, 1), (3, 3, 3)]


async def test_verdicts_of_a_replay_that_still_sends_are_not_the_end() -> None:
    replay = Replay(ReplayProgress(sent=1, total=2), finished=False)
    clock = FakeClock()

    with pytest.raises(match=r"60 s: 1 readings sent, 1 verdicts stored. See x."):
        await every_verdict(CountingStore([1]), "r", replay, lambda *_: None, clock, "See x.")

    assert clock.elapsed_s == pytest.approx(60, abs=0.2)


async def test_slow_progress_is_no_stall() -> None:
    replay = Replay(ReplayProgress(sent=50, total=50), finished=True)

    counts = await every_verdict(
        CountingStore(range(51)), "r", replay, lambda *_: None, FakeClock(), "", stall_s=0.06
    )

    assert counts == {Verdict.SCORED: 50}


async def test_work_is_given_up_when_what_it_depends_on_fails() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fails() -> None:
        raise StackError("down")

    with pytest.raises(StackError, match="down"):
        await unless_failed(work(), asyncio.create_task(fails()))

    assert ended.is_set()


async def test_work_outlives_what_ended_well() -> None:
    async def work() -> str:
        await other
        return "done"

    async def ends() -> None:
        return None

    other = asyncio.create_task(ends())

    assert await unless_failed(work(), other) == "done"
