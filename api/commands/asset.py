"""``surgeline asset``: all about one machine: why, since when, which sensors, who did what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from api.commands.assets import JsonOption, as_json, mark
from api.commands.server.asking import UrlOption, connect, told
from api.commands.server.client import Query
from api.commands.server.targets import ALARMS, asset_of, detail_of
from api.commands.shown.lines import Column, Row, lay_out, shortened
from api.commands.shown.run_page import READS, action_words
from api.commands.shown.stamps import Stamps, span, whole
from api.commands.shown.urgency import Standing, by_urgency
from api.commands.shown.wording import (
    EVIDENCE,
    PLAIN_STEP,
    left,
    legend_of_scores,
    level_cell,
    times,
)
from api.views.alarms.alarms import AlarmDetail, AlarmView
from api.views.assets import Asset
from api.views.scores import ScorePage
from common.files.atomic import write_report
from common.terminal.cli import friendly_errors, output_console
from common.terminal.printable import one_line

MOST_SENSORS: Final = 10
UNCUT: Final = 100_000
"""Cells of a line that the terminal may break."""


@friendly_errors
def asset(
    name: Annotated[str, typer.Argument(metavar="ASSET", help="Which asset.")],
    json_path: JsonOption = None,
    url: UrlOption = None,
) -> None:
    """Show all about one machine.

    Why its alarm stands, in a sentence; how bad, since when, how long is left; the sensors with
    what they measure, and in which unit; and what happened: alerts, and what operators did.

    For example:

    - `surgeline asset FD001-test-031`
    - `surgeline scores FD001-test-031 --plot` draws its course
    """
    client = connect(url)
    found = asset_of(client, name)
    alarms = client.items(ALARMS, {"asset_id": name, "limit": 100}, most=100)
    views = [told(AlarmView, each, client) for each in alarms]
    (row,) = by_urgency([found], [each for each in views if each.standing])
    detail = None if row.alarm is None else detail_of(client, row.alarm.alarm_id)
    query: Query = {"asset_id": name, "run_id": found.run_id, "status": "scored", "limit": 1}
    page = told(ScorePage, client.get("/api/v1/scores", query), client).model_dump(mode="json")
    if json_path is not None:
        alarm = None if detail is None else detail.model_dump(mode="json")
        write_report(json_path, as_json(row) | {"alarm": alarm, "latest_score": page["items"][:1]})
    show_asset(row, detail, page, len(views), output_console())


def show_asset(
    row: Standing,
    detail: AlarmDetail | None,
    page: Mapping[str, Any],
    alarms: int,
    console: Console,
) -> None:
    """Print one machine.

    Args:
        row: It, and its alarm.
        detail: The alarm's whole story; none if none stands.
        page: Its latest score, as a page of the api.
        alarms: How many alarms it has had.
        console: Where.
    """
    asset = row.asset
    simulated = "  SIMULATED" if asset.simulated else ""
    head = Text.assemble((one_line(asset.asset_id), "bold"), "  ", _level(row), simulated)
    console.print(head, soft_wrap=True)
    if row.unscored is not None:
        console.print(f"Not scored, because {row.unscored}.", soft_wrap=True)
    alarm = None if detail is None else detail.model_dump(mode="json")
    if alarm is not None:
        console.print(one_line(alarm["reason"]), soft_wrap=True)
    console.print()
    facts = _figures(row, alarm, page)
    wide = max(map(len, facts))
    for each, value in facts.items():
        console.print(Text.assemble((f"{each:<{wide}}", "dim"), "  ", value), soft_wrap=True)
    _print(_sensors(row, alarm, page, console.width), console)
    if detail is not None and alarm is not None:
        _print(_story(alarm), console)
    for line in _next(row, alarms):
        console.print(Text(line, "dim"), soft_wrap=True)


def _level(row: Standing) -> Text:
    text = level_cell(row.level, mark(row.alarm))
    if row.alarm is not None and row.is_active:
        text.style = level_cell(str(row.alarm.level)).style
    return text


def _figures(
    row: Standing, alarm: Mapping[str, Any] | None, page: Mapping[str, Any]
) -> dict[str, str]:
    asset = row.asset
    score = page["items"][0] if page["items"] else None
    step = _step(row, alarm, page)
    verdicts = ", ".join(f"{count:,} {kind}" for kind, count in asset.verdicts.items())
    facts = {
        "fleet, run": f"{one_line(asset.fleet)}, {one_line(asset.run_id)} (of {asset.runs:,})",
        "last reading": f"{step} {asset.last_cycle}, {whole(_ts(asset.last_ts))}"
        if asset.last_cycle is not None
        else "",
        "readings": verdicts,
        "severity": _severities(asset) if asset.last_severity is not None else "",
    }
    if score is not None and score["score"] is not None:
        facts["score"] = f"{score['score']:.3f}, a warning at {score['warning_threshold']:.3f}"
        facts["left"] = _left(score["life"], step)
        facts["model"] = one_line(score["model"])
    if alarm is not None:
        facts |= {
            "alarm": f"{one_line(alarm['alarm_id'])}",
            "since": f"{step} {alarm['onset_cycle']}, raised {whole(alarm['raised_ts'])}",
            "because of": EVIDENCE.get(alarm["evidence"], alarm["evidence"]),
            "left": facts.get("left") or _left(alarm["life"], step),
            "seen": _done(alarm["acknowledgement"]) or "by nobody so far",
            "shelved": _until(alarm["shelved"], "why"),
            "maintenance": _until(alarm["out_of_service"], "reason"),
        }
    return {name: value for name, value in facts.items() if value}


def _severities(asset: Asset) -> str:
    now, peak = times(asset.last_severity), times(asset.peak_severity)
    return f"{now}, peak {peak}; 1 is a warning"


def _sensors(
    row: Standing, alarm: Mapping[str, Any] | None, page: Mapping[str, Any], width: int
) -> list[Text]:
    if alarm is not None:
        channels = alarm["channels"]
    elif page["items"]:
        score = page["items"][0]
        ordered = sorted(score["shares"].items(), key=lambda item: -item[1])
        words = legend_of_scores(
            ((score["fleet"], name) for name, _ in ordered), page.get("legend", {})
        )
        known = {name: (meaning, unit) for _, name, meaning, unit in words}
        channels = [
            {"name": name, "share": share, "meaning": told[0], "unit": told[1]}
            for name, share in ordered
            for told in (known.get(name, ("", "")),)
        ]
    else:
        return []
    columns = (
        Column("sensor"),
        Column("reads"),
        Column("part", right=True),
        Column("unit", lesser=1),
        Column("measures"),
    )
    rows = [
        Row(
            {
                "sensor": shortened(each["name"]),
                "reads": READS.get(each.get("direction", ""), "")
                + (" (unlike its state)" if each.get("against") else ""),
                "part": f"{each['share']:.0%}",
                "unit": one_line(each["unit"]),
                "measures": one_line(each["meaning"]),
            }
        )
        for each in channels[:MOST_SENSORS]
    ]
    return lay_out(columns, rows, width)


def _story(alarm: Mapping[str, Any]) -> list[Text]:
    """Return alerts and actions in the order of their times; notes are not cut."""
    told = [
        (
            each["ts"],
            "detector",
            f"{each['state']}: {each['level']}, {one_line(each['step'])} {each['cycle']}"
            + (f", {times(each['severity'])}" if each["severity"] is not None else ""),
        )
        for each in alarm["alerts"]
    ]
    told += [(each["at"], each["who"], action_words(each)) for each in alarm["events"]]
    told.sort(key=lambda each: str(each[0]))
    stamps = Stamps((each[0] for each in told), "time")
    columns = (Column("time", stamps.heading), Column("who"), Column("what"))
    rows = [
        Row({"time": stamps.of(ts), "who": shortened(who, 16), "what": what})
        for ts, who, what in told
    ]
    lines = lay_out(columns, rows, UNCUT)
    return [*lines, Text("alerts have the time of their readings", "dim")] if lines else []


def _next(row: Standing, alarms: int) -> Iterable[str]:
    name = one_line(row.asset.asset_id)
    yield ""
    if row.asks:
        yield f'Seen? surgeline ack {name} --note "..."'
    if row.unscored is None:
        yield f"Its course: surgeline scores {name} --plot"
    if alarms > (row.alarm is not None):
        yield f"Earlier alarms: surgeline alerts --asset {name}"


def _print(lines: list[Text], console: Console) -> None:
    if lines:
        console.print()
    for line in lines:
        console.print(line, soft_wrap=True)


def _step(row: Standing, alarm: Mapping[str, Any] | None, page: Mapping[str, Any]) -> str:
    if alarm is not None:
        return one_line(alarm["step"])
    return one_line(page.get("legend", {}).get(row.asset.fleet, {}).get("step", PLAIN_STEP))


def _left(life: Mapping[str, Any] | None, step: str) -> str:
    return f"{left(life)} {step}s, in 9 of 10 cases" if life else ""


def _done(done: Mapping[str, Any] | None) -> str:
    if done is None:
        return ""
    note = f": {one_line(done['why'])}" if done["why"] else ""
    return f"by {one_line(done['who'])} at {whole(done['at'])}{note}"


def _until(held: Mapping[str, Any] | None, why: str) -> str:
    if held is None:
        return ""
    return f"until {whole(held['until'])}, {span(held['left_s'])} left: {one_line(held[why])}"


def _ts(moment: Any) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
