"""How much would be scored, for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.tools.check.advice import advice
from detector.tools.check.report import CheckReport, Outcome

SHOWN_ASSETS: Final = 30
SHOWN_CHANNELS: Final = 40


def show_check(report: CheckReport, console: Console) -> None:
    """Print the outcomes, the assets, the channels with a loss, and the finding."""
    outcomes = [each for each in Outcome if report.outcomes[each]]
    console.print(_by_outcome(report, outcomes))
    console.print()
    of_assets = [each for each in outcomes if each is not Outcome.WITHOUT_ASSET]
    console.print(_by_asset(report, of_assets))
    _tell_more(len(report.assets) - SHOWN_ASSETS, "assets", console)
    touched = [name for name, tally in report.channels.items() if any(tally)]
    if touched:
        console.print()
        console.print(_by_channel(report, touched))
        _tell_more(len(touched) - SHOWN_CHANNELS, "channels", console)
    console.print()
    for remark in report.remarks:
        console.print(Text(f"note: {remark}.", style="yellow"), soft_wrap=True)
    style = "bold" if report.enough else "bold red"
    console.print(Text(report.sentence(), style=style), soft_wrap=True)
    if told := advice(report):
        console.print(Text(told), soft_wrap=True)


def _by_outcome(report: CheckReport, outcomes: Sequence[Outcome]) -> Table:
    table = _table("outcome", "readings", "part")
    table.add_column("meaning")
    for each in outcomes:
        count = report.outcomes[each]
        meaning = each.meaning
        if each is Outcome.SCORED and report.held:
            meaning += f"; {report.held:,} readings use a value that was held"
        style = "green" if each is Outcome.SCORED else ""
        table.add_row(
            Text(each.value, style=style), f"{count:,}", _part(count, report.rows), Text(meaning)
        )
    return table


def _by_asset(report: CheckReport, outcomes: Sequence[Outcome]) -> Table:
    table = _table("asset", "readings", *(each.value for each in outcomes), "part scored")
    # the worst first: that is what somebody looks for
    ordered = sorted(
        report.assets, key=lambda each: each.outcomes.get(Outcome.SCORED, 0) / max(each.rows, 1)
    )
    for asset in ordered[:SHOWN_ASSETS]:
        counts = (f"{asset.outcomes.get(each, 0):,}" for each in outcomes)
        part = _part(asset.outcomes.get(Outcome.SCORED, 0), asset.rows)
        table.add_row(Text(asset.asset_id), f"{asset.rows:,}", *counts, part)
    return table


def _by_channel(report: CheckReport, names: list[str]) -> Table:
    table = _table("channel", "blank", "held", "lost", "out of range")
    for name in names[:SHOWN_CHANNELS]:
        table.add_row(Text(name), *(f"{count:,}" for count in report.channels[name]))
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _tell_more(count: int, what: str, console: Console) -> None:
    if count > 0:
        console.print(Text(f"and {count:,} more {what}; --json has all", style="dim"))


def _part(count: int, rows: int) -> str:
    return f"{count / rows:.1%}" if rows else "-"
