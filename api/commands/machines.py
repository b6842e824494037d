"""``surgeline machines``: what each fleet's machines report, read from the files of a worker."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.adapters.artifact_fleet_catalogue import FleetReader
from api.views.machines import FleetList, FleetView, MachineTypeView, ThresholdsView
from common.errors import FleetsError
from common.files.atomic import write_report
from common.settings import load_settings
from common.terminal.cli import friendly_errors, output_console
from common.terminal.nearest import suggestion
from common.terminal.printable import one_line
from models.tracking.resolve import registry_folder


@friendly_errors
def machines(
    fleet: Annotated[str | None, typer.Option(help="Only this fleet.", show_default=False)] = None,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write all of it to this file, too.", show_default=False),
    ] = None,
) -> None:
    """Show each fleet's model, and the names, meanings, units and limits of its channels.

    A reading names its fleet; the fleet's model says what such a machine reports. Send values in
    these units: a reading beyond a channel's lowest or highest value is refused, not scored. What
    is not used may be left out. A blank is filled with the last value for as many steps as the
    last column says.

    No stack needs to run: this reads the file of fleets (SURGELINE_FLEETS; without one, the
    shipped models) and the models' own files. GET /api/v1/machines of a running api answers with
    the same, and with the same layout as --json.

    For example:

    - `surgeline machines` shows all
    - `surgeline machines --fleet FD001` shows one fleet
    - `SURGELINE_FLEETS=fleets.toml surgeline machines` shows those of a file of your own
    """
    known = FleetReader(load_settings(), registry_folder).read(0.0)
    if known.problem:
        raise FleetsError(known.problem)
    found = FleetList.of(known)
    if fleet is not None:
        found.items = [each for each in found.items if each.fleet == fleet]
        if not found.items:
            near = suggestion(fleet, known.fleets)
            raise FleetsError(
                f"No fleet {fleet!r}: there are {', '.join(sorted(known.fleets))}.{near} Name one "
                "of these, or add it to the file that SURGELINE_FLEETS names."
            )
    show_machines(found, output_console())
    if json_path is not None:
        write_report(json_path, found.model_dump(mode="json"))


def show_machines(found: FleetList, console: Console) -> None:
    """Print each machine type once, under the fleets that have it; last the fleets in trouble."""
    same: list[list[FleetView]] = []
    for each in found.items:
        if each.machine_type is None:
            continue
        alike = (group for group in same if group[0].machine_type == each.machine_type)
        if (group := next(alike, None)) is None:
            same.append([each])
        else:
            group.append(each)
    for position, group in enumerate(same):
        if position:
            console.print()
        machine = group[0].machine_type
        assert machine is not None  # noqa: S101 - none of these is in a group
        _show_type(machine, group, console)
    for each in found.items:
        if each.problem is not None:
            sentence = f"fleet {each.fleet}: {one_line(each.problem)}"
            console.print(Text(sentence, style="red"), soft_wrap=True)


def _show_type(machine: MachineTypeView, fleets: Iterable[FleetView], console: Console) -> None:
    name = one_line(machine.name)
    title = f", {one_line(machine.title)}" if machine.title else ""
    console.print(Text.assemble(("machine type " + name, "bold"), title), soft_wrap=True)
    console.print(Text(_counts(machine)), soft_wrap=True)
    console.print(_of_fleets(fleets, machine.step.word))
    if machine.conditions:
        console.print()
        console.print(_of_conditions(machine))
    console.print()
    console.print(_of_channels(machine))


def _counts(machine: MachineTypeView) -> str:
    step = machine.step
    every = "" if step.interval_s is None else f", one every {step.interval_s:g} s"
    counted = "the source counts them" if step.clock == "counter" else "counted by their time"
    return (
        f'a reading is called "{one_line(step.word)}"{every}; {counted}; '
        f"the model looks at {machine.window_length} in a row"
    )


def _critical(thresholds: ThresholdsView, step: str) -> str:
    if thresholds.critical is not None:
        return f"{thresholds.critical:.4g}"
    return f"{thresholds.life:g} {one_line(step)}s left"


def _of_fleets(fleets: Iterable[FleetView], step: str) -> Table:
    table = _table("fleet", "model", "version", right=("warning at", "critical at"))
    for each in fleets:
        assert each.model is not None  # noqa: S101 - it has a machine type
        assert each.thresholds is not None  # noqa: S101 - it has a machine type
        table.add_row(
            each.fleet,
            each.model.name,
            each.model.version,
            f"{each.thresholds.warning:.4g}",
            _critical(each.thresholds, step),
        )
    return table


def _of_conditions(machine: MachineTypeView) -> Table:
    table = _table("condition", "meaning", "unit")
    for each in machine.conditions:
        table.add_row(*map(one_line, (each.name, each.meaning, each.unit)))
    return table


def _of_channels(machine: MachineTypeView) -> Table:
    table = _table("channel", "meaning", "unit", right=("lowest", "highest", "used", "held"))
    for each in machine.channels:
        lowest, highest = (
            "" if limit is None else f"{limit:g}" for limit in (each.lowest, each.highest)
        )
        table.add_row(
            *map(one_line, (each.name, each.meaning, each.unit)),
            lowest,
            highest,
            "yes" if each.used else "no",
            str(each.max_hold) if each.used else "",
            style="" if each.used else "dim",
        )
    return table


def _table(*left: str, right: Iterable[str] = ()) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in left:
        table.add_column(heading, overflow="fold")
    for heading in right:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
