"""``surgeline assets``: which machine needs somebody first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from api.commands.server.asking import FleetOption, LimitOption, UrlOption, connect, say, told
from api.commands.server.client import ApiClient
from api.commands.shown.lines import Column, Row, lay_out, shortened
from api.commands.shown.stamps import Stamps
from api.commands.shown.urgency import Standing, by_urgency
from api.commands.shown.wording import TIMES, arrows, arrows_legend, left, level_cell, times
from api.views.alarms.alarms import AlarmView
from api.views.assets import Asset
from common.files.atomic import write_report
from common.terminal.cli import friendly_errors, output_console
from common.terminal.nearest import suggestion

ASSETS_PAGE: Final = 1000
ALARMS_PAGE: Final = 500
MARKS: Final = "! nobody has acknowledged it, ~ shelved, # out of service"
ALERT: Final = "since: when it was raised; left (in 9 of 10 cases), sensors: as its alert says"

JsonOption = Annotated[
    Path | None,
    typer.Option("--json", help="Write all of it to this file, too.", show_default=False),
]


@friendly_errors
def assets(
    fleet: FleetOption = None,
    limit: LimitOption = 40,
    json_path: JsonOption = None,
    url: UrlOption = None,
) -> None:
    """List the machines, a line for each, worst first.

    First come those whose alarm is critical, then warnings; of one level those that nobody has
    acknowledged; then machines that are not being scored, with the reason; then by severity. Since
    when an alarm stands is the time of the reading that raised it.

    `surgeline asset ID` has everything about one of them, `surgeline ack ID` says that it was seen.

    For example:

    - `surgeline assets` lists the 40 worst
    - `surgeline assets --fleet FD001 --limit 5` lists five of one fleet
    - `surgeline assets --json assets.json` writes all, with every field of the api, to a file
    """
    client = connect(url)
    rows = standings(client, fleet)
    if json_path is not None:
        write_report(json_path, {"items": [as_json(row) for row in rows]})
    if not rows:
        say(_nothing(client, fleet))
        return
    console = output_console()
    console.print(Text(summary(rows), "bold"), soft_wrap=True)
    for line in asset_lines(rows[:limit], console.width):
        console.print(line, soft_wrap=True)
    if len(rows) > limit:
        rest = Counter(row.level for row in rows[limit:])
        console.print(f"… and {_counted(rest)}; see --limit.", style="dim")


def standings(client: ApiClient, fleet: str | None = None) -> list[Standing]:
    """Return all assets with their alarms, the worst first."""
    found = client.items("/api/v1/assets", {"fleet": fleet, "limit": ASSETS_PAGE})
    alarms = client.items(
        "/api/v1/alarms", {"fleet": fleet, "standing": "true", "limit": ALARMS_PAGE}
    )
    known = {asset.asset_id: asset for asset in (told(Asset, each, client) for each in found)}
    return by_urgency(known.values(), [told(AlarmView, each, client) for each in alarms])


def asset_lines(rows: Sequence[Standing], width: int) -> list[Text]:
    """Return assets as lines of at most ``width`` cells, and what the marks in them mean."""
    stamps = Stamps((_text(row.alarm) for row in rows), "since")
    columns = (
        Column("asset"),
        Column("level"),
        Column("severity", TIMES, right=True),
        Column("since", stamps.heading, lesser=2),
        Column("left", lesser=1),
        Column("sensors"),
    )
    lines = lay_out(columns, [_row(row, stamps, width) for row in rows], width)
    said = f"{TIMES}: severity now, 1 is a warning; {arrows_legend(width)}"
    return [*lines, *(Text(each, "dim") for each in (MARKS, said, ALERT))]


def mark(alarm: AlarmView | None) -> str:
    """Return the sign behind a level: ``!`` nobody has seen it, ``~`` shelved, ``#`` in service."""
    if alarm is None:
        return ""
    if alarm.out_of_service is not None:
        return "#"
    if alarm.shelved is not None:
        return "~"
    return "" if alarm.acknowledged else "!"


def summary(rows: Sequence[Standing]) -> str:
    """Return how many machines there are, by level, and how many of them are simulated."""
    simulated = sum(row.asset.simulated for row in rows)
    said = f"{len(rows):,} machine{'' if len(rows) == 1 else 's'}: "
    said += _counted(Counter(row.level for row in rows))
    return said + (f" ({simulated:,} SIMULATED)" if simulated else "")


def as_json(row: Standing) -> dict[str, Any]:
    """Return an asset and its alarm with all their fields."""
    return {
        **row.asset.model_dump(mode="json"),
        "alarm": None if row.alarm is None else row.alarm.model_dump(mode="json"),
        "not_scored_because": row.unscored,
    }


def _row(row: Standing, stamps: Stamps, width: int) -> Row:
    alarm = row.alarm
    style = str(alarm.level) if alarm is not None and row.is_active else ""
    level = level_cell(row.level, mark(alarm))
    level.style = level_cell(style).style
    cells: dict[str, str | Text] = {"asset": shortened(row.asset.asset_id), "level": level}
    if row.unscored is not None and not row.says_more:
        return Row(cells, tail=f"because {row.unscored}", tail_after="level")
    cells["severity"] = times(row.severity, "")
    if alarm is not None:
        dumped = alarm.model_dump(mode="json")
        cells["since"] = stamps.of(_text(alarm))
        cells["left"] = left(dumped["life"])
        cells["sensors"] = arrows(dumped["channels"], width)
    return Row(cells)


def _text(alarm: AlarmView | None) -> str | None:
    return None if alarm is None else str(alarm.model_dump(mode="json")["raised_ts"])


def _counted(levels: Counter[str]) -> str:
    order = ("critical", "warning", "cleared", "not scored", "quiet")
    return ", ".join(f"{levels[level]:,} {level}" for level in order if levels[level])


def _nothing(client: ApiClient, fleet: str | None) -> str:
    if fleet is None:
        return "No machines. Start a replay with `surgeline replay`, then look again."
    known = {each["fleet"] for each in client.items("/api/v1/assets", {"limit": 1000}, 1000)}
    if not known:
        return "No machines. Start a replay with `surgeline replay`, then look again."
    return (
        f"No machine of fleet {fleet}: there are some of {', '.join(sorted(known))}."
        f"{suggestion(fleet, known)}"
    )
