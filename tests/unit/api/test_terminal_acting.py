"""``surgeline ack`` and ``shelve``: what is done, by whom, and what a mistake is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access.roles import Role
from api.commands.acting import ack, seconds_of, shelve
from api.commands.asset import asset
from common.errors import UserError
from common.records.verdicts import Level
from tests.support.alerts import make_alert
from tests.support.terminal import Terminal, scored, terminal

FIRST = make_alert(10, asset_id="pump-1", level=Level.CRITICAL)
OTHER_RUN = make_alert(20, asset_id="pump-1", run_id="run-2")
SECOND = make_alert(11, asset_id="pump-2")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    scores = [scored("pump-1", 2.0), scored("pump-2", 1.2), scored("quiet", 0.1)]
    with terminal(monkeypatch, scores, [FIRST, OTHER_RUN, SECOND]) as started:
        yield started


def events(screen: Terminal, alarm_id: str) -> list[tuple[str, str, str]]:
    found = screen.get(f"/api/v1/alarms/{alarm_id}")["events"]
    return [(each["action"], each["who"], each["why"]) for each in found]


def test_an_assets_name_acknowledges_all_its_alarms(screen: Terminal) -> None:
    result = screen.run(ack, "pump-1", "--note", "seen", "--operator", "anna")

    assert result.exit_code == 0
    assert result.stdout.count("acknowledged.") == 2
    for alert in (FIRST, OTHER_RUN):
        assert events(screen, alert.alarm_id) == [("acknowledged", "anna", "seen")]
    assert events(screen, SECOND.alarm_id) == []


def test_many_are_acknowledged_with_one_note(screen: Terminal) -> None:
    result = screen.run(ack, "pump-1", "pump-2", "pump-2", "--note", "power cut")

    assert result.exit_code == 0
    assert result.stdout.count("acknowledged.") == 3
    assert events(screen, SECOND.alarm_id) == [("acknowledged", "local", "power cut")]


@pytest.mark.parametrize("characters", [8, 36])
def test_an_alarm_is_named_by_its_id_or_its_first_part(screen: Terminal, characters: int) -> None:
    result = screen.run(ack, FIRST.alarm_id[:characters])

    assert result.exit_code == 0
    assert len(events(screen, FIRST.alarm_id)) == 1
    assert events(screen, OTHER_RUN.alarm_id) == []


def test_twice_is_told_and_changes_nothing(screen: Terminal) -> None:
    screen.run(ack, "pump-2", "--operator", "anna")

    result = screen.run(ack, "pump-2", "--operator", "bo")

    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert line.endswith("acknowledged already, by anna at 2026-01-01 00:00:00 UTC.")
    assert len(events(screen, SECOND.alarm_id)) == 1


@pytest.mark.parametrize("command", [ack, shelve])
def test_what_is_called_like_nothing_names_the_nearest(screen: Terminal, command: object) -> None:
    more = ["--reason", "x"] if command is shelve else []

    result = screen.run(command, "pump-3", *more)  # type: ignore[arg-type] # one of two commands

    assert result.exit_code == 2
    assert "There is no asset and no alarm 'pump-3'. Did you mean pump-" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_asset_without_an_alarm_says_so(screen: Terminal) -> None:
    result = screen.run(ack, "quiet")

    assert result.exit_code == 0
    assert "quiet has no alarm that asks for somebody." in result.stdout


def test_an_asset_is_shelved_for_a_while_with_a_reason(screen: Terminal) -> None:
    result = screen.run(
        shelve, "pump-1", "--for", "8h", "--reason", "sensor tonight", "--until-recovery"
    )

    assert result.exit_code == 0
    assert "shelved for 8 h, until 2026-01-01 08:00:00 UTC, or until it clears." in result.stdout
    shelf = screen.get(f"/api/v1/alarms/{FIRST.alarm_id}")["shelved"]
    assert (shelf["left_s"], shelf["why"]) == (28_800, "sensor tonight")
    assert shelf["ends_on_recovery"] is True


def test_what_the_api_refuses_is_one_line(screen: Terminal) -> None:
    result = screen.run(shelve, "pump-1", "--reason", "   ")

    assert result.exit_code == 2
    assert "The api refused: body reason" in result.stderr


def test_the_key_says_who_acts_and_whether_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"anna": Role.OPERATOR, "guest": Role.VIEWER}
    with terminal(monkeypatch, [scored("pump-2", 1.2)], [SECOND], keys) as screen:
        stranger = screen.run(ack, "pump-2")
        monkeypatch.setenv("SURGELINE_API__KEY", screen.secrets["guest"])
        guest = screen.run(ack, "pump-2")
        monkeypatch.setenv("SURGELINE_API__KEY", screen.secrets["anna"])
        anna = screen.run(ack, "pump-2")
        log = screen.run(asset, "pump-2").stdout

    for refused in (stranger, guest):
        assert refused.exit_code == 2
        assert len(refused.stderr.splitlines()) == 1
    assert anna.exit_code == 0
    assert "by anna at 2026-01-01 00:00:00 UTC" in log


@pytest.mark.parametrize("text", ["", "8", "8x", "-1h", "0s", "31d", "1e3h", "9" * 6 + "d"])
def test_a_time_that_is_none_is_told_how_to_say_one(text: str) -> None:
    with pytest.raises(UserError, match="such as 30m, 8h or 2d, 30 d at most"):
        seconds_of(text)


@given(st.integers(0, 20), st.integers(0, 23), st.integers(1, 59))
def test_times_add_up(days: int, hours: int, minutes: int) -> None:
    assert seconds_of(f"{days}d{hours}h{minutes}m") == (days * 24 + hours) * 3600 + minutes * 60
    assert seconds_of(f"{minutes}min") == minutes * 60
