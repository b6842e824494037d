"""How a demo's findings are shown: a table for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.files.atomic import write_report
from common.records.alerts import ChannelShare, RemainingLife
from common.records.times import utc_text
from common.records.verdicts import Level, Verdict
from common.terminal.printable import one_line
from deploy.demo.findings import EngineFinding
from detector.tools.parity.report import ParityReport

REASONS: Final[dict[str, str]] = {
    Verdict.WARMING_UP: "the recordings are too short for a single window",
    Verdict.GAP: "too many cycles are missing between them",
    Verdict.LATE: "they came after later cycles",
    Verdict.DUPLICATE: "they had come before",
    Verdict.UNKNOWN_REGIME: "the fleet's model does not know the conditions they were taken under; "
    "see SURGELINE_FLEETS",
    Verdict.REJECTED: "they could not be used; see `surgeline deadletter list`",
}

NAMED_CHANNELS: Final = 2
"""Names of one's own are long: each has a line of its own."""

ORDER_NOTE: Final = "worst first; alert: the first, ! if it became critical; left: in 9 of 10 cases"
ARROWS_NOTE: Final = "↑ reads high, ↓ low"
PEAK_NOTE: Final = "peak: highest severity, 1 is a warning"

SIMULATED_NOTE = "SIMULATED engines: the figures below say nothing about C-MAPSS."


@dataclass(frozen=True, slots=True)
class DemoReport:
    """Everything a demo found.

    Attributes:
        dataset: Such as ``FD001``; ``SIM`` for the simulator's.
        split: ``train`` or ``test``.
        run_id: The run of all engines.
        simulated: Whether the readings are the simulator's.
        own: Whether they are somebody's own.
        readings_sent: Readings on the topic, as the producer counted them.
        verdicts: Readings by verdict, as the score store counts them.
        scores_stored: Scores read back from the store.
        dead_letters: Messages on the dead-letter topic.
        alerts: Alerts on the alerts topic, one of each id.
        rows_per_s: Readings, divided by the seconds from the first one sent to the last verdict.
        latency_ms: ``p50`` and ``p99``, from arrival at the broker to the stored verdict.
        stack_ready_s: Seconds the stack took to start; none if it had been running.
        engines: One entry an engine.
        parity: Whether every live score, verdict and alert equals the batch path's.
    """

    dataset: str
    split: str
    run_id: str
    simulated: bool
    own: bool
    readings_sent: int
    verdicts: dict[str, int]
    scores_stored: int
    dead_letters: int
    alerts: int
    rows_per_s: float
    latency_ms: dict[str, float | None]
    stack_ready_s: float | None
    engines: tuple[EngineFinding, ...]
    parity: ParityReport

    @property
    def hollow(self) -> str | None:
        """Why the run shows nothing; none when at least half of what could be scored was."""
        scored = self.verdicts.get(Verdict.SCORED.value, 0)
        warming_up = self.verdicts.get(Verdict.WARMING_UP.value, 0)
        due = sum(self.verdicts.values()) - warming_up
        if scored and 2 * scored >= due:
            return None
        rest = {
            kind: count
            for kind, count in self.verdicts.items()
            if kind != Verdict.SCORED.value and (due == 0 or kind != Verdict.WARMING_UP.value)
        }
        if not rest:
            return "nothing was scored: no reading got a verdict"
        kind = max(rest, key=lambda each: rest[each])
        much = f"only {scored:,} of {due:,} readings that could be" if scored else "nothing"
        return f"{much} was scored, mainly because {rest[kind]:,} are {kind}: {REASONS[kind]}"

    @property
    def mismatch(self) -> str | None:
        """Why the counts do not add up; none when every reading has its one verdict."""
        if sum(self.verdicts.values()) != self.readings_sent:
            return f"{self.readings_sent} readings were sent but {self.verdicts} came out"
        if self.scores_stored != self.verdicts.get("scored", 0):
            return f"{self.verdicts.get('scored', 0)} were scored, {self.scores_stored} are stored"
        if not self.parity.equal:
            return f"live differs from batch ({self.parity.line()})"
        return None


