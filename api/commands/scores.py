"""``surgeline scores``: the verdicts on one asset's readings, as a table or a plot."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer
from rich.text import Text

from api.commands.server.asking import RunOption, UrlOption, as_page, connect, say
from api.commands.server.nothing_found import no_verdicts
from api.commands.shown.lines import Column, Row, lay_out, shortened
from api.commands.shown.plot import severity_plot
from api.commands.shown.stamps import Stamps
from api.commands.shown.wording import (
    PLAIN_STEP,
    STYLES,
    TOP_CHANNELS,
    left,
    legend_of_scores,
    legend_table,
    step_heading,
    times,
    top,
)
from api.views.scores import ScorePage
from common.errors import UserError
from common.records.verdicts import Verdict
from common.terminal.cli import friendly_errors, output_console
from common.terminal.printable import one_line

ROWS: Final = 20
PLOTTED: Final = 1000
SIMULATED: Final = "; SIMULATED"


@friendly_errors
def scores(
    asset: Annotated[
        str | None, typer.Argument(metavar="ASSET", help="Which asset.", show_default=False)
    ] = None,
    asset_option: Annotated[
        str | None, typer.Option("--asset", help="The same, by name.", show_default=False)
    ] = None,
    run: RunOption = None,
    status: Annotated[
        Verdict | None, typer.Option(help="Only this verdict.", show_default=False)
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw the severity, with the line of the warning.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help=f"Most readings: {ROWS} unless said, {PLOTTED} of a plot.",
            show_default=False,
        ),
    ] = None,
    url: UrlOption = None,
) -> None:
    """List the latest verdicts on one asset's readings, oldest first, or draw them.

    A score is a number for how unlike healthy readings the latest window of readings is (30 cycles
    of an engine): higher is more anomalous, a warning from its threshold on. Severity is that of
    all evidence, single channels and frozen ones too: 1 is a warning. Where the model knows how
    much life is left, that is said, in steps and for nine of ten cases. The channels with the
    largest part are named; below the table is what they measure, and in which unit. A narrow
    terminal shows fewer columns.

    For example:

    - `surgeline scores FD001-test-031` lists the latest 20 cycles
    - `surgeline scores FD001-test-031 --plot` draws its course
    - `surgeline scores FD001-test-031 --status scored --limit 100` leaves the warm-up out
    """
    asset = _which(asset, asset_option)
    client = connect(url)
    if plot:
        status = Verdict.SCORED
    query = {
        "asset_id": asset,
        "run_id": run,
        "status": status,
        "limit": limit or (PLOTTED if plot else ROWS),
    }
    page = as_page(ScorePage, client.get("/api/v1/scores", query), client)
    if not page["items"]:
        say(no_verdicts(client, asset, run, status))
        return
    console = output_console()
    legend = page["legend"]
    rows = page["items"][::-1]
    if plot:
        for line in plot_lines(rows, legend, console.width):
            console.print(line, soft_wrap=True)
        return
    lines, named = score_lines(rows, legend, console.width)
    for line in lines:
        console.print(line, soft_wrap=True)
    words = legend_table(legend_of_scores(named, legend))
    if words is not None:
        console.print()
        console.print(words)


def score_lines(
    rows: list[dict[str, Any]], legend: dict[str, Any], width: int
) -> tuple[list[Text], list[tuple[str, str]]]:
    """Return verdicts as lines of at most ``width`` cells, and the channels they name, by fleet."""
    stamps = Stamps(row["ts"] for row in rows)
    runs = {row["run_id"] for row in rows}
    step = _step(rows, legend)
    columns = (
        Column("time", stamps.heading),
        Column("run", lesser=4),
        Column("step", step, right=True),
        Column("verdict"),
        Column("score", right=True, lesser=2),
        Column("warning at", right=True, lesser=3),
        Column("severity", right=True),
        Column("left", lesser=1),
        Column("why"),
    )
    shown: list[Row] = []
    named: list[tuple[str, str]] = []
    for row in rows:
        channels = [] if row["detail"] else _largest(row["shares"])
        named += [(row["fleet"], each["name"]) for each in channels]
        cells = {
            "time": stamps.of(row["ts"]),
            "run": shortened(row["run_id"]) if len(runs) > 1 else "",
            "step": str(row["cycle"]),
            "verdict": row["status"],
            "score": _number(row["score"]),
            "warning at": _number(row["warning_threshold"]),
            "severity": Text(times(row["severity"]), STYLES[row["level"]]),
            "left": left(row["life"]),
            "why": one_line(row["detail"]) or top(channels),
        }
        shown.append(Row(cells))
    lines = lay_out(columns, shown, width)
    if len(runs) == 1:
        lines.append(Text(f"run {one_line(rows[0]['run_id'])}", "dim"))
    return lines, named


def plot_lines(rows: list[dict[str, Any]], legend: dict[str, Any], width: int) -> list[Text]:
    """Return the severity of the latest run in the page as a plot, with a heading.

    Args:
        rows: Scored readings, oldest first.
        legend: The page's.
        width: Cells of a line.
    """
    run = rows[-1]["run_id"]
    own = [row for row in rows if row["run_id"] == run and row["severity"] is not None]
    if not own:
        return [Text("These readings have no severity: they were scored by an earlier version.")]
    own.sort(key=lambda row: row["cycle"])
    peak = max(own, key=lambda row: row["severity"])
    step, name = _step(own, legend), one_line(own[-1]["asset_id"])
    said = (
        f"{name}, run {one_line(run)}: severity now {times(own[-1]['severity'])}, peak "
        f"{times(peak['severity'])} at {step} {peak['cycle']}"
    )
    lines = severity_plot(
        [row["cycle"] for row in own], [row["severity"] for row in own], max(20, width)
    )
    marked = SIMULATED if own[-1]["simulated"] else ""
    foot = f"{step}s {own[0]['cycle']} to {own[-1]['cycle']}; the line at 1 is a warning{marked}"
    return [Text(said, "bold"), *map(Text, lines), Text(foot, "dim")]


def _which(argument: str | None, option: str | None) -> str:
    if argument is not None and option is not None and argument != option:
        raise UserError(f"Two assets came, {argument!r} and {option!r}; expected one.")
    found = argument if argument is not None else option
    if found is None:
        raise UserError(
            "No asset came; expected one, such as `surgeline scores FD001-test-031`. "
            "`surgeline assets` lists them."
        )
    return found


def _step(rows: list[dict[str, Any]], legend: dict[str, Any]) -> str:
    return step_heading(legend.get(row["fleet"], {}).get("step", PLAIN_STEP) for row in rows)


def _largest(shares: dict[str, float]) -> list[dict[str, Any]]:
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return [{"name": name, "share": share} for name, share in ordered[:TOP_CHANNELS]]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
