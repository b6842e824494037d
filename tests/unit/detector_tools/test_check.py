"""What `surgeline check` counts is what the detector would do, and what the batch path scores."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from common.errors import InvalidRecordError, RejectReason
from common.machines.machine import Channel, Condition, MachineType, Step, Window
from common.machines.rows import as_rows
from common.readers.files import find_files
from common.readers.recording_file import AssetCounts, RecordingFile, read_recording
from common.readers.roles import Roles
from common.recording import AssetRecord, Recording
from common.records.verdicts import SourcePosition
from detector.core.policy import InputPolicy
from detector.core.reading.decoding import decode
from detector.core.reading.source import SourceRecord
from detector.tools.check.advice import advice
from detector.tools.check.refusals import find_refusals
from detector.tools.check.report import AssetTally, ChannelTally, CheckReport, Outcome
from detector.tools.check.tally import check_recording
from models.evaluation.batch_path import record_windows
from models.scoring.scorer import NormalisedRows
from tests.support.builders import MeanScorer, fleets_of

INPUTS = InputPolicy(max_reading_bytes=65_536, bridge_cycles=2)
START = datetime(2026, 1, 1, tzinfo=UTC)
MACHINE = MachineType(
    name="rig",
    step=Step(),
    window=Window(length=4),
    conditions=(Condition(name="load", tolerance=1.0),),
    channels=(
        Channel(name="a", lowest=-10.0, highest=10.0, max_hold=2),
        Channel(name="spare", used=False, lowest=0.0),
        Channel(name="b", max_hold=0),
    ),
)


class KnowsEverything:
    """A normaliser to which every row is known."""

    def normalise(
        self, conditions: NDArray[np.float64], channels: NDArray[np.float64]
    ) -> NormalisedRows:
        """Return the channels as they are."""
        return NormalisedRows(channels.astype(np.float32), np.ones(len(conditions), bool))


def recorded(values: NDArray[np.float64], cycles: NDArray[np.int64] | None = None) -> RecordingFile:
    """One asset; the values are load, a, spare, b."""
    if cycles is None:
        cycles = np.arange(1, len(values) + 1)
    asset = AssetRecord("one", cycles, None, values[:, :1], values[:, 1:])
    counts = AssetCounts("one", "one", len(values), 0, 0, 0, 0)
    return RecordingFile(Recording("t", MACHINE, (asset,), ""), (counts,), Roles(), 0, ())


def outcomes(values: list[list[float]], cycles: list[int] | None = None) -> dict[Outcome, int]:
    file = recorded(np.array(values, float), None if cycles is None else np.array(cycles))
    found = check_recording(file, INPUTS).outcomes
    return {outcome: count for outcome, count in found.items() if count}


SOUND = [1.0, 2.0, 3.0, 4.0]
NAN = float("nan")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([SOUND] * 6, {Outcome.WARMING_UP: 3, Outcome.SCORED: 3}, id="sound"),
        pytest.param([SOUND] * 4 + [[1, NAN, 3, 4]] * 2,
                     {Outcome.WARMING_UP: 3, Outcome.SCORED: 3}, id="held"),
        pytest.param([SOUND] * 4 + [[1, NAN, 3, 4]] * 3,
                     {Outcome.WARMING_UP: 3, Outcome.SCORED: 3, Outcome.BLANK_TOO_LONG: 1},
                     id="blank too long"),
        pytest.param([[1, 2, 3, NAN]] + [SOUND] * 4,
                     {Outcome.WARMING_UP: 3, Outcome.SCORED: 1, Outcome.BLANK_TOO_LONG: 1},
                     id="blank from the start"),
        pytest.param([SOUND] * 4 + [[1, NAN, 3, NAN], [NAN, 2, 3, 4], [1, 11, 3, 4]],
                     {Outcome.WARMING_UP: 3, Outcome.SCORED: 1, Outcome.NOTHING_MEASURED: 1,
                      Outcome.NO_CONDITION: 1, Outcome.OUT_OF_RANGE: 1}, id="refused"),
        pytest.param([SOUND] * 3 + [[1, 2, -99, 4]],
                     {Outcome.WARMING_UP: 3, Outcome.SCORED: 1}, id="not used, not looked at"),
    ],
)  # fmt: skip
def test_every_reading_has_one_outcome(
    rows: list[list[float]], expected: dict[Outcome, int]
) -> None:
    assert outcomes(rows) == expected


def test_short_gaps_are_spanned_and_long_ones_are_not() -> None:
    assert outcomes([SOUND] * 5, [1, 2, 5, 6, 7]) == {Outcome.WARMING_UP: 3, Outcome.SCORED: 2}
    assert outcomes([SOUND] * 6, [1, 2, 6, 7, 8, 9]) == {
        Outcome.WARMING_UP: 4,
        Outcome.GAP: 1,
        Outcome.SCORED: 1,
    }


def test_a_cycle_that_no_message_may_have_is_told() -> None:
    assert outcomes([SOUND] * 2, [1, 2**53]) == {Outcome.WARMING_UP: 1, Outcome.NO_CYCLE: 1}


def test_channels_are_told_apart() -> None:
    rows = [SOUND] * 4 + [[1, NAN, 3, 4], [1, 11, 3, 4], [1, 2, 3, NAN]]

    report = check_recording(recorded(np.array(rows)), INPUTS)

    assert report.channels == {
        "a": ChannelTally(blank=1, held=1, lost=0, out_of_range=1),
        "b": ChannelTally(blank=1, held=0, lost=1, out_of_range=0),
    }
    assert report.held == 1


def test_what_was_left_out_while_reading_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    stamps = ["2026-01-01 00:00:00", "2026-01-01 00:00:05", "2026-01-01 00:00:25", ""]
    path.write_text("at,a,pump\n" + "".join(f"{at},1,P\n" for at in stamps) + "2026-01-01,1,\n")
    step = Step(clock="time", interval_s=60.0, tolerance=0.25)
    machine = MachineType(name="m", step=step, channels=(Channel(name="a"),))

    report = check_recording(read_recording([path], machine), INPUTS)

    assert report.rows == 5
    assert +report.outcomes == {
        Outcome.WARMING_UP: 1,
        Outcome.SAME_TICK: 1,
        Outcome.OFF_TICK: 1,
        Outcome.WITHOUT_TIME: 1,
        Outcome.WITHOUT_ASSET: 1,
    }


def test_an_asset_without_a_usable_row_is_no_mistake() -> None:
    assert outcomes([[NAN, 2, 3, 4]] * 3) == {Outcome.NO_CONDITION: 3}


strange = st.sampled_from([0.0, 2.0, -10.0, 10.5, 1e18, 1.1e18, -2e18, float("nan")])


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(4)), elements=strange),
    st.integers(1, 2**33),
)
def test_what_is_refused_is_what_decoding_refuses(values: NDArray[np.float64], first: int) -> None:
    cycles = first + np.arange(len(values))
    record = recorded(values, cycles).recording.assets[0]

    refusals = find_refusals(cycles, record.values(MACHINE), MACHINE)

    found = zip(refusals.no_cycle, refusals.no_condition, refusals.nothing_measured,
                refusals.out_of_range, strict=True)  # fmt: skip
    reasons = [
        (RejectReason.INVALID_CYCLE,) * bool(no_cycle)
        + (RejectReason.MISSING_CHANNEL, RejectReason.OUT_OF_RANGE) * bool(no_condition)
        + (RejectReason.MISSING_CHANNEL,) * bool(nothing)
        + (RejectReason.OUT_OF_RANGE,) * bool(beyond)
        for no_cycle, no_condition, nothing, beyond in found
    ]
    for row, cycle, expected in zip(values.tolist(), cycles.tolist(), reasons, strict=True):
        reason = refused_by_decoding(row, cycle)
        assert reason in expected if expected else reason is None


def refused_by_decoding(row: list[float], cycle: int) -> RejectReason | None:
    there = [None if value != value else value for value in row]
    message = {
        "asset_id": "one",
        "run_id": "r",
        "cycle": cycle,
        "ts": (START + timedelta(seconds=1)).isoformat(),
        "settings": {"load": there[0]},
        "sensors": dict(zip(("a", "spare", "b"), there[1:], strict=True)),
    }
    record = SourceRecord(SourcePosition("t", 0, 0), 0, b"one", json.dumps(message).encode())
    try:
        decode(record, fleets_of(MeanScorer(machine=MACHINE)))
    except InvalidRecordError as exc:
        return exc.reason
    return None


@given(st.data(), st.integers(1, 80))
def test_as_many_are_scored_as_the_batch_path_scores(data: st.DataObject, n: int) -> None:
    draw = data.draw
    values = np.ones((n, 4))
    blank = draw(arrays.arrays(bool, (n, 2), elements=st.sampled_from([False] * 5 + [True])))
    values[:, [1, 3]] = np.where(blank, np.nan, 1.0)
    cycles = np.cumsum(draw(arrays.arrays(np.int64, n, elements=st.sampled_from([1] * 8 + [2, 9]))))
    file = recorded(values, cycles)
    rows = as_rows(file.recording.assets[0].values(MACHINE))
    somewhere = ~blank.all(axis=1)

    report = check_recording(file, INPUTS)

    laid = record_windows(
        KnowsEverything(), MACHINE, cycles[somewhere], rows[somewhere], INPUTS.bridge_cycles
    )
    assert report.scored == len(laid.ends)
    assert report.rows == n


@pytest.mark.parametrize(
    ("lost", "channels", "told"),
    [
        ({Outcome.GAP: 10, Outcome.WARMING_UP: 80}, {}, "interval_s the usual time"),
        ({Outcome.WARMING_UP: 80}, {}, "lost while windows fill"),
        ({Outcome.BLANK_TOO_LONG: 90}, {"p": ChannelTally(lost=9)}, "'p': a larger max_hold"),
        ({Outcome.OUT_OF_RANGE: 90}, {"p": ChannelTally(out_of_range=9)}, "'p' is out of range"),
        ({Outcome.SAME_TICK: 90}, {}, "--asset-column"),
        ({Outcome.OFF_TICK: 90}, {}, "step.tolerance"),
        ({Outcome.NO_CYCLE: 90}, {}, "Choose a longer one"),
        ({Outcome.NO_CONDITION: 90}, {}, "a condition is blank"),
        ({Outcome.SCORED: 900, Outcome.GAP: 5}, {}, ""),
        ({}, {}, ""),
    ],
)
def test_advice_is_on_the_largest_loss(
    lost: dict[Outcome, int], channels: dict[str, ChannelTally], told: str
) -> None:
    report = CheckReport("t", "m", 30, (AssetTally("a", lost, 0, channels),))

    assert told in advice(report)
    assert bool(advice(report)) is bool(told)


@pytest.mark.real_data
def test_most_of_skab_would_be_scored(skab_dir: Path) -> None:
    names = ("Accelerometer1RMS", "Current", "Pressure", "Volume Flow RateRMS")
    machine = MachineType(
        name="skab",
        step=Step(clock="time", interval_s=1.0),
        channels=tuple(Channel(name=name) for name in names),
    )

    report = check_recording(read_recording(find_files([str(skab_dir)]), machine), INPUTS)

    assert report.enough
    assert report.scored > 0.9 * report.rows
    assert report.rows == sum(report.outcomes.values())
