"""What-if: which alert is which, what moves, and rules made from texts."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from common.cmapss.reader import Dataset, EngineSeries
from common.errors import UserError
from common.machines.turbofan import SENSOR_NAMES
from common.records.alerts import Alert, Transition
from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import Level
from detector.core.conclusion.conclude import conclude
from detector.core.fleet import Fleet
from detector.core.pipeline import prepare
from detector.core.policy import InputPolicy
from detector.tools.recording import DatasetRecording, TopicRecording
from detector.tools.whatif.report import WhatIfReport, what_if
from detector.tools.whatif.rule import parse_alarm, parse_thresholds
from models.alarm import AlarmPolicy
from models.scoring.scorer import Thresholds
from models.whatif.matching import match_alerts
from models.whatif.stored import OtherThresholds, Row, compare
from tests.support.builders import INPUTS, START, MeanScorer, reading, records

POLICY = AlarmPolicy(on_delay_cycles=3, off_delay_cycles=10, deadband=0.05)
THRESHOLDS = Thresholds(warning=2.0, critical=4.0)


def engine(unit: int) -> EngineSeries:
    """Healthy, then rising by a tenth a cycle until it fails; engines differ in when it begins."""
    life = 120 + unit
    wear = np.clip(np.arange(life) - 60 - 5 * unit, 0, None) / 10
    sensors = np.repeat(wear[:, None], len(SENSOR_NAMES), axis=1)
    sensors[:, -1] = wear / 2  # one channel of its own, for another model
    return EngineSeries(unit, np.arange(1, life + 1), np.zeros((life, 3)), sensors)


DATASET = Dataset("TOY", "train", tuple(engine(unit) for unit in range(1, 5)), None, "0" * 64)


def alert(
    state: str,
    onset: int,
    cycle: int,
    level: Literal[Level.WARNING, Level.CRITICAL] = Level.WARNING,
) -> Alert:
    return Alert(
        alert_id=f"{state}-{onset}-{cycle}",
        alarm_id=f"{onset}",
        asset_id="a",
        run_id="night",
        state=Transition(state),
        onset_cycle=onset,
        cycle=cycle,
        level=level,
        ts=START,
        score=1.0,
        threshold=1.0,
        channels=(),
        model=MeanScorer().spec.ref,
        reason="",
    )


def replayed(
    thresholds: Thresholds = THRESHOLDS,
    alarm: AlarmPolicy = POLICY,
    scorer: MeanScorer | None = None,
    inputs: InputPolicy = INPUTS,
) -> WhatIfReport:
    before = MeanScorer()
    return what_if(
        DatasetRecording(DATASET, (1, 2, 3, 4), "night"),
        "night",
        Fleet(DEFAULT_FLEET, before, POLICY, INPUTS, THRESHOLDS),
        Fleet(DEFAULT_FLEET, scorer or before, alarm, inputs, thresholds),
    )


def test_the_same_rule_changes_nothing() -> None:
    report = replayed()

    assert report.alerts_before > 0
    assert (report.gained, report.lost, report.moved, report.changed) == (0, 0, 0, ())
    assert report.sentence().startswith("Nothing would change")


def test_the_same_rule_in_another_copy_of_the_model_changes_nothing() -> None:
    assert replayed(scorer=MeanScorer(version="2")).changed == ()


def test_another_model_is_scored_by_itself() -> None:
    report = replayed(scorer=MeanScorer(channels=("W32",)))

    assert len(report.changed) == 4
    assert all((asset.first_after or 0) > (asset.first_before or 0) > 0 for asset in report.changed)


def test_bridging_gaps_gains_the_alerts_that_the_warm_up_swallowed() -> None:
    flight = [reading(cycle, cycle / 10, run_id="night") for cycle in range(1, 40) if cycle % 3]
    recording = TopicRecording("readings", "night", {b"engine-1": records(flight)})
    rule = Fleet(DEFAULT_FLEET, MeanScorer(), POLICY, INPUTS, THRESHOLDS)
    bridging = replace(rule, inputs=replace(INPUTS, bridge_cycles=1))

    report = what_if(recording, "night", rule, bridging)

    assert report.alerts_before == 0
    assert report.gained > 0
    assert "gaps refused" in report.before
    assert "gaps of up to 1 bridged" in report.after


def test_a_lower_threshold_moves_first_alerts_earlier_and_the_lead_grows() -> None:
    report = replayed(Thresholds(THRESHOLDS.warning - 1, THRESHOLDS.critical))

    assert len(report.changed) == 4
    for asset in report.changed:
        assert asset.first_before is not None
        assert asset.first_after is not None
        assert asset.lead_before is not None
        assert asset.lead_after is not None
        assert asset.first_after < asset.first_before
        assert asset.lead_after - asset.lead_before == asset.first_before - asset.first_after
    assert "the first alert comes earlier on 4 (median 10 cycles)" in report.sentence()
    assert re.search(r"median lead (\d+(\.5)?) cycles before", report.sentence())


@pytest.mark.parametrize(
    ("alarm", "thresholds"),
    [
        pytest.param(AlarmPolicy(5, 10, 0.05), THRESHOLDS, id="delay"),
        pytest.param(AlarmPolicy(2, 2, 0.3, 0, 8, 4), THRESHOLDS, id="rule"),
        pytest.param(POLICY, Thresholds(1.2, 4.0), id="lower"),
        pytest.param(POLICY, Thresholds(3.1, 3.6), id="both"),
        pytest.param(POLICY, Thresholds(1e9, 1e9), id="unreachable"),
    ],
)
def test_stored_verdicts_tell_the_same_as_the_readings(
    alarm: AlarmPolicy, thresholds: Thresholds
) -> None:
    """The api compares rules on what is stored, this command on readings: one answer."""
    fleet = Fleet(DEFAULT_FLEET, MeanScorer(), POLICY, INPUTS, THRESHOLDS)
    recording = DatasetRecording(DATASET, (1, 2, 3, 4), "night")
    runs: dict[tuple[str, str], list[Row]] = {}
    for batch in recording.batches({DEFAULT_FLEET: fleet}):
        plan = prepare(batch, {}, fleet)
        for told in conclude(plan, fleet.scorer.score(plan.windows), fleet).verdicts:
            row = Row(
                told.cycle, told.score, told.severity, told.evidence, told.level,
                told.warning_threshold, told.critical_threshold,
            )  # fmt: skip
            runs.setdefault((told.asset_id, told.run_id), []).append(row)

    other = OtherThresholds(thresholds.warning, thresholds.critical)
    found = compare(runs, lambda _: POLICY, lambda _: alarm, other)
    report = replayed(thresholds, alarm)

    assert sum(len(each.gained) for each in found.changes.values()) == report.gained
    assert sum(len(each.lost) for each in found.changes.values()) == report.lost
    moved = [
        (pair.before.cycle, pair.after.cycle)
        for each in found.changes.values()
        for pair in each.moved
    ]
    assert moved == [
        (pair.before.cycle, pair.after.cycle)
        for asset in report.changed
        for pair in asset.changes.moved
    ]
    assert report.changed


def test_an_unreachable_threshold_loses_every_alert() -> None:
    report = replayed(Thresholds(1e9, 1e9))

    assert report.lost == report.alerts_before > 0
    assert (report.alerts_after, report.gained) == (0, 0)
    assert "4 would have none any more" in report.sentence()


def test_a_longer_on_delay_moves_alerts_but_not_their_onset() -> None:
    report = replayed(alarm=AlarmPolicy(5, 10, 0.05))

    moved = [pair for asset in report.changed for pair in asset.changes.moved]
    assert moved
    raised = [pair for pair in moved if pair.before.state is Transition.RAISED]
    assert all(pair.after.cycle == pair.before.cycle + 2 for pair in raised)
    assert "the first alert comes later on 4 (median 2 cycles)" in report.sentence()


def test_alerts_match_by_kind_and_nearest_onset() -> None:
    before = [alert("raised", 10, 12), alert("cleared", 10, 40), alert("raised", 100, 102)]
    after = [alert("raised", 8, 10), alert("raised", 12, 14), alert("raised", 100, 102)]

    changes = match_alerts(before, after, window_cycles=30)

    assert changes.same == 1
    assert [(m.before.onset_cycle, m.after.onset_cycle) for m in changes.moved] == [(10, 8)]
    assert changes.gained == (after[1],)
    assert changes.lost == (before[1],)


@pytest.mark.parametrize(("window", "moved"), [(4, 0), (5, 1)])
def test_onsets_further_apart_than_the_window_are_other_alerts(window: int, moved: int) -> None:
    changes = match_alerts([alert("raised", 10, 12)], [alert("raised", 15, 17)], window)

    assert len(changes.moved) == moved
    assert len(changes.gained) == len(changes.lost) == 1 - moved


def test_another_level_at_the_same_cycle_is_a_move() -> None:
    changes = match_alerts([alert("raised", 10, 12)], [alert("raised", 10, 12, Level.CRITICAL)], 30)

    assert len(changes.moved) == 1


def test_thresholds_from_texts() -> None:
    base = Thresholds(1.0, 2.0)

    assert parse_thresholds(["warning=0.6", "critical=1.8"], base) == Thresholds(0.6, 1.8)
    assert parse_thresholds([], base) == base


@pytest.mark.parametrize("text", ["warning", "warning=", "warm=1", "warning=nan", "critical=x"])
def test_a_text_that_is_no_threshold_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="NAME=NUMBER with NAME one of warning, critical"):
        parse_thresholds([text], Thresholds(1.0, 2.0))


def test_a_warning_above_critical_is_refused() -> None:
    with pytest.raises(UserError, match="above the critical one"):
        parse_thresholds(["warning=3"], Thresholds(1.0, 2.0))


def test_an_alarm_rule_from_texts() -> None:
    policy = parse_alarm(["on_delay=5", "deadband=0.2"], AlarmPolicy(3, 10, 0.05))

    assert policy == AlarmPolicy(5, 10, 0.2)


@pytest.mark.parametrize("text", ["on_delay=0", "deadband=1", "off_delay=2.5", "on_delay=9999"])
def test_an_alarm_rule_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--alarm"):
        parse_alarm([text], AlarmPolicy(3, 10, 0.05))
