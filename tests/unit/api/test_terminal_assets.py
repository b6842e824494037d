"""``surgeline assets`` and ``asset``: worst first, one line each, everything about one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from api.commands.acting import ack, shelve
from api.commands.asset import asset
from api.commands.assets import assets
from api.commands.shown.wording import TIMES
from api.commands.status import status
from api.known_fleets import KnownFleet, KnownFleets, KnownModel
from common.machines.turbofan import TURBOFAN
from common.records.alerts import ModelRef, Transition
from common.records.verdicts import Level, Verdict
from tests.support.alerts import make_alert
from tests.support.silence import silence_began
from tests.support.terminal import Terminal, scored, terminal, unscored
from tests.unit.common.test_console import commands

RAISED = [
    make_alert(10, asset_id="w-low"),
    make_alert(10, asset_id="w-high"),
    make_alert(10, asset_id="w-seen"),
    make_alert(10, asset_id="crit"),
    make_alert(
        14,
        asset_id="crit",
        state=Transition.ESCALATED,
        level=Level.CRITICAL,
        onset_cycle=10,
        reason="Escalated to critical.",
    ),
    make_alert(10, asset_id="over"),
    make_alert(30, asset_id="over", state=Transition.CLEARED, onset_cycle=10),
]
SCORES = [
    scored("quiet", 0.5),
    scored("w-low", 1.1),
    scored("w-high", 2.0),
    scored("w-seen", 9.0),
    scored("crit", 1.5),
    scored("over", 0.4),
    unscored("cold"),
    unscored("refused", Verdict.UNKNOWN_REGIME),
]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    with terminal(monkeypatch, SCORES, RAISED) as started:
        yield started


def table(screen: Terminal, *arguments: str, columns: int = 80) -> list[str]:
    result = screen.run(assets, *arguments, columns=columns)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_the_worst_comes_first_and_what_nobody_has_seen_before_what_was(screen: Terminal) -> None:
    assert screen.run(ack, "w-seen").exit_code == 0

    lines = table(screen)

    names = [line.split()[0] for line in lines[2:10]]
    assert names == [
        "crit", "w-high", "w-low", "w-seen", "over", "cold", "refused", "quiet",
    ]  # fmt: skip
    said = {line.split()[0]: line for line in lines[2:10]}
    assert said["crit"].split()[1:] == ["critical!", "1.50", "01-01", "00:00:10", "T50↑,", "Ps30↓"]
    assert said["w-seen"].split()[1] == "warning"
    assert said["over"].split()[1] == "cleared!"
    assert lines[0] == "8 machines: 1 critical, 3 warning, 1 cleared, 2 not scored, 1 quiet"


def test_a_shelved_machine_stays_in_the_list_behind_those_that_ask(screen: Terminal) -> None:
    assert screen.run(shelve, "w-high", "--reason", "later").exit_code == 0

    lines = table(screen)

    assert [line.split()[:2] for line in lines[3:6]] == [
        ["w-seen", "warning!"],
        ["w-low", "warning!"],
        ["w-high", "warning~"],
    ]


def test_a_machine_that_is_not_scored_says_why(screen: Terminal) -> None:
    said = {line.split()[0]: line for line in table(screen)[2:]}

    assert "not scored  because it is warming up: 1 reading so far" in said["cold"]
    assert "because no model knows its operating conditions" in said["refused"]
    assert "Not scored, because it is warming up" in screen.run(asset, "cold").stdout


def test_a_machine_that_is_silent_says_since_when_and_one_with_an_alarm_keeps_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = datetime(2026, 1, 1, 14, tzinfo=UTC)
    quiet = silence_began("quiet", now)
    worn = [silence_began("worn", now), make_alert(9, asset_id="worn", level=Level.CRITICAL)]
    with terminal(monkeypatch, [scored("quiet", 0.3), scored("worn", 2.0)], [quiet, *worn]) as one:
        lines = one.run(assets).stdout.splitlines()
        status_said = one.run(status).stdout
        told = {each["asset_id"]: each for each in one.get("/api/v1/assets")["items"]}

    assert lines[1].startswith("asset")
    assert "worn" in lines[2]
    assert "T50" in lines[2]
    assert "because no reading since 2026-01-01 14:00:00 UTC" in " ".join(lines[3].split())
    assert "2 of machines that are silent or not scored" in status_said
    assert (told["quiet"]["alarm"], told["worn"]["alarm"]["level"]) == (None, "critical")
    assert told["quiet"]["silent"]["evidence"] == "silent"
    assert told["worn"]["silent"]["alarm_id"] == worn[0].alarm_id


def test_a_list_that_is_cut_says_what_is_left_out(screen: Terminal) -> None:
    lines = table(screen, "--limit", "2")

    assert len(lines) == 8
    assert lines[-1] == "… and 2 warning, 1 cleared, 2 not scored, 1 quiet; see --limit."


def test_wide_screens_have_shares(screen: Terminal) -> None:
    assert any("T50↑75, Ps30↓25" in line for line in table(screen, columns=120))


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 160])
def test_no_line_is_wider_than_the_screen(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    name = "plant-north-" + "x" * 100 + "-pump-7"
    with terminal(monkeypatch, [scored(name, 2.0)], [make_alert(10, asset_id=name)]) as screen:
        lines = table(screen, columns=columns)
        summary, rows = lines[0], lines[1:3]
        assert "1 machine: 1 warning" in summary
        assert all(len(line) <= columns for line in rows)
        assert rows[1].startswith("plant")


def test_json_has_all_machines_with_every_field(screen: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "assets.json"

    table(screen, "--limit", "1", "--json", str(file))

    items = json.loads(file.read_text())["items"]
    assert len(items) == 8
    assert items[0]["asset_id"] == "crit"
    assert items[0]["alarm"]["level"] == "critical"
    assert {each["asset_id"] for each in items if each["not_scored_because"]} == {"cold", "refused"}


def test_nothing_to_list_says_what_to_do(screen: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "of fleet deflt: there are some of default. Did you mean default?" in table(
        screen, "--fleet", "deflt"
    )[0].replace("\n", " ")
    with terminal(monkeypatch) as empty:
        assert "surgeline replay" in table(empty)[0]


def test_one_machine_is_told_with_reason_sensors_and_what_was_done(screen: Terminal) -> None:
    model = KnownModel(ModelRef(name="fd001", version="1", sha256="0" * 64), TURBOFAN, 1.0, 2.0)
    screen.fakes.catalogue.known = KnownFleets({"default": KnownFleet("default", "fd001", model)})
    screen.run(ack, "crit", "--note", "oil sample ordered", "--operator", "anna")

    result = screen.run(asset, "crit")

    assert result.exit_code == 0
    text = result.stdout
    assert text.splitlines()[:2] == ["crit  critical", "Escalated to critical."]
    rows = [line.split("  ") for line in text.splitlines()]
    (t50,) = (line.split() for line in text.splitlines() if line.startswith("T50"))
    assert " ".join(t50) == "T50 ↑ high 75% °R total temperature at LPT outlet"
    assert f"1.50{TIMES}, peak 1.50{TIMES}; 1 is a warning" in text
    assert any("raised: warning, cycle 10" in row for row in rows)
    assert any("escalated: critical, cycle 14" in row for row in rows)
    assert "anna      acknowledged it: oil sample ordered" in text
    assert "by anna at 2026-01-01 00:00:00 UTC: oil sample ordered" in text


def test_a_quiet_machine_has_its_largest_shares_and_no_alarm(screen: Terminal) -> None:
    text = screen.run(asset, "quiet").stdout

    assert text.splitlines()[0] == "quiet  quiet"
    assert "surgeline scores quiet --plot" in text
    assert "surgeline ack" not in text


def test_json_of_one_machine_has_its_alarms_story(screen: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "one.json"

    screen.run(asset, "crit", "--json", str(file))

    found = json.loads(file.read_text())
    assert [each["state"] for each in found["alarm"]["alerts"]] == ["raised", "escalated"]
    assert found["latest_score"][0]["severity"] == 1.5


class Hostile(httpx.BaseTransport):
    """An api whose every answer says something nasty where ours says something known."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        body = answer.read()
        for word in (b"Escalated to critical.", b"NOTE", b"ANNA", b'"T50"'):
            quote = b'"' if word[:1] == b'"' else b""
            body = body.replace(word, quote + NASTY + quote)
        return httpx.Response(answer.status_code, content=body)


NASTY = rb"\u001b[2J\u202e\n\u009b8;8H"


def test_nothing_that_the_api_says_commands_the_terminal(screen: Terminal) -> None:
    screen.run(ack, "crit", "--note", "NOTE", "--operator", "ANNA")
    nasty = Terminal(screen.fakes, Hostile(screen.transport), screen.patch)

    shown = [nasty.run(asset, "crit"), nasty.run(assets), nasty.run(ack, "crit")]

    for result in shown:
        assert result.exit_code == 0
        assert commands(result.stdout) == []
        assert r"\x1b[2J" in result.stdout


@pytest.mark.parametrize("name", ["crti", "..", "a b", "[red]", "w-low/ack"])
def test_an_unknown_machine_names_the_nearest(screen: Terminal, name: str) -> None:
    result = screen.run(asset, name)

    assert result.exit_code == 2
    assert f"There is no asset {name!r}." in result.stderr
    assert "surgeline assets" in result.stderr
    assert ("Did you mean crit?" in result.stderr) == (name == "crti")
    assert "Traceback" not in result.stderr
