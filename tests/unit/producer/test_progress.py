"""What a replay tells while it runs."""

from __future__ import annotations

import json

import pytest

from common.replay import ReplayProgress, ReplayState
from producer.progress import JsonReporter, ProgressMode, make_reporter
from tests.support.clock import FakeClock


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_has_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    JsonReporter(FakeClock().monotonic).report(
        ReplayProgress("R", 400, 12, 13_096, ReplayState.FAILED, "the broker is gone")
    )

    assert lines(capsys) == [
        {
            "run_id": "R",
            "sent": 400,
            "skipped": 12,
            "total": 13_096,
            "state": "failed",
            "error": "the broker is gone",
        }
    ]


def test_lines_come_twice_a_second_but_a_new_state_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = FakeClock()
    reporter = JsonReporter(clock.monotonic)

    for sent in range(100):
        reporter.report(ReplayProgress("R", sent, 0, 100))
        clock.elapsed_s += 0.015625
    reporter.report(ReplayProgress("R", 100, 0, 100, ReplayState.DONE))

    told = lines(capsys)
    assert [line["sent"] for line in told] == [0, 32, 64, 96, 100]
    assert [line["state"] for line in told] == ["running"] * 4 + ["done"]


@pytest.mark.parametrize("mode", [ProgressMode.BAR, ProgressMode.NONE])
def test_standard_output_belongs_to_json(
    mode: ProgressMode, capsys: pytest.CaptureFixture[str]
) -> None:
    with make_reporter(mode, FakeClock().monotonic) as reporter:
        reporter.report(ReplayProgress("R", 1, 0, 2))
        reporter.report(ReplayProgress("R", 2, 0, 2, ReplayState.DONE))

    told = capsys.readouterr()
    assert told.out == ""
    assert ("2/2" in told.err) == (mode is ProgressMode.BAR)


def test_a_bar_without_anything_to_send_leaves_no_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with make_reporter(ProgressMode.BAR, FakeClock().monotonic) as reporter:
        reporter.report(ReplayProgress("", state=ReplayState.FAILED, error="no data"))

    assert capsys.readouterr() == ("", "")
