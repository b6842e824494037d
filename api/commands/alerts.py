"""``surgeline alerts``: what changed, a line for each; or the same, live."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError
from rich.text import Text

from api.commands.server.asking import (
    AssetOption,
    FleetOption,
    LimitOption,
    RunOption,
    UrlOption,
    as_page,
    connect,
    say,
)
from api.commands.server.client import ApiClient, stranger
from api.commands.server.nothing_found import no_alerts
from api.commands.shown.lines import Column, Row, lay_out, shortened
from api.commands.shown.stamps import Stamps, whole
from api.commands.shown.wording import (
    PLAIN_STEP,
    TIMES,
    arrows,
    arrows_legend,
    left,
    legend_of_alerts,
    legend_table,
    level_cell,
    step_heading,
    times,
    told_of_alert,
    top,
)
from api.views.alerts import AlertPage
from api.views.machines import FleetView
from common.records.alerts import Alert
from common.redaction import without_credentials
from common.terminal.cli import error_console, friendly_errors, output_console
from common.terminal.printable import one_line


@friendly_errors
def alerts(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay, and print alerts as they come.")
    ] = False,
    asset: AssetOption = None,
    run: RunOption = None,
    fleet: FleetOption = None,
    min_level: Annotated[
        Literal["warning", "critical"] | None,
        typer.Option(help="Only this level or worse.", show_default=False),
    ] = None,
    reason: Annotated[
        bool, typer.Option("--reason", help="Say below each alert why, in a sentence.")
    ] = False,
    limit: LimitOption = 20,
    url: UrlOption = None,
) -> None:
    """List the latest alerts, a line for each, or follow them live.

    An alert says that an alarm was raised, got worse (escalated) or ended (cleared), and which
    channels it is about: whether each reads high (↑) or low (↓), and its part in the score. Below
    the table is what they measure, and in which unit; `surgeline machines` shows all of it. A
    narrow terminal shows fewer columns; `surgeline asset ID` has everything about one machine.

    A followed stream that breaks goes on by itself where it stopped: nothing is missed and nothing
    shown twice.

    For example:

    - `surgeline alerts` lists the latest 20
    - `surgeline alerts --asset FD001-test-031 --reason` lists those of one engine, and why
    - `surgeline alerts --follow --min-level critical` waits for critical ones
    """
    client = connect(url)
    query = {"asset_id": asset, "run_id": run, "fleet": fleet, "min_level": min_level}
    if follow:
        _follow(client, query, reason=reason)
        return
    page = as_page(AlertPage, client.get("/api/v1/alerts", query | {"limit": limit}), client)
    rows = page["items"][::-1]
    if not rows:
        say(no_alerts(client, query))
        return
    console = output_console()
    for line in alert_lines(rows, console.width, reason=reason):
        console.print(line, soft_wrap=True)
    legend = legend_table(legend_of_alerts(rows))
    if legend is not None:
        console.print()
        console.print(legend)
    if page["next_cursor"]:
        console.print(f"The latest {len(rows)}; there are more, see --limit.", style="dim")


def alert_lines(rows: list[dict[str, Any]], width: int, *, reason: bool) -> list[Text]:
    """Return alerts as lines of at most ``width`` cells; reasons may be longer.

    Args:
        rows: As the api says them, in the order in which they are shown.
        width: Of the terminal.
        reason: Whether each has its reason below it.
    """
    stamps = Stamps(row["ts"] for row in rows)
    step = step_heading(row["step"] for row in rows)
    runs = {row["run_id"] for row in rows}
    columns = (
        Column("time", stamps.heading),
        Column("asset"),
        Column("run", lesser=4),
        Column("step", step, right=True, lesser=3),
        Column("state"),
        Column("level"),
        Column("severity", TIMES, right=True, lesser=1),
        Column("left", lesser=2),
        Column("channels"),
    )
    shown = [
        Row(
            {
                "time": stamps.of(row["ts"]),
                "asset": shortened(row["asset_id"]),
                "run": shortened(row["run_id"]) if len(runs) > 1 else "",
                "step": str(row["cycle"]),
                "state": row["state"],
                "level": level_cell(row["level"]),
                "severity": times(row["severity"], ""),
                "left": left(row["life"]),
                "channels": arrows(row["channels"], width),
            },
            below=one_line(row["reason"]) if reason else "",
        )
        for row in rows
    ]
    lines = lay_out(columns, shown, width)
    said = [f"{TIMES}: severity, 1 is a warning; channels: {arrows_legend(width)}"]
    if len(runs) == 1:
        said.append(f"run {one_line(rows[0]['run_id'])}")
    return [*lines, *(Text(each, "dim") for each in said)]


def _follow(client: ApiClient, query: dict[str, str | None], *, reason: bool) -> None:
    console = output_console(soft_wrap=True)

    def on_cut(why: str, wait_s: float) -> None:
        error_console().print(
            f"{without_credentials(why).rstrip('.')}; going on in {wait_s:g} s", style="dim"
        )

    fleets: dict[str, FleetView] = {}
    console.print("Following alerts; Ctrl-C ends.", style="dim")
    for data in client.follow("/api/v1/alerts/stream", query, on_cut):
        try:
            alert = Alert.model_validate_json(data)
        except ValidationError as exc:
            raise stranger(client.url) from exc
        if alert.fleet not in fleets and (found := client.fleet(alert.fleet)) is not None:
            fleets[alert.fleet] = found
        told = told_of_alert(alert.model_dump(mode="json"), fleets.get(alert.fleet))
        console.print(Text("  ").join(Text.assemble(cell) for cell in _line(told)))
        if reason:
            console.print(Text("    " + one_line(alert.reason)))


def _line(alert: dict[str, Any]) -> list[Any]:
    step = one_line(alert.get("step", PLAIN_STEP))
    severity, life = times(alert["severity"], ""), left(alert["life"])
    return [
        whole(alert["ts"]),
        f"{one_line(alert['asset_id'])} {one_line(alert['run_id'])}",
        f"{step} {alert['cycle']}",
        alert["state"],
        level_cell(alert["level"]),
        *([f"severity {severity}"] if severity else []),
        *([f"{life} {step}s left"] if life else []),
        top(alert["channels"], words=True),
    ]
