"""Writes the figures of the last run into docs/performance.md.

    python -m bench.report --write       after a whole run
    python -m bench.report               says whether the page is up to date

What stands between two marks on the page comes from ``bench/results/latest.json`` alone; a test
fails when it does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bench.scale import Slopes, first_limits, need, rows
from bench.suite.figures import PLUMBING, PLUMBING_AT_MOST_US, RATIOS
from bench.suite.machine import ROOT
from bench.suite.record import LATEST
from bench.suite.table import number
from common.errors import UserError
from common.terminal.cli import friendly_errors, output_console

PAGE: Final = ROOT / "docs/performance.md"
NO_RUN: Final = "No whole run has been committed yet: `make bench` makes one."
FLEETS: Final = (10_000, 100_000, 1_000_000)
MARK: Final = "<!-- {name} -->"
END: Final = "<!-- end -->"
MEANINGS: Final = "meanings"
"""The one block that needs no run."""

SECTION_NAMES: Final = (
    "network", "stages", "throughput", "peers", "latency", "growth", "queries", "startup",
)  # fmt: skip

Run = Mapping[str, Any]


def ratios(run: Run) -> str:
    """Return the table of ratios."""
    lines = [
        (
            f"`{name}`",
            number(run["ratios"][name]),
            f"{run['spread'][name]:.0%}",
            f"≥ {goal.at_least:g}",
        )
        for name, goal in RATIOS.items()
    ]
    lines.append(
        (f"`{PLUMBING}`", f"{run[PLUMBING]:.1f} µs", f"{run['spread'][PLUMBING]:.0%}",
         f"≤ {PLUMBING_AT_MOST_US:g} µs")
    )  # fmt: skip
    return table(("ratio", "measured", "spread of rounds", "goal"), lines)


def meanings() -> str:
    """Return what each ratio means."""
    lines = [(f"`{name}`", goal.meaning, goal.section) for name, goal in RATIOS.items()]
    return table(("ratio", "what is divided by what", "section"), lines)


def machine(run: Run) -> str:
    """Return on what was measured."""
    facts = run["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    minutes = sum(run["seconds"].values()) / 60
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gb']} GB; "
        f"{facts['system']}, Python {facts['python']}; {packages}. Commit `{facts['commit']}`, "
        f"{facts['when'][:10]}, load {facts['load_before']} before it began; {minutes:.0f} minutes."
    )


def section(name: str) -> Callable[[Run], str]:
    """Return what writes the figures of a section."""

    def written(run: Run) -> str:
        lines = [
            (what, number(figure["median"]), figure["unit"], f"{figure['spread']:.0%}")
            for what, figure in run["figures"][name].items()
        ]
        missing = [
            f"Not measured: {what.partition(': ')[2]}: {why}."
            for what, why in run["not_measured"].items()
            if what.startswith(f"{name}: ")
        ]
        return "\n\n".join([table(("figure", "median", "unit", "spread"), lines), *missing])

    return written


def scale(run: Run) -> str:
    """Return what fleets need that speak once a second."""
    slopes = Slopes.of(run)
    needs = [rows(need(assets, 1.0, slopes)) for assets in FLEETS]
    lines = [(part[0][0], *(value for _, value in part)) for part in zip(*needs, strict=True)]
    return table(("at 1 Hz", *(f"{assets:,} assets" for assets in FLEETS)), lines)


def limits(run: Run) -> str:
    """Return what breaks first."""
    lines = [(what, f"{per_s:,.0f}") for what, per_s in first_limits(Slopes.of(run)).items()]
    return table(("what, at 70 %", "readings/s"), lines)


BLOCKS: Final[Mapping[str, Callable[[Run], str]]] = {
    "ratios": ratios,
    "machine": machine,
    **{name: section(name) for name in SECTION_NAMES},
    "scale": scale,
    "limits": limits,
}
"""By mark: what writes it."""


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *lines))


def written(name: str, run: Run | None) -> str:
    """Return what stands behind a mark."""
    return NO_RUN if run is None else BLOCKS[name](run)


def rendered(page: str, run: Run | None) -> str:
    """Return a page with what a run says between its marks.

    Raises:
        UserError: If the page has a mark that nothing writes, or lacks one.
    """
    marks = re.findall(r"<!-- (\w+) -->(?=\n)", page.replace(END, ""))
    if sorted(marks) != sorted([*BLOCKS, MEANINGS]):
        raise UserError(f"docs/performance.md has the marks {marks}; each block has one.")
    for name in marks:
        text = meanings() if name == MEANINGS else written(name, run)
        mark = MARK.format(name=name)
        before, _, rest = page.partition(f"{mark}\n")
        _, end, after = rest.partition(END)
        page = f"{before}{mark}\n{text}\n{end}{after}"
    return page


def last_run(path: Path = LATEST) -> Run | None:
    """Return the run that lies beside the code; none if there is none."""
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found if found["whole"] else None


@friendly_errors
def main(
    write: Annotated[bool, typer.Option("--write", help="Bring the page up to date.")] = False,
) -> None:
    """Say whether docs/performance.md shows the last run, or make it so."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = rendered(page, last_run())
    if write:
        PAGE.write_text(fresh, encoding="utf-8")
    elif page != fresh:
        raise UserError(
            "docs/performance.md is not of the last run: python -m bench.report --write"
        )
    output_console().print("docs/performance.md is of the last run.")


if __name__ == "__main__":
    typer.run(main)
