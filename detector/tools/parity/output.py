"""What a comparison found, for a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.records.alerts import Alert
from detector.tools.parity.report import ParityReport

SHOWN: Final = 5
"""How many of many differences are spelled out; ``--json`` has all."""


def show_parity(report: ParityReport, console: Console) -> None:
    """Print the counts, the first of all differences, and the finding."""
    for sentence in parity_notes(report):
        console.print(Text(sentence, style="bold yellow"))
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in parity_facts(report).items():
        table.add_row(Text(name, style="bold"), Text(value))
    console.print(table)
    for sentence in parity_differences(report):
        console.print(Text(f"  {sentence}", style="red"))
    style = "bold green" if report.equal else "bold red"
    console.print(Text(report.line(), style=style), soft_wrap=True)


def parity_notes(report: ParityReport) -> list[str]:
    """Return what a person must know before the numbers."""
    notes = []
    if len(report.models_in_store) > 1:
        parts = ", ".join(f"{name} ({n:,} verdicts)" for name, n in report.models_in_store.items())
        notes.append(f"Several models spoke in this run: {parts}.")
    if report.other_models:
        notes.append(
            f"The store holds verdicts of {', '.join(report.other_models)}, not of {report.model}, "
            "which is compared here; name the right one with --artifact."
        )
    if report.went_on:
        notes.append(
            f"Counters restarted or had jumped, and runs went on as {', '.join(report.went_on[:3])}"
            f"{' …' if report.went_on[3:] else ''}: these are not compared."
        )
    return notes


def parity_facts(report: ParityReport) -> dict[str, str]:
    """Return the numbers, by name."""
    alerts = report.alerts
    facts = {
        "run": report.run_id,
        "readings": f"{report.readings:,} from {report.source}",
        "model here": report.model,
        "model in the store": ", ".join(report.models_in_store) or "none",
        "live scores": f"{report.live_scores:,}",
        "compared": f"{report.compared:,}",
        **({"final scores": f"{report.finals:,}"} if report.finals else {}),
        "missing": f"{len(report.missing):,}",
        "extra": f"{len(report.extra):,}",
        "largest relative difference": _largest(report),
        "beyond the bound": f"{len(report.beyond):,}",
        "verdicts that differ": f"{len(report.verdicts):,}",
    }
    if report.repeats:
        facts["repeats, live / expected"] = ", ".join(
            f"{name} {live:,} / {expected:,}" for name, (live, expected) in report.repeats.items()
        )
    facts["alerts"] = (
        "not compared"
        if alerts is None
        else f"{alerts.live:,} on the topic, {alerts.expected:,} derived; {len(alerts.missing):,} "
        f"missing, {len(alerts.extra):,} extra, {len(alerts.different):,} different, "
        f"{alerts.redelivered:,} redelivered"
    )
    facts["evidence"] = (
        "not compared"
        if report.evidence is None
        else f"of {report.evidence.compared:,} alerts: {len(report.evidence.missing):,} missing, "
        f"{len(report.evidence.different):,} different"
    )
    return facts


def parity_differences(report: ParityReport) -> list[str]:
    """Return the first few of each kind of difference, a sentence each."""
    lines = _few("missing in the store", (f"{a}, cycle {c}" for a, c in report.missing))
    lines += _few("only in the store", (f"{a}, cycle {c}" for a, c in report.extra))
    lines += _few(
        "another score",
        (f"{d.asset_id}, cycle {d.cycle}: live {d.live!r}, batch {d.batch!r}"
         for d in report.beyond),
    )  # fmt: skip
    lines += _few(
        "another verdict",
        (f"{d.asset_id}, cycle {d.cycle}: live {d.live}; expected {d.expected}"
         for d in report.verdicts),
    )  # fmt: skip
    if report.doubled:
        lines.append(f"cycles with two verdicts in the store: {report.doubled:,}")
    if report.alerts is not None:
        lines += _few("alert missing on the topic", map(_alert, report.alerts.missing))
        lines += _few("alert only on the topic", map(_alert, report.alerts.extra))
        lines += _few("alert of another content", map(_alert, report.alerts.different))
        if report.alerts.expected and not report.alerts.live:
            lines.append(
                "The topic holds no alert of this run. If the broker was restarted (the local one "
                "is memory only), compare without: --no-alerts."
            )
    if report.evidence is not None:
        lines += _few("evidence missing on the topic", map(_alert, report.evidence.missing))
        lines += _few(
            "evidence of another content",
            (f"{d.asset_id}, cycle {d.cycle}: {d.field} is {d.live}; expected {d.expected}"
             for d in report.evidence.different),
        )  # fmt: skip
        if report.evidence.missing and not report.evidence.same:
            lines.append(
                "The topic holds no evidence of this run. If it has forgotten, or an earlier "
                "version ran, compare without: --no-evidence."
            )
    if report.missing and not report.live_scores:
        lines.append("The store holds no score of this run: has the detector run yet?")
    return lines


def _largest(report: ParityReport) -> str:
    largest = report.largest
    if largest is None:
        return "nothing compared"
    if largest.relative == 0.0:
        return f"0: equal to the last bit; bound {report.tolerance:g}"
    where = f"{largest.asset_id}, cycle {largest.cycle}"
    return f"{largest.relative:.2e} ({where}); bound {report.tolerance:g}"


def _alert(alert: Alert) -> str:
    return f"{alert.asset_id}, cycle {alert.cycle}, {alert.state.value} {alert.level.value}"


def _few(what: str, items: Iterable[str]) -> list[str]:
    found = list(items)
    lines = [f"{what}: {item}" for item in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"{what}: {len(found) - SHOWN:,} more")
    return lines
