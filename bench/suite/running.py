"""Runs sections one after the other, with a bar on the screen; what fails is said and counted."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from bench.suite.failures import MeasurementError
from bench.suite.figures import Findings
from bench.suite.machine import machine_facts
from bench.suite.record import Record
from bench.suite.section import Context, Section
from bench.suite.table import show_ratios, show_section
from common.errors import SurgelineError


def run_sections(
    sections: Sequence[Section],
    console: Console,
    *,
    quick: bool,
    whole: bool,
    before: Mapping[str, Any] | None,
) -> tuple[Record, list[str]]:
    """Run sections, and print what each found as soon as it has.

    Args:
        sections: In their order.
        console: Where to.
        quick: Small sizes.
        whole: Whether these are all sections, at full size.
        before: An earlier run to compare with.

    Returns:
        What was measured, and a sentence for each section that failed.
    """
    machine = machine_facts()
    findings: dict[str, Findings] = {}
    seconds: dict[str, float] = {}
    failures: list[str] = []
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
    )
    with bar:
        total = sum(section.steps(Context(quick)) for section in sections)
        task = bar.add_task("", total=total)
        for section in sections:
            told = 0

            def tell(what: str, name: str = section.name) -> None:
                nonlocal told
                told += 1
                bar.update(task, description=f"{name}: {what}", advance=1)

            begin = time.monotonic()
            try:
                found = checked(section, section.run(Context(quick, tell)))
            except SurgelineError as exc:
                failures.append(f"{section.name}: {exc}")
                console.print(Text.assemble(("failed:", "bold red"), f" {section.name}: {exc}"))
            except Exception as exc:  # noqa: BLE001 - the others go on; the run fails at its end
                failures.append(f"{section.name}: {exc!r}")
                console.print(Text.assemble(("failed:", "bold red"), f" {section.name}"))
                console.print(traceback.format_exc(), markup=False, highlight=False)
            else:
                findings[section.name] = found
                show_section(console, section, found, before)
            seconds[section.name] = time.monotonic() - begin
            bar.update(task, advance=section.steps(Context(quick)) - told)
    record = Record(whole and not failures, machine, findings, seconds)
    show_ratios(console, record, before)
    return record, failures


def checked(section: Section, found: Findings) -> Findings:
    """Return what a section found.

    Raises:
        MeasurementError: If it measured nothing.
    """
    if not found.figures:
        raise MeasurementError("nothing was measured")
    return found
