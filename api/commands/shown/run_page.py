"""The page of ``surgeline report``: one run, machine by machine, in one HTML file that asks nobody.

Pure: what was asked for goes in, HTML comes out. The look is that of ``surgeline evaluate``'s page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

from api.commands.shown.course import Mark, Point, course
from api.commands.shown.html import Html, element, joined
from api.commands.shown.stamps import whole
from api.commands.shown.wording import EVIDENCE, PLAIN_STEP, left, times
from api.views.alarms.alarms import AlarmDetail
from api.views.assets import Asset
from common.records.alerts import Transition
from common.records.times import utc_text
from common.records.verdicts import Level, Verdict

TOP_SENSORS: Final = 5
READS: Final = {"high": "↑ high", "low": "↓ low"}
DONE: Final = {
    "acknowledged": "acknowledged it",
    "commented": "commented",
    "shelved": "shelved it",
    "unshelved": "took it off the shelf",
    "closed": "closed it",
    "judged": "judged it",
    "maintenance_planned": "planned maintenance",
    "maintenance_changed": "changed maintenance",
    "maintenance_ended": "ended maintenance",
}
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""The page may load nothing and run nothing, whatever got into it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine in a run.

    Attributes:
        asset: Its verdicts, as counts.
        alarms: Its alarms in the run, the worst first.
        points: Its severity, in the order of the cycles; empty where it was not asked for.
        step: What one of its readings is called.
    """

    asset: Asset
    alarms: Sequence[AlarmDetail] = ()
    points: Sequence[Point] = ()
    step: str = PLAIN_STEP

    @property
    def level(self) -> Level:
        """The worst level of its alarms."""
        return max((alarm.level for alarm in self.alarms), key=_rank, default=Level.NONE)

    @property
    def scored(self) -> int:
        """How many readings have a score."""
        return self.asset.verdicts.get(Verdict.SCORED, 0)

    @property
    def order(self) -> tuple[int, float, str]:
        """What sorts the worst first: level, highest severity, name."""
        peak = self.asset.peak_severity
        return -self.level.rank, -(peak if peak is not None else -1.0), self.asset.asset_id


@dataclass(frozen=True, slots=True)
class Run:
    """What is told of a run.

    Attributes:
        run_id: Its name.
        made_at: When it was looked at, as text.
        machines: All that have a reading in it.
        notes: What a reader must know, such as what is left out.
    """

    run_id: str
    made_at: str
    machines: Sequence[Machine]
    notes: Sequence[str] = field(default=())

    @property
    def scored(self) -> int:
        """How many readings have a score."""
        return sum(machine.scored for machine in self.machines)


def nothing_scored(run: Run) -> str:
    """Return that a run scored nothing, and what its readings got instead."""
    counts = Counter[str]()
    for machine in run.machines:
        counts.update({str(kind): count for kind, count in machine.asset.verdicts.items()})
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    return f"No reading of the run {run.run_id} was scored ({told}): nothing can have been found."


def page_of(run: Run) -> str:
    """Return the whole file."""
    machines = sorted(run.machines, key=lambda machine: machine.order)
    told = [machine for machine in machines if machine.alarms]
    css = files("models.report").joinpath("report.css").read_text(encoding="utf-8")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"Surgeline: run {run.run_id}"),
        element("style", Html(css)),
    )
    body = element(
        "main",
        *_banners(run),
        _header(run, machines),
        element("h2", "All machines, the worst first"),
        element("div", _table(machines), class_="scroll"),
        *(_section(machine) for machine in told),
        element(
            "footer",
            f"Made by surgeline report at {whole(run.made_at)}. Times of alerts are those of their "
            "readings. Severity is score over warning threshold of the evidence that has most: 1 "
            "is a warning for every model and machine.",
        ),
    )
    return "<!doctype html>\n" + element("html", head, element("body", body), lang="en") + "\n"


def _banners(run: Run) -> list[Html]:
    found = []
    if not run.scored:
        found.append(element("p", nothing_scored(run), class_="banner"))
    if any(machine.asset.simulated for machine in run.machines):
        found.append(element("p", "SIMULATED: these machines do not exist.", class_="banner"))
    return found


def _header(run: Run, machines: Sequence[Machine]) -> Html:
    levels = Counter(machine.level for machine in machines)
    readings = sum(sum(machine.asset.verdicts.values()) for machine in machines)
    fleets = ", ".join(sorted({machine.asset.fleet for machine in machines}))
    found = (
        f"{len(machines):,} machines of {fleets}: {levels[Level.CRITICAL]} critical, "
        f"{levels[Level.WARNING]} with a warning, {levels[Level.NONE]} without an alarm. "
        f"{run.scored:,} of {readings:,} readings were scored."
    )
    return element(
        "header",
        element("p", "Surgeline · report of a run", class_="kicker"),
        element("h1", f"Run {run.run_id}"),
        element("p", found),
        *(element("p", note, class_="note") for note in run.notes),
    )


def _table(machines: Sequence[Machine]) -> Html:
    names = ("machine", "fleet", "level", "first warning", "first critical", "peak", "readings")
    rows = []
    for machine in machines:
        asset = machine.asset
        name: str | Html = asset.asset_id
        if machine.alarms:
            name = element("a", asset.asset_id, href=f"#{_anchor(machine)}")
        rows.append(
            element(
                "tr",
                element("th", name, scope="row"),
                _left(asset.fleet),
                element("td", _level(machine.level), class_="left"),
                _left(_moment(_first(machine, Level.WARNING), machine.step)),
                _left(_moment(_first(machine, Level.CRITICAL), machine.step)),
                element("td", times(asset.peak_severity)),
                _left(_verdicts(asset)),
            )
        )
    heads = element("tr", *(element("th", name, class_="left") for name in names))
    return element("table", element("thead", heads), element("tbody", *rows))


