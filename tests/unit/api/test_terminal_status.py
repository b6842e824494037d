"""``surgeline status``: each part, what to do, and exit codes that scripts can rely on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.commands.status import status
from common.errors import BackendUnavailableError
from common.records.verdicts import Level
from tests.support.alerts import make_alert
from tests.support.terminal import Terminal, scored, terminal, unscored


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    alerts = [make_alert(10, asset_id="a", level=Level.CRITICAL), make_alert(9, asset_id="b")]
    with terminal(monkeypatch, [scored("a", 2.0), unscored("b")], alerts) as started:
        yield started


def test_a_stack_that_is_well(screen: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "status.json"

    result = screen.run(status, "--json", str(file))

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "api at http://localhost: ready"
    assert result.stdout.count("  ok  ") == 5
    assert "1 scored, 1 warming_up; of the latest runs of 2 machines" in result.stdout
    assert "2 stand: 1 critical, 1 warning; 2 not acknowledged, 0 shelved" in result.stdout
    written = json.loads(file.read_text())
    assert (written["status"], written["readings"]["scored"]) == ("ready", 1)
    assert len(written["alarms"]) == 2


def test_what_is_not_needed_only_degrades(screen: Terminal) -> None:
    screen.fakes.detector.failure = BackendUnavailableError("nobody at 127.0.0.1:8081")

    result = screen.run(status)

    assert result.exit_code == 0
    assert "degraded" in result.stdout
    assert "nobody at 127.0.0.1:8081" in result.stdout
    assert "what to do: see that a worker runs, and SURGELINE_API__DETECTOR_URL" in result.stdout


def test_a_store_that_is_down_is_not_ready_and_the_rest_is_told(screen: Terminal) -> None:
    screen.fakes.history.failure = BackendUnavailableError("database is locked")

    result = screen.run(status)

    assert result.exit_code == 1
    assert "alert_history   DOWN" in result.stdout
    assert "what to do: see its server or file, and SURGELINE_ALERTS__URL" in result.stdout
    assert "alarms    not known: " in result.stdout
    assert "Traceback" not in result.output


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ReadTimeout("late")])
def test_no_answer_is_exit_code_2(
    screen: Terminal, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: httpx.Request) -> httpx.Response:
        raise error

    gone = Terminal(screen.fakes, httpx.MockTransport(nobody), monkeypatch)

    result = gone.run(status)

    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_an_empty_stack_says_how_to_fill_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as empty:
        text = empty.run(status).stdout

    assert "readings  none so far; `surgeline replay` sends some" in text
    assert "alarms    none asks for anybody" in text
