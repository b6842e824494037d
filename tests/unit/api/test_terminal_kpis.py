"""``surgeline kpis``: the figures on one screen of 80 columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.commands.acting import ack
from api.commands.kpis import kpis
from common.records.alerts import Transition
from tests.support.alerts import make_alert
from tests.support.clock import StillClock
from tests.support.terminal import Terminal, terminal


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    alerts = [make_alert(10, asset_id=f"engine-{number:03}-{'x' * 90}") for number in range(5)]
    end = make_alert(30, asset_id="b", state=Transition.CLEARED, onset_cycle=10)
    alerts += [make_alert(10, asset_id="b"), end.model_copy(update={"flaps": 4})]
    with terminal(monkeypatch, [], alerts) as started:
        clock = started.fakes.clock
        assert isinstance(clock, StillClock)
        clock.elapsed_s = 60.0
        yield started


def test_all_figures_fit_the_lines(screen: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "kpis.json"
    assert screen.run(ack, "b").exit_code == 0

    result = screen.run(kpis, "--days", "30", "--operators", "2", "--json", str(file))

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "alarms       6 in 30 days"
    assert lines[1] == "per operator 0.1 a day (acceptable: at most 150)"
    assert lines[2].startswith("ten minutes  at most 6, ")
    assert lines[3].startswith("acknowledged 1, not yet 5; median ")
    assert lines[4] == "chattering   1 alarms, 4 times: b 4"
    assert lines[5] == "stale        0 stand for longer than a day"
    assert lines[6] == "verdicts     0 true, 0 false, 0 unknown"
    assert lines[7].startswith("most alarms  b 1, engine-000-")
    assert lines[8] == "most sensors T50 6"
    assert all(len(line) <= 80 for line in lines[:7])
    assert json.loads(file.read_text())["operators"] == 2


def test_nothing_came(screen: Terminal) -> None:
    result = screen.run(kpis, "--fleet", "pumps")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "alarms       0 in 7 days of fleet pumps"


def test_a_time_too_long_is_refused(screen: Terminal) -> None:
    assert screen.run(kpis, "--days", "367").exit_code == 2