def write_json(report: DemoReport, path: Path) -> None:
    """Write the report to a file, whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    entries = asdict(report) | {"parity": report.parity.as_json()}
    for entry, engine in zip(entries["engines"], report.engines, strict=True):
        entry["first_alert_ts"] = engine.first_alert_ts and utc_text(engine.first_alert_ts)
        life = engine.life_at_first_alert
        entry["life_at_first_alert"] = life and life.model_dump()
        entry["top_sensors"] = [share.model_dump() for share in engine.top_sensors]
    write_report(path, entries)


def show(report: DemoReport, console: Console) -> None:
    """Print the table of engines and the summary."""
    if report.simulated:
        console.print(Text(SIMULATED_NOTE, style="bold yellow"))
    console.print(_own_table(report) if report.own else _engine_table(report))
    console.print(_summary(report))
    style = "green" if report.parity.equal else "bold red"
    console.print(Text(report.parity.line(), style=style), soft_wrap=True)


def by_urgency(engines: Sequence[EngineFinding]) -> list[EngineFinding]:
    """Return the engines, the worst first: by level, then by peak severity, then by name."""
    return sorted(
        engines,
        key=lambda each: (
            -each.level.rank,
            -(-1.0 if each.peak_severity is None else each.peak_severity),
            each.asset_id,
        ),
    )


def _engine_table(report: DemoReport) -> Table:
    label = "simulated fleet" if report.simulated else f"{report.dataset} {report.split} engines"
    # fits 80 columns, so that a pipe or a narrow terminal breaks no row
    table = _table(
        f"{label}, run {report.run_id}",
        f"{ORDER_NOTE}\n{PEAK_NOTE}; {ARROWS_NOTE}",
    )
    table.add_column("engine", no_wrap=True)
    for heading in ("cycles", "alert", "left", "truly", "peak"):
        table.add_column(heading, justify="right", no_wrap=True)
    # the widest goes on below at a space: a cut name says less than a second line
    table.add_column("top sensors then, %")
    for engine in by_urgency(report.engines):
        table.add_row(
            engine.asset_id,
            str(engine.cycles),
            _or_dash(engine.first_alert_cycle) + _mark(engine),
            _left(engine.life_at_first_alert),
            _or_dash(engine.rul_at_first_alert),
            "-" if engine.peak_severity is None else f"{engine.peak_severity:.2f}",
            _sensors(engine.top_sensors),
        )
    return table


def _own_table(report: DemoReport) -> Table:
    table = _table(
        f"{report.dataset}, run {report.run_id}", f"worst first; {PEAK_NOTE}; {ARROWS_NOTE}"
    )
    table.add_column("asset", no_wrap=True)
    for heading in ("readings", "alarms", "first alarm (UTC)", "peak"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("top channels then, %", overflow="fold")
    for asset in by_urgency(report.engines):
        at = asset.first_alert_ts
        table.add_row(
            Text(asset.asset_id),
            f"{asset.cycles:,}",
            f"{asset.raised:,}",
            "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}",
            "-" if asset.peak_severity is None else f"{asset.peak_severity:.2f}",
            Text(_sensors(asset.top_sensors[:NAMED_CHANNELS], "\n", " ")),
        )
    return table


def _summary(report: DemoReport) -> Table:
    alerted = sum(engine.first_alert_cycle is not None for engine in report.engines)
    word = "assets" if report.own else "engines"
    p50, p99 = report.latency_ms["p50"], report.latency_ms["p99"]
    verdicts = ", ".join(f"{count:,} {kind}" for kind, count in report.verdicts.items())
    facts = {
        "readings sent": f"{report.readings_sent:,}",
        "verdicts": verdicts,
        "scores stored": f"{report.scores_stored:,}",
        "dead letters": f"{report.dead_letters:,}",
        "alerts": f"{report.alerts:,}, on {alerted} of {len(report.engines)} {word}",
        "throughput": f"{report.rows_per_s:,.0f} readings/s, first sent to last verdict stored",
        "latency": "not measured"
        if p50 is None or p99 is None
        else f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, arrival at the broker to stored verdict",
        "stack": "had been running"
        if report.stack_ready_s is None
        else f"ready after {report.stack_ready_s:.1f} s",
    }
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in facts.items():
        table.add_row(Text(name, style="bold"), value)
    return table


def _table(title: str, caption: str) -> Table:
    return Table(
        title=title,
        caption=caption,
        caption_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
    )


def _left(life: RemainingLife | None) -> str:
    """Return how many cycles the alert says are left, in 9 of 10 cases."""
    if life is None:
        return "-"
    return f"over {life.low:.0f}" if life.at_least else f"{life.low:.0f}-{life.high:.0f}"


def _sensors(shares: Sequence[ChannelShare], between: str = " ", before: str = "") -> str:
    arrows = {"high": "↑", "low": "↓"}
    words = (
        f"{one_line(one.name)}{before}{arrows[one.direction]}{one.share * 100:.0f}"
        for one in shares
    )
    return between.join(words) or "-"


def _mark(engine: EngineFinding) -> str:
    return "!" if engine.level is Level.CRITICAL else " "


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
