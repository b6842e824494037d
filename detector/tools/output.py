"""How the tools' findings are shown: tables for people, JSON files for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.printable import one_line
from common.records import Alert, DeadLetter
from detector.tools.deadletter import Letter, count_reasons, decoded_original
from detector.tools.matching import MovedAlert
from detector.tools.parity import ParityReport
from detector.tools.whatif import AssetChange, WhatIfReport

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
    if report.missing and not report.live_scores:
        lines.append("The store holds no score of this run: has the detector run yet?")
    return lines


def show_what_if(report: WhatIfReport, console: Console) -> None:
    """Print both rules, a row for each asset that changes, and the finding."""
    console.print(Text.assemble(("as it is    ", "bold"), report.before))
    console.print(Text.assemble(("as it would ", "bold"), report.after))
    if report.changed:
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("asset", no_wrap=True)
        lead = ("lead, cycles",) if report.knows_lead else ()
        for heading in ("gained", "lost", "moved", "first alert", *lead):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("what")
        for asset in report.changed:
            table.add_row(*_change_row(asset, with_lead=report.knows_lead))
        console.print(table)
    console.print(Text(report.sentence(), style="bold"), soft_wrap=True)


def show_letters(letters: Sequence[Letter], latest: int, console: Console) -> None:
    """Print the counts by reason, and the latest letters."""
    reasons = Table(box=None, padding=(0, 2, 0, 0))
    reasons.add_column("reason")
    reasons.add_column("letters", justify="right")
    for reason, count in count_reasons(letters).items():
        reasons.add_row(Text(one_line(reason)), f"{count:,}")
    console.print(reasons)
    table = Table(box=None, padding=(0, 2, 0, 0))
    # what names a letter stays whole, however long a key somebody sent
    for heading in ("position", "received", "reason"):
        table.add_column(heading, no_wrap=True)
    for heading in ("asset", "message"):
        table.add_column(heading, overflow="fold")
    for item in letters[-latest:]:
        table.add_row(
            Text(one_line(item.position)),
            _received(item.letter, "%Y-%m-%d %H:%M:%S"),
            Text(one_line(item.letter.reason)),
            Text(one_line(item.asset_id)),
            Text(one_line(item.letter.message)),
        )
    console.print()
    console.print(table)
    if len(letters) > latest:
        console.print(f"The latest {latest} of {len(letters):,}; see --latest.", style="dim")


def show_letter(item: Letter, max_bytes: int, refused: str | None, console: Console) -> None:
    """Print one letter and its original."""
    letter, identity = item.letter, item.identity
    facts = {
        "position": item.position,
        "received": _received(letter, "%Y-%m-%d %H:%M:%S.%f"),
        "reason": letter.reason,
        "message": letter.message,
        "key": "none" if item.key is None else repr(item.key)[1:],
        "reading": "not intelligible"
        if identity is None
        else f"{identity.asset_id}, run {identity.run_id}, cycle {identity.cycle}",
        "size": f"{letter.original_size:,} bytes",
        "sha256": letter.original_sha256,
        "retry": "possible" if refused is None else f"not possible: {refused}",
    }
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in facts.items():
        table.add_row(Text(name, style="bold"), Text(one_line(value)))
    console.print(table)
    console.print()
    shown = item.value[:max_bytes] if max_bytes else item.value
    console.print(Text(decoded_original(shown)), soft_wrap=True)
    if len(shown) < letter.original_size:
        console.print(
            f"... {letter.original_size - len(shown):,} more bytes; see --max-bytes.", style="dim"
        )


def _received(letter: DeadLetter, layout: str) -> str:
    return "unknown" if letter.received_at is None else f"{letter.received_at:{layout}}Z"


def _largest(report: ParityReport) -> str:
    largest = report.largest
    if largest is None:
        return "nothing compared"
    if largest.relative == 0.0:
        return f"0: equal to the last bit; bound {report.tolerance:g}"
    where = f"{largest.asset_id}, cycle {largest.cycle}"
    return f"{largest.relative:.2e} ({where}); bound {report.tolerance:g}"


def _change_row(asset: AssetChange, *, with_lead: bool) -> tuple[Text, ...]:
    changes = asset.changes
    told = [f"+{_short(alert)}" for alert in changes.gained]
    told += [f"-{_short(alert)}" for alert in changes.lost]
    told += [_moved(pair) for pair in changes.moved]
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return (
        Text(asset.asset_id),
        Text(str(len(changes.gained)), style="green" if changes.gained else ""),
        Text(str(len(changes.lost)), style="red" if changes.lost else ""),
        Text(str(len(changes.moved))),
        Text(_arrow(asset.first_before, asset.first_after)),
        *((Text(_arrow(asset.lead_before, asset.lead_after)),) if with_lead else ()),
        Text(", ".join(told[:SHOWN]) + more),
    )


def _arrow(before: int | None, after: int | None) -> str:
    if before == after:
        return "-" if before is None else str(before)
    return " → ".join("-" if value is None else str(value) for value in (before, after))


def _short(alert: Alert) -> str:
    return f"{alert.state.value} {alert.level.value}@{alert.cycle}"


def _moved(pair: MovedAlert) -> str:
    before, after = pair.before, pair.after
    if before.level is not after.level:
        return f"{_short(before)}→{_short(after)}"
    if before.cycle != after.cycle:
        return f"{_short(before)}→{after.cycle}"
    return f"{_short(before)} (onset {before.onset_cycle}→{after.onset_cycle})"


def _alert(alert: Alert) -> str:
    return f"{alert.asset_id}, cycle {alert.cycle}, {alert.state.value} {alert.level.value}"


def _few(what: str, items: Iterable[str]) -> list[str]:
    found = list(items)
    lines = [f"{what}: {item}" for item in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"{what}: {len(found) - SHOWN:,} more")
    return lines
