"""The map file: every mistake is one sentence that names the entry and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import MapError
from common.fleets import FleetEntry
from common.machines.turbofan import TURBOFAN
from producer.ingest.fitting import machine_of, require_fit
from producer.ingest.map_file import MessageMap, load_map, parse_map
from producer.ingest.paths import parse_path
from tests.support.own_pumps import PUMP

HEAD = 'fleet = "pumps"\nasset = "dev"\ntime = "ts"\n'
PUMPS = """[channels]
"Flow Rate" = "data.flow"
Pressure = { path = "/data/p [Pa]", factor = 1e-5 }
"Motor Temperature" = { path = "data.t", factor = 0.5, offset = -17 }
"""


def test_a_channel_is_a_path_or_a_path_with_a_unit() -> None:
    found = parse_map(HEAD + PUMPS, "map.toml")

    flow, pressure = found.channels["Flow Rate"], found.channels["Pressure"]
    assert (flow.path, flow.factor, flow.offset) == ("data.flow", 1.0, 0.0)
    assert (pressure.path, pressure.factor) == ("/data/p [Pa]", 1e-5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fleet = ", "is not TOML"),
        ('asset = "a"\ntime = "t"\n' + PUMPS, "fleet: this entry is missing, such as fleet ="),
        (HEAD, "channels: this entry is missing, a table [channels]"),
        (HEAD + "[chanels]\n", "chanels: no such entry; there are fleet, topic"),
        (HEAD + "[chanels]\n", "Did you mean channels?"),
        (HEAD + "[channels]\n", "channels: Dictionary should have at least 1 item"),
        (HEAD + '[channels]\nx = { path = "a", facto = 3 }', "channels.x.facto: no such entry"),
        (HEAD + '[channels]\nx = { path = "a", facto = 3 }', "Did you mean factor?"),
        (HEAD + "[channels]\nx = { factor = 3 }", "channels.x.path: this entry is missing"),
        (HEAD + '[channels]\nx = { path = "a", factor = 0 }', "0 makes all values alike"),
        (HEAD + '[channels]\nx = { path = "a", factor = inf }', "channels.x.factor"),
        (HEAD + '[channels]\nx = "a b"', "channels.x.path: 'a b' is no JMESPath"),
        (HEAD + '[channels]\nx = "a b"', "write a JSON pointer"),
        (HEAD + '[channels]\nx = ""', "a path of 1 to 500 characters"),
        (HEAD + '[channels]\nx = "foo(@)"', "calls no function of JMESPath"),
        (HEAD + '[channels]\n" x" = "a"', "cannot name a channel"),
        (HEAD + 'time_format = "days"\n' + PUMPS, "time_format: Input should be 'auto', 'iso'"),
        (HEAD + 'topic = "a b"\n' + PUMPS, "topic: "),
        (HEAD.replace("pumps", "my pumps") + PUMPS, "fleet: "),
    ],
)
def test_a_mistake_is_one_sentence(text: str, told: str) -> None:
    with pytest.raises(MapError) as caught:
        parse_map(text, "map.toml")

    message = str(caught.value)
    assert message.startswith("map.toml")
    assert told in message
    assert "\n" not in message


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes("fleet = 'Süd'".encode("latin-1"))

    for path, why in ((tmp_path / "none.toml", "No such file"), (latin, "it is not UTF-8 text")):
        with pytest.raises(MapError, match=why):
            load_map(path)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b[1]", 7),
        ("a.b[-1]", 7),
        ("a.b[5]", None),
        ("a.b.c", None),
        ("@.a.b[0]", 6),
        ('"x y"', 1),
        ("/a/b/1", 7),
        ("/a/b/-1", None),
        ("/a/b/9999999999999", None),
        ("/x y", 1),
        ("/s~1t~0u", 2),
        ("tags[?n=='p'].v | [0]", 3),
        ("to_number(t)", 4.5),
        ("length(a)", 1),
        ("length(n)", None),
        ("sum(t)", None),
    ],
)
def test_what_is_at_a_path(path: str, found: object) -> None:
    document = {
        "a": {"b": [6, 7]}, "x y": 1, "s/t~u": 2, "t": "4.5", "n": 5,
        "tags": [{"n": "q", "v": 1}, {"n": "p", "v": 3}],
    }  # fmt: skip

    assert parse_path(path)(document) == found


def the_map(text: str = "") -> MessageMap:
    return parse_map(HEAD + text + PUMPS, "map.toml")


def test_a_map_that_fits() -> None:
    require_fit(the_map(), PUMP, "map.toml")


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (the_map().model_copy(update={"channels": {}}), "channels: no path for Flow Rate, Press"),
        (parse_map(HEAD + PUMPS + 'Presure = "p"', "m"), "Did you mean Pressure?"),
        (parse_map(HEAD + PUMPS + '[conditions]\nLoad = "p"', "m"), "has no such; it has none."),
    ],
)
def test_a_map_that_does_not_fit_the_machine_type(wanted: MessageMap, told: str) -> None:
    with pytest.raises(MapError) as caught:
        require_fit(wanted, PUMP, "map.toml")

    assert told in str(caught.value)


def test_a_count_cannot_be_made_up() -> None:
    with pytest.raises(MapError, match=r"the map has no cycle\. A count cannot be made up"):
        require_fit(the_map(), TURBOFAN, "map.toml")


def test_the_machine_type_of_a_fleets_model(tmp_path: Path) -> None:
    folder = tmp_path / "pumps"
    folder.mkdir()
    manifest = f'{{"machine": {PUMP.model_dump_json(by_alias=True)}}}'
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")

    assert machine_of(FleetEntry(artifact=str(folder))) == PUMP
    assert machine_of(FleetEntry(artifact="fd001")) == TURBOFAN
    assert machine_of(FleetEntry(artifact="models:/pumps@production")) is None
    (folder / "manifest.json").write_text("[]", encoding="utf-8")
    assert machine_of(FleetEntry(artifact=str(folder))) is None
