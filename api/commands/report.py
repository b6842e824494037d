"""``surgeline report``: what a live run found, as one HTML file to keep or to send on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from api.commands.server.asking import UrlOption, connect, say, told
from api.commands.server.client import ApiClient, Query
from api.commands.server.targets import ALARMS, ASSETS, detail_of
from api.commands.shown.course import Point
from api.commands.shown.run_page import Machine, Run, nothing_scored, page_of
from api.views.alarms.alarms import AlarmDetail, AlarmView
from api.views.assets import Asset
from api.views.scores import ScorePage
from common.clock import SystemClock
from common.errors import SurgelineError, UserError
from common.files.atomic import PRIVATE, write_text
from common.records.ids import ID_PATTERN
from common.records.times import utc_text
from common.terminal.cli import friendly_errors
from common.terminal.nearest import suggestion

SCORES: Final = "/api/v1/scores"
MOST_TOLD: Final = 300
"""Machines with a section of their own; the table has all."""

MOST_ALARMS: Final = 2000
MOST_POINTS: Final = 50_000
"""Of one machine's course."""

PAGE: Final = 10_000
RUNS_LOOKED_AT: Final = 1000


@friendly_errors
def report(
    run_id: Annotated[str, typer.Option("--run-id", help="Which run.")],
    output: Annotated[
        Path | None,
        typer.Option(help="The file; surgeline-RUN.html unless said.", show_default=False),
    ] = None,
    url: UrlOption = None,
) -> None:
    """Write what a run found into one HTML file, machine by machine, the worst first.

    Of each machine with an alarm: why, in a sentence; the course of its severity; its first warning
    and first critical; the sensors with their units; how long was left; what operators did. The
    file needs no network and no script: keep it, or send it on. It is yours alone to read until you
    say otherwise.

    Exit code 1 if no reading of the run was scored: then nothing can have been found.

    For example:

    - `surgeline report --run-id demo`
    - `surgeline report --run-id demo --output found.html`
    """
    client = connect(url)
    run = _gathered(client, run_id)
    path = output or Path(f"surgeline-{re.sub(r'[^A-Za-z0-9._-]', '-', run_id)}.html")
    write_text(path, page_of(run), PRIVATE)
    with_alarm = sum(bool(machine.alarms) for machine in run.machines)
    say(f"{path}: {len(run.machines):,} machines, {with_alarm:,} with an alarm.")
    if not run.scored:
        raise SurgelineError(nothing_scored(run))


def _gathered(client: ApiClient, run_id: str) -> Run:
    assets = []
    if re.fullmatch(ID_PATTERN, run_id):
        listed = client.items(ASSETS, {"run_id": run_id, "limit": 1000})
        assets = [told(Asset, each, client) for each in listed]
    if not assets:
        raise _unknown(client, run_id)
    alarms: dict[str, list[AlarmView]] = defaultdict(list)
    count = 0
    for each in client.items(ALARMS, {"run_id": run_id, "limit": 500}, MOST_ALARMS):
        alarm = told(AlarmView, each, client)
        alarms[alarm.asset_id].append(alarm)
        count += 1
    urgent = set(list(alarms)[:MOST_TOLD])
    machines = [
        _whole(client, asset, alarms[asset.asset_id])
        if asset.asset_id in urgent
        else Machine(asset)
        for asset in assets
    ]
    notes = []
    if len(alarms) > MOST_TOLD:
        notes.append(f"Only the {MOST_TOLD} most urgent machines are told, and marked as alarmed.")
    if count == MOST_ALARMS:
        notes.append(f"Only the {MOST_ALARMS:,} most urgent alarms were looked at.")
    page = told(ScorePage, client.get(SCORES, {"run_id": run_id, "limit": 1}), client)
    if page.removed_until is not None:
        notes.append(
            f"Of readings up to {utc_text(page.removed_until)} some were removed (retention): "
            "courses may begin later than the run."
        )
    return Run(run_id, utc_text(SystemClock().now().replace(microsecond=0)), machines, notes)


def _whole(client: ApiClient, asset: Asset, alarms: Sequence[AlarmView]) -> Machine:
    """Return a machine with its alarms' stories and its course."""
    details: list[AlarmDetail] = [detail_of(client, alarm.alarm_id) for alarm in alarms]
    details.sort(key=lambda alarm: (-alarm.level.rank, -alarm.peak_severity))
    query: Query = {
        "asset_id": asset.asset_id,
        "run_id": asset.run_id,
        "status": "scored",
        "order": "newest",
        "limit": PAGE,
    }
    points = [
        Point(each["cycle"], each["severity"])
        for each in client.items(SCORES, query, MOST_POINTS)
        if each["severity"] is not None
    ]
    return Machine(asset, details, sorted(points), details[0].step)


def _unknown(client: ApiClient, run_id: str) -> UserError:
    """Return that there is no such run, and which ones there are."""
    runs = {str(each["run_id"]) for each in client.items(ASSETS, {"limit": 1000}, RUNS_LOOKED_AT)}
    if not runs:
        return UserError(
            f"There is no run {run_id!r}: no reading has come yet. Start a replay with "
            "`surgeline replay`."
        )
    return UserError(
        f"There is no run {run_id!r}.{suggestion(run_id, runs)} `surgeline assets` lists the "
        "machines, `surgeline asset ID` says the latest run of one."
    )