def _section(machine: Machine) -> Html:
    worst = machine.alarms[0]
    parts: list[Html] = [
        element("h2", f"{machine.asset.asset_id} ", _level(machine.level)),
        element("div", element("p", worst.reason), class_="verdict"),
    ]
    if machine.points:
        parts.append(element("figure", course(machine.points, _marks(machine), machine.step)))
    parts.append(_facts(machine, worst))
    parts.append(element("div", _sensors(worst), _story(machine), class_="columns"))
    return element("section", *parts, id=_anchor(machine))


def _facts(machine: Machine, worst: AlarmDetail) -> Html:
    asset, step = machine.asset, machine.step
    life = worst.life
    facts = {
        "First warning": _moment(_first(machine, Level.WARNING), step),
        "First critical": _moment(_first(machine, Level.CRITICAL), step),
        "Because of": EVIDENCE.get(worst.evidence, worst.evidence),
        "Severity": f"{times(asset.peak_severity)} at its worst, {times(asset.last_severity)} last",
        "Left, as it said": ""
        if life is None
        else f"{left(life.model_dump())} {step}s, in {life.coverage:.0%} of cases, at {step} "
        f"{worst.cycle}",
        "State": _state(worst),
        "Readings": _verdicts(asset),
        "Model": f"{worst.model.name} {worst.model.version}",
        "Alarms": f"{len(machine.alarms)} in this run" if len(machine.alarms) > 1 else "",
    }
    rows = (
        element("tr", element("th", name, scope="row"), element("td", value))
        for name, value in facts.items()
        if value
    )
    return element("table", element("tbody", *rows), class_="facts")


def _sensors(alarm: AlarmDetail) -> Html:
    rows = (
        element(
            "tr",
            element("th", each.name, scope="row"),
            _left(READS[each.direction] + (" (unlike its state)" if each.against else "")),
            element("td", f"{each.share:.0%}"),
            _left(each.unit),
            _left(each.meaning),
        )
        for each in alarm.channels[:TOP_SENSORS]
    )
    names = ("sensor", "reads", "part", "unit", "measures")
    heads = element("tr", *(element("th", name, class_="left") for name in names))
    return element("table", element("thead", heads), element("tbody", *rows))


def _story(machine: Machine) -> Html:
    """Return alerts and what operators did, of all alarms, in the order of their times."""
    told = [
        (
            utc_text(alert.ts),
            "detector",
            f"{alert.state}: {alert.level}, {alert.step} {alert.cycle}",
        )
        for alarm in machine.alarms
        for alert in alarm.alerts
    ]
    told += [
        (utc_text(event.at), event.who, action_words(event.model_dump(mode="json")))
        for alarm in machine.alarms
        for event in alarm.events
    ]
    rows = (
        element("tr", _left(whole(at)), _left(who), _left(what)) for at, who, what in sorted(told)
    )
    return element("table", element("tbody", *rows), class_="tiny")


def action_words(event: Mapping[str, Any]) -> str:
    """Return what an operator did, with until when and why, as the api has the event."""
    said = DONE.get(event["action"], event["action"])
    if event["verdict"]:
        said += f" a {str(event['verdict']).replace('_', ' ')}"
    if event["until"]:
        said += f" until {whole(event['until'])}"
    return f"{said}: {event['why']}" if event["why"] else said


def _first(machine: Machine, level: Level) -> tuple[int, str] | None:
    """Return cycle and time of the first alert of this level or worse."""
    found = [
        (alert.cycle, utc_text(alert.ts))
        for alarm in machine.alarms
        for alert in alarm.alerts
        if alert.state is not Transition.CLEARED and alert.level.rank >= level.rank
    ]
    return min(found, default=None)


def _marks(machine: Machine) -> list[Mark]:
    marks = []
    for level in (Level.WARNING, Level.CRITICAL):
        first = _first(machine, level)
        if first is not None:
            marks.append(Mark(first[0], str(level), str(level)))
    if len(marks) == 2 and marks[0].cycle == marks[1].cycle:
        return marks[1:]
    return marks


def _moment(first: tuple[int, str] | None, step: str) -> str:
    return "" if first is None else f"{step} {first[0]}, {whole(first[1])}"


def _state(alarm: AlarmDetail) -> str:
    said = str(alarm.state)
    if alarm.cleared_ts is not None:
        said += f" at {whole(utc_text(alarm.cleared_ts))}"
    done = alarm.acknowledgement
    return f"{said}, seen by {done.who}" if done is not None else f"{said}, seen by nobody so far"


def _verdicts(asset: Asset) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in asset.verdicts.items())


def _level(level: Level) -> Html:
    if level is Level.NONE:
        return joined(["none"])
    return element("span", str(level), class_=f"{level}-text")


def _left(text: str) -> Html:
    return element("td", text, class_="left")


def _anchor(machine: Machine) -> str:
    return f"machine-{machine.asset.asset_id}"


def _rank(level: Level) -> int:
    return level.rank
