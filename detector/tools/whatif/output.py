"""What another rule would change, for a person."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.records.alerts import Alert
from detector.tools.whatif.report import AssetChange, WhatIfReport
from models.whatif.matching import MovedAlert

SHOWN: Final = 5
"""How many of an asset's changes are spelled out; ``--json`` has all."""


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


def _moved(pair: MovedAlert[Alert]) -> str:
    before, after = pair.before, pair.after
    if before.level is not after.level:
        return f"{_short(before)}→{_short(after)}"
    if before.cycle != after.cycle:
        return f"{_short(before)}→{after.cycle}"
    return f"{_short(before)} (onset {before.onset_cycle}→{after.onset_cycle})"
