"""Which fleets there are: the file, its mistakes, and which fleet a data set is of."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import FleetsError
from common.fleets import FleetEntry, fleet_of_dataset, load_fleets, parse_fleets
from common.settings import AlarmSettings, DetectorSettings, Settings

GOOD = """
[fleet.default]
artifact = "fd001"

[fleet.pumps]
artifact = "./pumps"
bridge_cycles = 0
alarm = { on_delay_cycles = 5, deadband = 0.2 }

[fleet.pumps.asset."P-07"]
alarm = { on_window_cycles = 9, merge_gap_cycles = 20 }
"""


def test_without_a_file_there_is_the_default_and_one_fleet_for_each_shipped_data_set() -> None:
    settings = Settings(detector=DetectorSettings(artifact="./mine"))

    found = load_fleets(settings)

    assert {name: entry.artifact for name, entry in found.items()} == {
        "default": "./mine",
        "FD001": "fd001",
        "FD002": "fd002",
        "FD003": "fd003",
        "FD004": "fd004",
    }


def test_a_file_names_all_fleets_and_what_is_other_than_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "fleets.toml"
    path.write_text(GOOD)

    found = load_fleets(Settings(fleets=path))

    assert sorted(found) == ["default", "pumps"]
    assert found["pumps"].bridge_cycles == 0
    assert found["default"].bridge_cycles is None
    alarm = found["pumps"].alarm.over(AlarmSettings(off_delay_cycles=7))
    assert alarm == AlarmSettings(on_delay_cycles=5, off_delay_cycles=7, deadband=0.2)
    assert found["pumps"].asset["P-07"].alarm.over(alarm) == AlarmSettings(
        on_delay_cycles=5,
        off_delay_cycles=7,
        deadband=0.2,
        on_window_cycles=9,
        merge_gap_cycles=20,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "fleet: Field required", id="empty"),
        pytest.param("[fleet]", "at least 1 item", id="no fleet"),
        pytest.param("[fleet.a]\n", "fleet.a.artifact: Field required", id="no artifact"),
        pytest.param('[fleet.a]\nartifact = ""', "fleet.a.artifact", id="nothing named"),
        pytest.param('[fleet.a]\nartifact = "x"\nspeed = 1', "fleet.a.speed", id="unknown entry"),
        pytest.param('[fleet."a b"]\nartifact = "x"', "a b", id="no name"),
        pytest.param(
            '[fleet.a]\nartifact = "x"\nbridge_cycles = -1', "fleet.a.bridge_cycles", id="bounds"
        ),
        pytest.param(
            '[fleet.a]\nartifact = "x"\nalarm = { on_delay_cycles = 0 }',
            "fleet.a.alarm: Value error, on_delay_cycles: Input should be greater",
            id="alarm out of bounds",
        ),
        pytest.param(
            '[fleet.a]\nartifact = "x"\nasset."P 7".alarm.deadband = 0.1',
            "fleet.a.asset.P 7",
            id="no asset",
        ),
        pytest.param(
            '[fleet.a]\nartifact = "x"\nasset.P7.alarm.on_delay = 3',
            "fleet.a.asset.P7.alarm.on_delay",
            id="no part of a rule",
        ),
        pytest.param("[fleet.a\n", "is not TOML", id="no TOML"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_the_entry_at_fault(text: str, words: str) -> None:
    with pytest.raises(FleetsError) as caught:
        parse_fleets(text, "fleets.toml")

    assert str(caught.value).startswith("fleets.toml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_a_mistake_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "nowhere.toml", tmp_path, binary):
        with pytest.raises(FleetsError, match="leave the variable out"):
            load_fleets(Settings(fleets=path))


ENTRY = FleetEntry(artifact="x")


@pytest.mark.parametrize(
    ("name", "given", "fleet"),
    [
        ("FD002", None, "FD002"),
        ("FD002", "pumps", "pumps"),
        ("SIM", None, "default"),
        ("mine", None, "default"),
        ("pumps", None, "pumps"),
    ],
)
def test_a_data_set_is_of_the_fleet_of_its_name_or_else_of_the_default(
    name: str, given: str | None, fleet: str
) -> None:
    known = {"default": ENTRY, "FD002": ENTRY, "pumps": ENTRY}

    assert fleet_of_dataset(name, given, known) == fleet


@pytest.mark.parametrize(("name", "given"), [("FD003", None), ("SIM", "pump"), ("mine", None)])
def test_a_data_set_that_no_fleet_could_score_is_refused_before_anything_is_sent(
    name: str, given: str | None
) -> None:
    known = {"pumps": ENTRY} if name == "mine" else {"default": ENTRY, "pumps": ENTRY}

    with pytest.raises(FleetsError, match="--fleet") as caught:
        fleet_of_dataset(name, given, known)

    if given is not None:
        assert "Did you mean pumps?" in str(caught.value)
