"""``surgeline alerts`` and ``surgeline scores``: what the api knows, as tables."""

from __future__ import annotations

import itertools
import json
from typing import Annotated, Any, Final, Literal

import typer
from pydantic import BaseModel, ValidationError
from rich.table import Table
from rich.text import Text

from api.client import ApiClient, stranger
from api.nothing_found import no_alerts, no_verdicts
from api.schemas import AlertPage, ScorePage
from common.cli import error_console, friendly_errors, output_console
from common.printable import one_line
from common.records import Alert, Level, Verdict
from common.redaction import without_credentials
from common.settings import load_settings

STYLES: Final = {"critical": "bold red", "warning": "yellow", "none": ""}
TOP_CHANNELS: Final = 3

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
    channels it is about.

    A followed stream that breaks goes on by itself where it stopped: nothing is missed and nothing
    shown twice.

    For example:

    - `surgeline alerts` lists the latest 20
    - `surgeline alerts --asset FD001-test-031` lists those of one engine
    - `surgeline alerts --follow --min-level critical` waits for critical ones
    """
    address = url or _own_url()
    client = ApiClient(address)
    query = {"asset_id": asset, "run_id": run, "fleet": fleet, "min_level": min_level}
    if follow:
        _follow(client, query, address)
        return
    page = _as(AlertPage, client.get("/api/v1/alerts", query | {"limit": limit}), address)
    rows = page["items"][::-1]
    if not rows:
        _say(no_alerts(client, query))
        return
    table = _Table(rows, "time", "asset", "run", "cycle", "state", "level", "score", "channels")
    for row in rows:
        table.add(_cells(row))
    table.show()
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

    A score is a number for how unlike a healthy engine the last 30 cycles were: higher is more
    anomalous. It is a warning or critical from its threshold on.

    For example:

    - `surgeline scores --asset FD001-test-031` lists the latest 20 cycles
    - `surgeline scores --asset FD001-test-031 --status scored --limit 100` leaves the warm-up out
    """
    address = url or _own_url()
    client = ApiClient(address)
    query = {"asset_id": asset, "run_id": run, "status": status, "limit": limit}
    page = _as(ScorePage, client.get("/api/v1/scores", query), address)
    if not page["items"]:
        _say(no_verdicts(client, asset, run, status))
        return
    rows = page["items"][::-1]
    names = ("time", "run", "cycle", "verdict", "score", "warning at", "critical at", "why")
    table = _Table(rows, *names)
    for row in rows:
        table.add(
            [
                _short_time(row["ts"]),
                one_line(row["run_id"]),
                str(row["cycle"]),
                one_line(row["status"]),
                Text(_number(row["score"]), style=STYLES[row["level"]]),
                _number(row["warning_threshold"]),
                _number(row["critical_threshold"]),
                one_line(row["detail"])
                or _channels(sorted(row["shares"].items(), key=lambda item: -item[1])),
            ]
        )
    table.show()


class _Table:
    """A table that fits a terminal: the run has a column only where rows differ in it."""

    def __init__(self, rows: list[dict[str, Any]], *names: str) -> None:
        runs = {row["run_id"] for row in rows}
        self._run_column = names.index("run") if len(runs) == 1 else None
        caption = None if self._run_column is None else f"run {one_line(runs.pop())}"
        self._table = Table(caption=caption, caption_justify="left", box=None, padding=(0, 2, 0, 0))
        for position, name in enumerate(names):
            if position != self._run_column:
                # the last column says why, and may take a second line; the others may not
                self._table.add_column(name, no_wrap=position < len(names) - 1)

    def add(self, cells: list[Any]) -> None:
        """Add a row, its run included."""
        kept = [cell for position, cell in enumerate(cells) if position != self._run_column]
        self._table.add_row(*kept)

    def show(self) -> None:
        """Print the table."""
        output_console().print(self._table)


def _short_time(ts: str) -> str:
    """Return month, day and time of day: enough beside a run."""
    return ts[5:19].replace("T", " ")


def _follow(client: ApiClient, query: dict[str, str | None], address: str) -> None:
    console = output_console(soft_wrap=True)

    def on_cut(why: str, wait_s: float) -> None:
        error_console().print(
            f"{without_credentials(why).rstrip('.')}; going on in {wait_s:g} s", style="dim"
        )

    console.print("Following alerts; Ctrl-C ends.", style="dim")
    for data in client.follow("/api/v1/alerts/stream", query, on_cut):
        try:
            alert = Alert.model_validate_json(data)
        except ValidationError as exc:
            raise stranger(address) from exc
        console.print(Text("  ").join(Text.assemble(cell) for cell in _line(alert)))


def _line(alert: Alert) -> list[Any]:
    time, asset, run, cycle, state, level, score, channels = _cells(alert.model_dump(mode="json"))
    return [time, f"{asset} {run}", f"cycle {cycle}", state, level, f"score {score}", channels]


def _cells(alert: dict[str, Any]) -> list[Any]:
    shares = [(item["name"], item["share"]) for item in alert["channels"]]
    return [
        _short_time(alert["ts"]),
        one_line(alert["asset_id"]),
        one_line(alert["run_id"]),
        str(alert["cycle"]),
        alert["state"],
        Text(alert["level"], style=STYLES[Level(alert["level"])]),
        _number(alert["score"]),
        _channels(shares),
    ]


def _channels(shares: list[tuple[str, float]]) -> str:
    top = itertools.islice(shares, TOP_CHANNELS)
    return ", ".join(f"{one_line(name)} {share:.0%}" for name, share in top)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _own_url() -> str:
    settings = load_settings().api
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


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
