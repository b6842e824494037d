"""A recording of one's own as a fleet: who sends what when, and what is refused before that."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.errors import FleetsError, UserError
from common.fleets import parse_fleets
from common.settings import Settings
from producer.app import ReplayRequest, plan_replay
from producer.fleet import Slot
from producer.recorded import RecordedFleet
from producer.resume import remaining
from tests.support.pumps import write_pumps

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MACHINE = """
name = "pumps"
[step]
word = "minute"
clock = "time"
interval_s = 60
[[channel]]
name = "Motor current [A]"
unit = "A"
[[channel]]
name = "Vibration DE [mm/s]"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pumps(tmp_path / "pumps.csv", days=1)
    (tmp_path / "pumps.toml").write_text(MACHINE)
    (tmp_path / "fleets.toml").write_text('[fleet.pumps]\nartifact = "./pumps"\n')
    return tmp_path


def request(folder: Path, **changes: object) -> ReplayRequest:
    plain = ReplayRequest(
        "FD001", "test", "all", "max", "2026-01-01T00:00:00Z", "1s", None, 0, None,
        (folder / "pumps.csv",), str(folder / "pumps.toml"),
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def settings(folder: Path) -> Settings:
    return Settings(fleets=folder / "fleets.toml")


def test_every_asset_sends_at_the_times_it_was_read_under_its_own_name(folder: Path) -> None:
    plan = plan_replay(request(folder), settings(folder), NOW)

    fleet = plan.fleet
    assert isinstance(fleet, RecordedFleet)
    assert [fleet.asset_id(unit) for unit in fleet.units] == ["P-101", "P-102", "P-103"]
    slots = fleet.slots()
    offsets = [fleet.offset_s(slot) for slot in slots]
    assert offsets == sorted(offsets)
    assert [slot.unit for slot in slots[:6]] == [1, 2, 3, 1, 2, 3]
    first = json.loads(fleet.message(slots[0]).value)
    assert (first["schema_version"], first["fleet"], first["asset_id"]) == (2, "pumps", "P-101")
    assert (first["ts"], first["settings"]) == ("2026-03-01T00:00:00Z", {})
    assert first["cycle"] == datetime(2026, 3, 1, tzinfo=UTC).timestamp() / 60
    assert list(first["sensors"]) == ["Motor current [A]", "Vibration DE [mm/s]"]
    sent = [json.loads(message.value) for message in fleet.messages(slots)]
    blanks = sum(value is None for one in sent for value in one["sensors"].values())
    assert 0.005 < blanks / (2 * len(sent)) < 0.02


def test_what_is_on_the_topic_is_not_sent_again_and_the_command_goes_on(folder: Path) -> None:
    plan = plan_replay(request(folder, run_id="night"), settings(folder), NOW)

    assert plan.may_be_there
    assert remaining(plan.fleet, {}) == plan.fleet.slots()
    assert not plan.fleet.has(Slot(1, 5))
    assert plan.command == (
        f"surgeline replay --csv {folder / 'pumps.csv'} --machine {folder / 'pumps.toml'}"
        " --speed max --fleet pumps --run-id night"
    )


def test_a_recording_without_times_gets_them_from_the_start(folder: Path) -> None:
    (folder / "bare.csv").write_text("Motor current [A],Vibration DE [mm/s]\n1,2\n3,\n")
    machine = MACHINE.replace('clock = "time"', "").replace("interval_s = 60", "")
    (folder / "pumps.toml").write_text(machine)

    plan = plan_replay(request(folder, csv=(folder / "bare.csv",)), settings(folder), NOW)

    fleet = plan.fleet
    assert isinstance(fleet, RecordedFleet)
    assert fleet.cycle_interval == timedelta(seconds=1)
    times = [json.loads(message.value)["ts"] for message in fleet.messages(fleet.slots())]
    assert times == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"]


def test_files_that_no_fleet_could_score_are_refused_before_anything_is_sent(folder: Path) -> None:
    with pytest.raises(FleetsError, match=r"No fleet 'pumps'.*there are FD001"):
        plan_replay(request(folder), Settings(), NOW)
    with pytest.raises(FleetsError, match=r"No fleet 'pumsp'.*Did you mean pumps"):
        plan_replay(request(folder, fleet="pumsp"), settings(folder), NOW)
    assert parse_fleets((folder / "fleets.toml").read_text(), "f")["pumps"].artifact == "./pumps"


def test_files_without_what_says_what_is_in_them_are_a_mistake(folder: Path) -> None:
    with pytest.raises(UserError, match="surgeline init"):
        plan_replay(request(folder, machine=None), settings(folder), NOW)


@pytest.mark.parametrize("part", [float("nan"), -0.1, 1.5, float("inf")])
def test_a_part_that_is_none_is_refused(folder: Path, part: float) -> None:
    with pytest.raises(UserError, match="a part from 0 to 1 was expected"):
        plan_replay(request(folder, skip_part=part), settings(folder), NOW)


def test_what_was_learned_from_may_be_left_out_asset_by_asset(folder: Path) -> None:
    whole, rest = (
        plan_replay(request(folder, skip_part=part), settings(folder), NOW) for part in (0.0, 0.6)
    )

    sent, all_slots = rest.fleet.slots(), whole.fleet.slots()
    for unit in whole.fleet.units:
        mine = [slot for slot in all_slots if slot.unit == unit]
        assert [slot for slot in sent if slot.unit == unit] == mine[int(len(mine) * 0.6) :]
    assert "--skip-part 0.6" in rest.command
