"""What a person reads of a report: all of what differs, in words, and nothing that is not so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from common.errors import UserError
from common.files.atomic import write_report
from detector.tools.parity.differences import CycleRef, ScoreDifference, VerdictDifference
from detector.tools.parity.evidence import EvidenceDiff, EvidenceDifference
from detector.tools.parity.output import parity_differences, parity_facts, parity_notes, show_parity
from tests.support.parity import EQUAL


def test_an_equal_report_is_green_and_says_so() -> None:
    assert EQUAL.equal
    assert EQUAL.line().startswith("live equals batch: 61 live scores")
    assert EQUAL.line().endswith("3 of 3 alerts the same, 3 with the same evidence")
    assert parity_differences(EQUAL) == parity_notes(EQUAL) == []
    assert parity_facts(EQUAL)["largest relative difference"].startswith("0: equal to the last bit")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            {"missing": (CycleRef("a", 40),)}, "missing in the store: a, cycle 40", id="m"
        ),
        pytest.param({"extra": (CycleRef("a", 41),)}, "only in the store: a, cycle 41", id="extra"),
        pytest.param(
            {"beyond": (ScoreDifference("a", 42, 1.0, 2.0, 0.5),)},
            "another score: a, cycle 42: live 1.0, batch 2.0",
            id="score",
        ),
        pytest.param(
            {"verdicts": (VerdictDifference("a", 43, "gap", "nothing"),)},
            "another verdict: a, cycle 43: live gap; expected nothing",
            id="verdict",
        ),
        pytest.param(
            {
                "evidence": EvidenceDiff(
                    3, (), (EvidenceDifference("x", "a", 44, "step", "1", "2"),)
                )
            },
            "evidence of another content: a, cycle 44: step is 1; expected 2",
            id="evidence",
        ),
        pytest.param({"doubled": 2}, "two verdicts in the store: 2", id="doubled"),
    ],
)
def test_every_difference_is_red_and_spelled_out(change: dict[str, object], said: str) -> None:
    report = replace(EQUAL, **change)  # type: ignore[arg-type]  # any field of it

    assert not report.equal
    assert report.line().startswith("LIVE AND BATCH DIFFER")
    assert any(said in line for line in parity_differences(report))


def test_repeats_that_do_not_add_up_are_a_difference() -> None:
    assert replace(EQUAL, repeats={"late": (1, 1)}).equal
    assert not replace(EQUAL, repeats={"late": (1, 2)}).equal


def test_many_differences_are_cut_and_counted() -> None:
    report = replace(EQUAL, missing=tuple(CycleRef("a", cycle) for cycle in range(1000)))

    lines = parity_differences(report)

    assert len(lines) == 6
    assert lines[-1] == "missing in the store: 995 more"


def test_several_models_are_said_plainly() -> None:
    report = replace(EQUAL, models_in_store={"fd001@1": 50, "fd001@2": 40})

    assert not report.equal
    assert parity_notes(report)[0].startswith("Several models spoke in this run: fd001@1 (50")
    assert "--artifact" in parity_notes(report)[1]


def test_alerts_left_out_are_said_to_be() -> None:
    report = replace(EQUAL, alerts=None)

    assert report.equal
    assert "alerts not compared" in report.line()
    assert parity_facts(report)["alerts"] == "not compared"


def test_a_report_is_whole_as_json(tmp_path: Path) -> None:
    report = replace(EQUAL, missing=(CycleRef("a", 40),))

    write_report(tmp_path / "deep" / "report.json", report.as_json())
    read = json.loads((tmp_path / "deep" / "report.json").read_text())

    assert read["equal"] is False
    assert read["missing"] == [{"asset_id": "a", "cycle": 40}]
    assert read["models_in_store"] == {"fd001@2": 90}
    assert read["alerts"]["redelivered"] == 1


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UserError, match="cannot be written"):
        write_report(tmp_path / "file" / "report.json", {})


def test_names_from_outside_are_not_taken_for_markup() -> None:
    console = Console(record=True, width=120)

    show_parity(replace(EQUAL, missing=(CycleRef("[red]a[/]", 1),)), console)

    assert "[red]a[/], cycle 1" in console.export_text()
