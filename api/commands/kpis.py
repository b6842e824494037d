"""``surgeline kpis``: figures to judge the alarms by, on one screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Final

import typer
from rich.text import Text

from api.alarms.figures import ACCEPTABLE_PER_DAY, FLOOD, MANAGEABLE_PER_DAY, USUAL, Load
from api.commands.assets import JsonOption
from api.commands.server.asking import FleetOption, UrlOption, connect, told
from api.commands.server.client import Query
from api.commands.server.targets import ALARMS
from api.commands.shown.lines import shortened
from api.commands.shown.stamps import span
from api.views.alarms.figures import AlarmFiguresView
from common.files.atomic import write_report
from common.terminal.cli import friendly_errors, output_console
from common.terminal.printable import one_line

KPIS: Final = f"{ALARMS}/kpis"
MOST_LISTED: Final = 3
LOADS: Final = {
    Load.ACCEPTABLE: f"acceptable: at most {ACCEPTABLE_PER_DAY:g}",
    Load.MANAGEABLE: f"manageable: at most {MANAGEABLE_PER_DAY:g}",
    Load.TOO_MANY: f"too many: more than {MANAGEABLE_PER_DAY:g}",
}
STYLES: Final = {Load.ACCEPTABLE: "green", Load.MANAGEABLE: "yellow", Load.TOO_MANY: "bold red"}


@friendly_errors
def kpis(
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days back.")] = USUAL.days,
    operators: Annotated[int, typer.Option(min=1, max=1000, help="Who watch at a time.")] = 1,
    fleet: FleetOption = None,
    json_path: JsonOption = None,
    url: UrlOption = None,
) -> None:
    """Say whether there are more alarms than people can answer, and which to mend first.

    After ISA-18.2 and EEMUA 191, over the alarms that arrived in the last days: how many for each
    operator, how soon they were acknowledged, which come and go, which stand for longer than a
    day, how many were judged false, and which machines and sensors have most.

    For example:

    - `surgeline kpis` of the last 7 days
    - `surgeline kpis --days 30 --operators 2 --fleet FD001`
    """
    client = connect(url)
    query: Query = {"operators": operators, "fleet": fleet}
    view = told(AlarmFiguresView, client.get(KPIS, query), client)
    if days != USUAL.days:  # by the api's clock, which need not be ours
        since = (view.until - timedelta(days=days)).isoformat()
        query = {**query, "since": since, "until": view.until.isoformat()}
        view = told(AlarmFiguresView, client.get(KPIS, query), client)
    if json_path is not None:
        write_report(json_path, view.model_dump(mode="json"))
    console = output_console()
    for name, value, style in lines(view, days):
        console.print(Text.assemble((f"{name:<13}", "dim"), (value, style)), soft_wrap=True)


def lines(view: AlarmFiguresView, days: int) -> Iterator[tuple[str, str, str]]:
    """Yield what is printed: a name, a value of few words, and its style."""
    of = "" if view.fleet is None else f" of fleet {view.fleet}"
    yield "alarms", f"{view.alarms:,} in {_count(days, 'day')}{of}", "bold"
    each = view.per_day / view.operators
    yield "per operator", f"{each:.1f} a day ({LOADS[view.load]})", STYLES[view.load]
    if view.busiest is not None:
        at = view.busiest.at
        flood = f"{view.flood_part:.2%} of the time more than {FLOOD * view.operators}"
        yield "ten minutes", f"at most {view.busiest.alarms}, {at:%m-%d %H:%M} UTC; {flood}", ""
    seen = view.acknowledgement
    took = ""
    if seen.median_s is not None and seen.p90_s is not None:
        took = f"; median {span(seen.median_s)}, 9 of 10 in {span(seen.p90_s)}"
    yield "acknowledged", f"{seen.acknowledged:,}, not yet {seen.waiting:,}{took}", ""
    worst = ", ".join(
        f"{shortened(one.asset_id)} {one.flaps}" for one in view.chattering.assets[:MOST_LISTED]
    )
    chatter = f"{view.chattering.alarms:,} alarms, {view.chattering.flaps:,} times"
    yield "chattering", chatter + (f": {worst}" if worst else ""), ""
    oldest = view.stale.oldest
    since = "" if oldest is None else f", the first {shortened(oldest.asset_id)}"
    yield "stale", f"{view.stale.alarms:,} stand for longer than a day{since}", ""
    judged = view.verdicts
    part = "" if judged.false_part is None else f" ({judged.false_part:.0%} false)"
    found = f"{judged.true_alarm:,} true, {judged.false_alarm:,} false{part}"
    yield "verdicts", f"{found}, {judged.unknown:,} unknown", ""
    if view.top_assets:
        assets = view.top_assets[:MOST_LISTED]
        channels = view.top_channels[:MOST_LISTED]
        named = ", ".join(f"{shortened(one.asset_id)} {one.alarms:,}" for one in assets)
        yield "most alarms", named, ""
        largest = ", ".join(f"{one_line(one.channel)} {one.alarms:,}" for one in channels)
        yield "most sensors", largest, ""


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")
