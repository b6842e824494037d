"""``surgeline alerts`` and ``surgeline scores``: what the api knows, as tables."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

import typer
from pydantic import BaseModel, ValidationError
from rich.table import Table
from rich.text import Text

from api.commands.client import ApiClient, stranger
from api.commands.nothing_found import no_alerts, no_verdicts
from api.commands.wording import (
    PLAIN_STEP,
    TOP_CHANNELS,
    left,
    legend_of_alerts,
    legend_of_scores,
    legend_table,
    step_heading,
    told_of_alert,
    top,
)
from api.machine_views import FleetView
from api.schemas import AlertPage, ScorePage
from common.records.alerts import Alert
from common.records.verdicts import Level, Verdict
from common.redaction import without_credentials
from common.settings import load_settings
from common.terminal.cli import error_console, friendly_errors, output_console
from common.terminal.printable import one_line

STYLES: Final = {"critical": "bold red", "warning": "yellow", "none": ""}

AssetOption = Annotated[str | None, typer.Option(help="Only this asset.", show_default=False)]
RunOption = Annotated[str | None, typer.Option(help="Only this run.", show_default=False)]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="Most rows.")]
UrlOption = Annotated[
    str | None,
    typer.Option(
        help="Address of the api; by default that of SURGELINE_API__HOST and SURGELINE_API__PORT.",
        show_default=False,
    ),
]


@friendly_errors
def alerts(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay, and print alerts as they come.")
    ] = False,
    asset: AssetOption = None,
    run: RunOption = None,
    fleet: Annotated[str | None, typer.Option(help="Only this fleet.", show_default=False)] = None,
    min_level: Annotated[
        Literal["warning", "critical"] | None,
        typer.Option(help="Only this level or worse.", show_default=False),
    ] = None,
    limit: LimitOption = 20,
    url: UrlOption = None,
) -> None:
    """List the latest alerts, or follow them live.

    An alert says that an alarm was raised, got worse (escalated) or ended (cleared), and which
    channels it is about: whether each reads high or low, and its part in the score. Below the
    table is what they measure, and in which unit; `surgeline machines` shows all of it.

    A followed stream that breaks goes on by itself where it stopped: nothing is missed and nothing
    shown twice.

    For example:

    - `surgeline alerts` lists the latest 20
    - `surgeline alerts --asset FD001-test-031` lists those of one engine
    - `surgeline alerts --follow --min-level critical` waits for critical ones
    """
    address = url or _own_url()
    client = ApiClient(address, key=_own_key())
    query = {"asset_id": asset, "run_id": run, "fleet": fleet, "min_level": min_level}
    if follow:
        _follow(client, query, address)
        return
    page = _as(AlertPage, client.get("/api/v1/alerts", query | {"limit": limit}), address)
    rows = page["items"][::-1]
    if not rows:
        _say(no_alerts(client, query))
        return
    step = step_heading(row["step"] for row in rows)
    table = _Table(
        rows, "time", "asset", "run", step, "state", "level", "severity", "left", "channels"
    )
    for row in rows:
        table.add([*_cells(row), top(row["channels"])])
    table.show(legend_table(legend_of_alerts(rows)))
    if page["next_cursor"]:
        output_console().print(f"The latest {len(rows)}; there are more, see --limit.", style="dim")


@friendly_errors
def scores(
    asset: Annotated[str, typer.Option(help="Which asset.")],
    run: RunOption = None,
    status: Annotated[
        Verdict | None, typer.Option(help="Only this verdict.", show_default=False)
    ] = None,
    limit: LimitOption = 20,
    url: UrlOption = None,
) -> None:
    """List the latest verdicts on one asset's readings, oldest first.

    A score is a number for how unlike healthy readings the latest window of readings is (30 cycles
    of an engine): higher is more anomalous, a warning from its threshold on. Severity is that of
    all evidence, single channels and frozen ones too: 1 is a warning. Where the model knows how
    much life is left, that is said, in steps and for nine of ten cases. The channels with the
    largest part are named; below the table is what they measure, and in which unit.

    For example:

    - `surgeline scores --asset FD001-test-031` lists the latest 20 cycles
    - `surgeline scores --asset FD001-test-031 --status scored --limit 100` leaves the warm-up out
    """
    address = url or _own_url()
    client = ApiClient(address, key=_own_key())
    query = {"asset_id": asset, "run_id": run, "status": status, "limit": limit}
    page = _as(ScorePage, client.get("/api/v1/scores", query), address)
    if not page["items"]:
        _say(no_verdicts(client, asset, run, status))
        return
    rows = page["items"][::-1]
    legend = page["legend"]
    step = step_heading(legend.get(row["fleet"], {}).get("step", PLAIN_STEP) for row in rows)
    table = _Table(
        rows, "time", "run", step, "verdict", "score", "warning at", "severity", "left", "why"
    )
    named: list[tuple[str, str]] = []
    for row in rows:
        channels = [] if row["detail"] else _largest(row["shares"])
        named += [(row["fleet"], each["name"]) for each in channels]
        table.add(
            [
                _short_time(row["ts"]),
                one_line(row["run_id"]),
                str(row["cycle"]),
                one_line(row["status"]),
                _number(row["score"]),
                _number(row["warning_threshold"]),
                Text(_severity(row["severity"]), style=STYLES[row["level"]]),
                left(row["life"]),
                one_line(row["detail"]) or top(channels),
            ]
        )
    table.show(legend_table(legend_of_scores(named, legend)))


class _Table:
    """A table that fits a terminal.

    The run has a column only where rows differ in it, and what no row says has none.
    """

    def __init__(self, rows: list[dict[str, Any]], *names: str) -> None:
        runs = {row["run_id"] for row in rows}
        self._names = names
        self._run = one_line(runs.pop()) if len(runs) == 1 else None
        self._rows: list[list[Any]] = []

    def add(self, cells: list[Any]) -> None:
        """Add a row, its run included."""
        self._rows.append(cells)

    def show(self, legend: Table | None) -> None:
        """Print the table, and what the names in it stand for."""
        caption = None if self._run is None else f"run {self._run}"
        table = Table(caption=caption, caption_justify="left", box=None, padding=(0, 2, 0, 0))
        shown = [position for position, name in enumerate(self._names) if self._has(position, name)]
        for position in shown:
            # the last column says why, and may take a second line; the others may not
            table.add_column(self._names[position], no_wrap=position < len(self._names) - 1)
        for cells in self._rows:
            table.add_row(*(cells[position] for position in shown))
        console = output_console()
        console.print(table)
        if legend is not None:
            console.print()
            console.print(legend)

    def _has(self, position: int, name: str) -> bool:
        if name == "run":
            return self._run is None
        return any(str(cells[position]) for cells in self._rows)


def _short_time(ts: str) -> str:
    """Return month, day and time of day: enough beside a run."""
    return ts[5:19].replace("T", " ")


def _follow(client: ApiClient, query: dict[str, str | None], address: str) -> None:
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
            raise stranger(address) from exc
        if alert.fleet not in fleets and (found := client.fleet(alert.fleet)) is not None:
            fleets[alert.fleet] = found
        told = told_of_alert(alert.model_dump(mode="json"), fleets.get(alert.fleet))
        console.print(Text("  ").join(Text.assemble(cell) for cell in _line(told)))


def _line(alert: dict[str, Any]) -> list[Any]:
    time, asset, run, cycle, state, level, severity, left = _cells(alert)
    step = one_line(alert.get("step", PLAIN_STEP))
    said = [f"severity {severity}"] if severity else []
    said += [f"{left} {step}s left"] if left else []
    channels = top(alert["channels"], words=True)
    return [time, f"{asset} {run}", f"{step} {cycle}", state, level, *said, channels]


def _cells(alert: dict[str, Any]) -> list[Any]:
    return [
        _short_time(alert["ts"]),
        one_line(alert["asset_id"]),
        one_line(alert["run_id"]),
        str(alert["cycle"]),
        alert["state"],
        Text(alert["level"], style=STYLES[Level(alert["level"])]),
        _severity(alert["severity"]),
        left(alert["life"]),
    ]


def _largest(shares: dict[str, float]) -> list[dict[str, Any]]:
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return [{"name": name, "share": share} for name, share in ordered[:TOP_CHANNELS]]


def _severity(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _own_url() -> str:
    settings = load_settings().api
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _own_key() -> str:
    return load_settings().api.key.get_secret_value()


def _as(page_type: type[BaseModel], answer: object, address: str) -> dict[str, Any]:
    """Return a page that has all we show of it.

    Raises:
        UserError: If it has not: some other server has answered.
    """
    try:
        return page_type.model_validate_json(json.dumps(answer)).model_dump(mode="json")
    except ValidationError as exc:
        raise stranger(address) from exc


def _say(sentence: str) -> None:
    output_console(soft_wrap=True).print(sentence)
