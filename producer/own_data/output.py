"""What was found in a table, and what was decided, for a person."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from producer.own_data.findings import ColumnFinding, Findings

STYLES = {"channel": "green", "condition": "cyan", "left out": "dim", "not used": "dim"}


def show_findings(findings: Findings, console: Console) -> None:
    """Print a row for each column, then how often readings come, and what else there is to know."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("column", "taken as", "unit"):
        table.add_column(heading, no_wrap=True)
    table.add_column("seen", justify="right", no_wrap=True)
    table.add_column("blank", justify="right", no_wrap=True)
    table.add_column("why")
    for each in findings.columns:
        table.add_row(*_row(each))
    console.print(table)
    console.print()
    for line in _summary(findings):
        console.print(Text(line), soft_wrap=True)
    for remark in findings.remarks:
        console.print(Text(f"note: {remark}.", style="yellow"), soft_wrap=True)


def next_command(machine: Path, files: Sequence[str], options: Sequence[str] = ()) -> str:
    """Return the command that checks the files against the machine type."""
    arguments = ["surgeline", "check", "--machine", str(machine), *options, *files]
    return shlex.join(arguments)


def _row(each: ColumnFinding) -> tuple[Text, ...]:
    seen = "" if each.seen is None else f"{each.seen[0]:g} to {each.seen[1]:g}"
    blank = "" if each.seen is None or not each.blank else f"{each.blank:.1%}"
    style = STYLES.get(each.decision, "bold")
    return (
        Text(each.name), Text(each.decision, style=style), Text(each.unit), Text(seen),
        Text(blank), Text(each.why),
    )  # fmt: skip


def _summary(findings: Findings) -> list[str]:
    machine, cadence, count = findings.machine, findings.cadence, len(findings.assets)
    few = ", ".join(findings.assets[:5]) + (f" and {count - 5:,} more" if count > 5 else "")
    lines = [f"{findings.rows:,} readings of {_counted(count, 'asset')}: {few}"]
    if cadence is not None:
        lines.append(
            f"one reading every {duration(cadence.interval_s)} ({cadence.steady:.0%} of the "
            f"steps); {_counted(cadence.longer, 'longer step')}, the longest "
            f"{duration(cadence.longest_s)}"
        )
    channels = _counted(len(machine.used), "channel")
    conditions = _counted(len(machine.conditions), "condition")
    lines.append(
        f"{channels}, {conditions}; a model would look at {machine.window.length} readings in a row"
    )
    return lines


def duration(seconds: float) -> str:
    """Return a time span in the unit that suits it.

    Example:
        >>> duration(60.0), duration(7200.0), duration(0.02)
        ('1 min', '2 h', '20 ms')
    """
    for unit, size in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
