"""``surgeline machines``: what the api says, as tables; no text of a file commands a screen."""

from __future__ import annotations

import io
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from api.adapters.artifact_fleet_catalogue import FleetReader
from api.commands.machines import machines, show_machines
from api.commands.shown.wording import in_words, legend_table, top
from api.known_fleets import KnownFleet, KnownFleets, KnownModel
from api.views.machines import ChannelTold, FleetList, FleetView, Legend
from common.machines.machine import MAX_NAME_CHARS, Channel, Condition, MachineType
from common.records.alerts import ChannelShare, ModelRef
from common.settings import Settings
from common.terminal.console import SafeConsole
from common.terminal.printable import one_line
from models.artifact.store import SHIPPED
from tests.support.api import Fakes, running
from tests.unit.common.test_console import HOSTILE, commands, terminal

REF = ModelRef(name="own", version="1", sha256="f" * 64)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the command."""
    monkeypatch.setenv("COLUMNS", "120")
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(machines)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_a_machine_type_is_shown_once_under_all_its_fleets(run: Callable[..., Any]) -> None:
    result = run()

    assert result.exit_code == 0
    assert result.stdout.count("machine type turbofan, Turbofan engine (C-MAPSS)") == 1
    assert 'a reading is called "cycle"; the source counts them' in result.stdout
    assert "the model looks at 30 in a row" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[:2] for row in rows if row[:1] in (["default"], ["FD004"])] == [
        ["default", "fd001"],
        ["FD004", "fd004"],
    ]
    (t50,) = (row for row in rows if row[:1] == ["T50"])
    assert " ".join(t50) == "T50 total temperature at LPT outlet °R 512 2880 yes 3"
    (t2,) = (row for row in rows if row[:1] == ["T2"])
    assert t2[-1] == "no"


def test_json_is_what_the_api_answers(run: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "machines.json"

    result = run("--json", str(file))

    assert result.exit_code == 0
    known = FleetReader(Settings(), lambda _url: SHIPPED).read(0.0)
    assert json.loads(file.read_text(encoding="utf-8")) == FleetList.of(known).model_dump(
        mode="json"
    )


def test_one_fleet_of_a_file(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHIPPED / "fd001", tmp_path / "own")
    (tmp_path / "own" / "model.onnx").write_bytes(b"half")
    path = tmp_path / "fleets.toml"
    path.write_text(
        f'[fleet.good]\nartifact = "fd001"\n[fleet.bad]\nartifact = "{tmp_path}/own"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("SURGELINE_FLEETS", str(path))

    both, one = run(), run("--fleet", "good")
    nobody = run("--fleet", "goood")
    path.write_text("mess", encoding="utf-8")
    unread = run()

    assert both.exit_code == 0
    assert "fleet bad: " in both.stdout
    assert "was changed or damaged" in both.stdout
    assert "bad" not in one.stdout
    assert (nobody.exit_code, unread.exit_code) == (2, 2)
    assert "Did you mean good?" in nobody.stderr
    assert "is not TOML" in unread.stderr


NAMES = st.text(min_size=1, max_size=MAX_NAME_CHARS).filter(
    lambda name: name == name.strip() and name.isprintable() and "\\" not in name
) | st.sampled_from(['"', "'", "[red]", "a/b", "°C", "µ", "температура", "温度", "🙂", "{}", "<b>"])
TEXTS = HOSTILE.filter(lambda text: text.encode(errors="ignore").decode() == text)
"""What a file of UTF-8 may hold."""

FLOATS = st.none() | st.floats(-1e300, -1e-3)


@st.composite
def machine_types(draw: st.DrawFn) -> MachineType:
    names = draw(st.lists(NAMES, min_size=2, max_size=6, unique=True))
    channels = tuple(
        Channel(
            name=name,
            meaning=draw(TEXTS),
            unit=draw(TEXTS),
            lowest=draw(FLOATS),
            used=not place or draw(st.booleans()),
        )
        for place, name in enumerate(names[1:])
    )
    condition = Condition(name=names[0], meaning=draw(TEXTS), unit=draw(TEXTS), tolerance=1.0)
    return MachineType(
        name="own",
        title=draw(TEXTS),
        source=draw(TEXTS),
        conditions=(condition,),
        channels=channels,
    )


def known_of(machine: MachineType) -> KnownFleets:
    return KnownFleets({"own": KnownFleet("own", "./own", KnownModel(REF, machine, 1.0, 2.0))})


@settings(deadline=None)
@given(machine_types())
def test_every_name_survives_as_json(machine: MachineType) -> None:
    view = FleetList.of(known_of(machine))

    read = FleetList.model_validate_json(view.model_dump_json()).items[0].machine_type

    assert read is not None
    assert [
        (each.name, each.meaning, each.unit, each.lowest, each.highest, each.used, each.max_hold)
        for each in read.channels
    ] == [
        (each.name, each.meaning, each.unit, each.lowest, each.highest, each.used, each.max_hold)
        for each in machine.channels
    ]
    assert [(each.name, each.meaning, each.unit) for each in read.conditions] == [
        (each.name, each.meaning, each.unit) for each in machine.conditions
    ]
    assert (read.title, read.source) == (machine.title, machine.source)
    legend = Legend.model_validate_json(Legend.of(machine).model_dump_json())
    assert {name: (each.meaning, each.unit) for name, each in legend.channels.items()} == {
        each.name: (each.meaning, each.unit) for each in machine.used
    }


@settings(deadline=None)
@given(machine_types())
def test_every_name_is_shown_and_none_commands_the_terminal(machine: MachineType) -> None:
    console, file = terminal()
    told = ChannelTold.all_of(
        [ChannelShare(name=each.name, share=0.5, direction="high") for each in machine.channels],
        machine,
    )
    dumped = [each.model_dump() for each in told]
    entries = [("own", each.name, each.meaning, each.unit) for each in told]

    show_machines(FleetList.of(known_of(machine)), console)
    console.print(top(dumped, words=True), soft_wrap=True)
    legend = legend_table(entries)
    if legend is not None:
        console.print(legend)

    assert commands(file.getvalue()) == []
    wide = _wide(machine)
    texts = [(each.name, each.meaning, each.unit) for each in machine.channels]
    texts += [(each.name, each.meaning, each.unit) for each in machine.conditions]
    for text in itertools.chain.from_iterable(texts):
        assert one_line(text).strip() in wide
    for channel in told[:3]:
        assert in_words(channel.name, channel.meaning, channel.unit).isprintable()


def _wide(machine: MachineType) -> str:
    file = io.StringIO()
    show_machines(FleetList.of(known_of(machine)), SafeConsole(file=file, width=5000, markup=False))
    return file.getvalue()


@settings(deadline=None)
@given(HOSTILE)
def test_no_problem_commands_the_terminal(problem: str) -> None:
    console, file = terminal()

    show_machines(FleetList.of(KnownFleets({"x": KnownFleet("x", "x", None, problem)})), console)

    assert commands(file.getvalue()) == []


async def test_names_survive_the_api_itself() -> None:
    machine = MachineType(
        name="own",
        channels=(Channel(name='Größe "A" [µm] 🙂', meaning="a\x1b[2Jb\u202e", unit="</script>"),),
    )
    fakes = Fakes()
    fakes.catalogue.known = known_of(machine)
    async with running(fakes) as api:
        answer = await api.client.get("/api/v1/machines/own")

    assert FleetView.model_validate_json(answer.content) == FleetView.of(
        fakes.catalogue.known.fleets["own"]
    )
