"""How fast Surgeline is, beside what others would have built: ``make bench``.

    python -m bench                             everything; about 13 minutes on two quiet cores
    python -m bench --only latency,peers        some sections
    python -m bench --quick                     small sizes, a few minutes: does it all work?

Starts servers, workers and peers of its own on 127.0.0.1, and ends them however it ends itself. A
whole run writes ``bench/results/latest.json``; docs/performance.md says what its ratios mean.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated, Final

import typer

from bench.sections import (
    growth,
    latency,
    network,
    peers,
    queries,
    stage_costs,
    startup,
    throughput,
)
from bench.suite.failures import MeasurementError
from bench.suite.record import LATEST, committed, write
from bench.suite.running import run_sections
from bench.suite.section import Section
from common.errors import UserError
from common.terminal.cli import friendly_errors, output_console

SECTIONS: Final[tuple[Section, ...]] = (
    network.SECTION,
    stage_costs.SECTION,
    throughput.SECTION,
    peers.SECTION,
    latency.SECTION,
    growth.SECTION,
    queries.SECTION,
    startup.SECTION,
)


@friendly_errors
def main(
    only: Annotated[
        str, typer.Option(help=f"Sections, after commas: {', '.join(s.name for s in SECTIONS)}.")
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes and one round: no figures to quote.")
    ] = False,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write the run here; a whole run also to its own place."),
    ] = None,
    list_sections: Annotated[bool, typer.Option("--list", help="Say what there is.")] = False,
) -> None:
    """Measure, print a table, and compare with the last committed run.

    Exit code 1 if a section failed: it measured nothing, counts or scores were wrong, a program
    ended. Goals that are not met are red, and no failure.
    """
    console = output_console()
    if list_sections:
        for section in SECTIONS:
            console.print(f"{section.name:12}{section.about}")
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs is ended on the way out
    chosen = chosen_sections(only)
    whole = not quick and chosen == SECTIONS
    record, failures = run_sections(chosen, console, quick=quick, whole=whole, before=committed())
    if json_path is not None:
        write(record, json_path)
    if failures:
        raise MeasurementError(f"{len(failures)} of {len(chosen)} sections: {'; '.join(failures)}")
    if whole:
        write(record, LATEST)
        console.print(f"written: {LATEST}; `python -m bench.report --write` brings the page along")


def chosen_sections(only: str) -> tuple[Section, ...]:
    """Return the sections of these names, in the order of a whole run; all for none.

    Raises:
        UserError: If there is no section of a name.
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = sorted(set(names) - {section.name for section in SECTIONS})
    if unknown:
        raise UserError(
            f"--only: {', '.join(unknown)} came; sections are "
            f"{', '.join(section.name for section in SECTIONS)}."
        )
    return tuple(section for section in SECTIONS if not names or section.name in names)


if __name__ == "__main__":
    typer.run(main)
