"""What an alert rests on: the readings as they came, and what was made of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.machines.machine import Channel, MachineType, Window
from common.records.alerts import Alert
from common.records.evidence import (
    MAX_EVIDENCE_BYTES,
    MAX_VALUES,
    AlertEvidence,
    derive_evidence_id,
)
from common.records.readings import SensorReading
from common.records.times import EARLIEST, LATEST
from common.records.verdicts import Evidence
from common.ring import shortest
from detector.core.conclusion.evidence import case_slices
from detector.core.conclusion.rounding import rounded
from detector.core.policy import InputPolicy
from detector.failpoints import Point
from models.alarm import AlarmPolicy
from models.scoring.scorer import Expected, Thresholds
from tests.support.builders import (
    INPUTS,
    START,
    EvidenceScorer,
    MeanScorer,
    reading,
)
from tests.support.earlier_layouts import as_layout_5
from tests.support.world import Killed, World, dies_at

AT_ONCE = AlarmPolicy(on_delay_cycles=1, off_delay_cycles=1, deadband=0.0)
CHANNELS = ("T24", "T30", "T50")
BRIDGING = InputPolicy(max_reading_bytes=65_536, bridge_cycles=3)
RISE = [0.5, 0.5, 0.5, 0.5, 2.5, 2.5, 2.5]


def flight(values: list[float]) -> list[SensorReading]:
    return [reading(cycle, value) for cycle, value in enumerate(values, 1)]


async def judged(
    readings: list[SensorReading],
    *,
    batch: int = 100,
    scorer: MeanScorer | None = None,
    inputs: InputPolicy = INPUTS,
) -> World:
    """Return a world in which a worker has judged these readings, some at a time."""
    world = World(scorer=scorer or MeanScorer())
    world.send(readings)
    worker = world.worker(alarm=AT_ONCE, inputs=inputs)
    for first in range(0, len(readings), batch):
        last = min(first + batch, len(readings))
        await worker.service.process(world.fetch({0: (first, last)}))
    for value in world.publisher.evidence_values:
        assert in_order(value) == in_order(AlertEvidence.model_validate_json(value).to_json())
    return world


def in_order(message: bytes) -> Any:
    """Return a message with its fields in their order, so that none may be there twice or moved."""
    return json.loads(message, object_pairs_hook=list)


async def only(world: World) -> AlertEvidence:
    [evidence] = world.publisher.evidence
    return evidence


def series(evidence: AlertEvidence, name: str) -> tuple[float, ...]:
    return next(channel.values for channel in evidence.channels if channel.name == name)


async def test_an_alert_has_what_it_rests_on() -> None:
    world = await judged(flight(RISE))

    [alert], evidence = world.publisher.alerts, await only(world)

    assert evidence.evidence_id == derive_evidence_id(alert)
    same = set(AlertEvidence.model_fields) & set(Alert.model_fields) - {"channels"}
    assert evidence.model_dump(include=same) == alert.model_dump(include=same)
    assert evidence.window.cycles == (2, 3, 4, 5)
    assert evidence.window.ts == tuple(START + timedelta(seconds=cycle) for cycle in (2, 3, 4, 5))
    assert (evidence.window.length, evidence.window.omitted) == (4, 0)
    assert evidence.window.missing_before == (0, 0, 0, 0)
    assert [(each.name, each.unit) for each in evidence.conditions] == [
        ("altitude", "1000 ft"), ("mach", ""), ("tra", "deg"),
    ]  # fmt: skip
    assert evidence.conditions[2].values == (100.0,) * 4
    assert [(each.name, each.share) for each in evidence.channels] == [
        (each.name, each.share) for each in alert.channels
    ]
    for channel in evidence.channels:
        assert channel.values == (0.5, 0.5, 0.5, 2.5)
        assert channel.expected == (0.25, 0.25, 0.25, 1.25)  # half of what came, says the model
        assert (channel.level_sd, channel.healthy_mean, channel.healthy_sd) == (1.0, 0.0, 1.0)
        assert channel.held == ()


async def test_every_kind_of_evidence_says_what_it_found_and_the_rule_how_far_it_counted() -> None:
    world = await judged(flight([0.5, 0.625, 0.5, 0.375, 2.25]), scorer=EvidenceScorer())

    evidence = world.publisher.evidence[-1]

    weighed = {each.evidence: each for each in evidence.weighed}
    degradation, channel = weighed[Evidence.DEGRADATION], weighed[Evidence.CHANNEL]
    assert (degradation.score, degradation.warning, degradation.critical) == (2.25, 1.0, None)
    assert degradation.severity == evidence.severity == 2.25
    assert (channel.score, channel.warning, channel.severity) == (2.25, 4.0, 2.25 / 4)
    assert (weighed[Evidence.FROZEN].score, weighed[Evidence.FROZEN].warning) == (1.0, 3.0)
    assert (weighed[Evidence.LIFE].score, weighed[Evidence.LIFE].critical) == (5.5, 5.0)
    assert evidence.life is not None
    assert evidence.rule.model_dump() == {
        "on_delay": 1, "among": 1, "off_delay": 1, "deadband": 0.0, "min_length": 0,
        "merge_gap": 0, "counted": 1, "flaps": 0,
    }  # fmt: skip


async def test_held_values_and_bridged_cycles_are_marked() -> None:
    cycles = [1, 2, 3, 5, 6, 9]
    readings = [reading(cycle, 0.5 if cycle < 9 else 3.0) for cycle in cycles]
    for index in (2, 3):
        lacking = dict(readings[index].sensors) | {"T30": None}
        readings[index] = readings[index].model_copy(update={"sensors": lacking})

    evidence = await only(await judged(readings, inputs=BRIDGING))

    assert evidence.window.cycles == (3, 5, 6, 9)
    assert evidence.window.missing_before == (0, 1, 0, 2)
    assert {each.name: each.held for each in evidence.channels} == {
        "T24": (), "T30": (0, 1), "T50": (),
    }  # fmt: skip
    assert series(evidence, "T30") == (0.5, 0.5, 0.5, 3.0)


NUMBER = st.floats(-1e18, 1e18).filter(lambda value: value == 0 or abs(value) > 1e-30)
ROW = st.tuples(
    st.lists(NUMBER, min_size=3, max_size=3),
    st.sampled_from([(), (), (), (), (0,), (1, 2)]),
    st.sampled_from([1, 1, 1, 2, 4]),
    st.integers(0, 3_600_000_000),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=6, max_size=14), st.integers(1, 7), st.datetimes(
    EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None, year=2200)
))  # fmt: skip
async def test_whatever_a_stranger_sends_is_what_the_evidence_shows(
    rows: list[tuple[list[float], tuple[int, ...], int, int, bool]], batch: int, begin: datetime
) -> None:
    """Nulls, held and bridged readings, repeats, any size, any time, any cut into batches."""
    sent: dict[int, tuple[datetime, list[float | None]]] = {}
    readings: list[SensorReading] = []
    cycle, ts = 0, begin.replace(tzinfo=UTC)
    loud = ([5.0, 7.5, 2e17], (), 1, 1, False)
    for measured, blank, step, later_us, twice in [*rows, loud]:
        values = [None if at in blank else value for at, value in enumerate(measured)]
        cycle, ts = cycle + step, ts + timedelta(microseconds=later_us)
        sent[cycle] = ts, values
        plain = reading(cycle)
        sensors = dict(plain.sensors) | dict(zip(CHANNELS, values, strict=True))
        readings += [plain.model_copy(update={"ts": ts, "sensors": sensors})] * (1 + twice)

    world = await judged(readings, batch=batch, inputs=BRIDGING)
    whole = await judged(readings, inputs=BRIDGING)

    assert world.publisher.evidence == whole.publisher.evidence
    assert len(world.publisher.evidence) == len(world.publisher.alerts)
    for evidence in world.publisher.evidence:
        read = AlertEvidence.model_validate_json(evidence.to_json())
        assert read == evidence
        for place, (at, taken_at) in enumerate(
            zip(read.window.cycles, read.window.ts, strict=True)
        ):
            assert at is not None
            assert taken_at == sent[at][0]
            for channel in read.channels:
                value = sent[at][1][CHANNELS.index(channel.name)]
                if place in channel.held:
                    assert value is None
                else:
                    assert value is not None
                    assert np.float32(channel.values[place]) == np.float32(value)
        first = read.window.cycles[0] or 0
        assert first + len(read.window.cycles) - 1 + sum(read.window.missing_before) == read.cycle


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_value_of_seven_digits_is_shown_as_it_was_written(value: float) -> None:
    short = float(f"{value:.6g}")

    [shown] = shortest(np.array([short], np.float32))

    assert np.float32(shown) == np.float32(short)
    assert shown == short or abs(short) < 1e-37  # smaller ones have fewer digits in 32 bits


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_values_are_shown_with_as_few_digits_as_tell_them_apart(values: list[float]) -> None:
    rows = np.array([values, values[::-1]], np.float32)

    assert repr(shortest(rows)) == repr(rows.astype(str).astype(float).tolist())


@given(st.lists(st.floats(), min_size=1))
def test_expectations_are_rounded_one_like_all(values: list[float]) -> None:
    one_by_one = [float(f"{value:.7g}") if np.isfinite(value) else None for value in values]

    assert repr(rounded(np.array([values, values]))) == repr([one_by_one, one_by_one])


@given(st.integers(10**6, 10**8), st.integers(-30, 30), st.sampled_from([0.0, 0.25, 0.5, 0.75]))
def test_what_is_nearly_between_two_is_rounded_as_its_digits_are(
    whole: int, power: int, part: float
) -> None:
    value = (whole + part) * 10.0**power
    near = [value, np.nextafter(value, np.inf), np.nextafter(value, -np.inf), -value]

    assert rounded(np.array([[near]])) == [[[float(f"{each:.7g}") for each in near]]]


@pytest.mark.parametrize("batch", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "point", [Point.CONCLUDED, Point.EVIDENCE_PUBLISHED, Point.INTENDED, Point.PUBLISHED]
)
async def test_a_worker_that_dies_leaves_every_alert_one_piece_of_evidence(
    point: Point, batch: int
) -> None:
    """Whatever a second try cuts otherwise, or does again: it is the very same."""
    undisturbed = await judged(flight(RISE))
    world = World()
    world.send(flight(RISE))
    with pytest.raises(Killed):
        await world.worker(dies_at(point), alarm=AT_ONCE).service.process(world.everything())
    assert len(world.publisher.evidence) == (point is not Point.CONCLUDED)
    assert len(world.publisher.alerts) == (point is Point.PUBLISHED)

    successor = world.worker(alarm=AT_ONCE)
    for first in range(0, len(RISE), batch):
        last = min(first + batch, len(RISE))
        await successor.service.process(world.fetch({0: (first, last)}))

    assert {alert.alert_id for alert in world.publisher.alerts} == {
        alert.alert_id for alert in undisturbed.publisher.alerts
    }
    assert {item.to_json() for item in world.publisher.evidence} == {
        item.to_json() for item in undisturbed.publisher.evidence
    }


@pytest.mark.parametrize("point", [Point.EVIDENCE_PUBLISHED, Point.INTENDED, Point.PUBLISHED])
@pytest.mark.parametrize(
    "thresholds", [Thresholds(99.0, 100.0), Thresholds(1.5, 3.0), Thresholds(1.0, 2.0)]
)
async def test_under_other_thresholds_each_alert_still_has_its_own(
    point: Point, thresholds: Thresholds
) -> None:
    """An alert that is adopted was noted after its evidence was published."""
    world = World()
    world.send(flight(RISE))
    with pytest.raises(Killed):
        await world.worker(dies_at(point), alarm=AT_ONCE).service.process(world.everything())

    other = MeanScorer(thresholds=thresholds)
    await world.worker(alarm=AT_ONCE, scorer=other).service.process(world.everything())

    evidence = {item.evidence_id for item in world.publisher.evidence}
    assert {derive_evidence_id(alert) for alert in world.publisher.alerts} <= evidence


class Wide(MeanScorer):
    """Looks at very many channels for a long time."""

    def __init__(self, channels: int, length: int) -> None:
        machine = MachineType(
            name="wide",
            window=Window(length=length),
            channels=tuple(Channel(name=f"{number:04}" + 60 * "\N{SNOWMAN}", unit="°R" * 9)
                           for number in range(channels)),
        )  # fmt: skip
        super().__init__(machine=machine)

    def normalise(self, conditions: Any, channels: Any) -> Any:
        """Know every reading."""
        return super().normalise(channels[:, :1] * 0.0, channels)


@pytest.mark.parametrize(
    ("channels", "length", "kept"),
    [
        pytest.param(1000, 40, 16, id="most channels"),
        pytest.param(20, 2000, 819, id="a long window"),
        pytest.param(2, 9, 9, id="all"),
    ],
)
async def test_the_oldest_readings_are_left_out_where_all_would_not_fit(
    channels: int, length: int, kept: int
) -> None:
    scorer = Wide(channels, length)
    names, width = scorer.spec.channels, len(scorer.spec.channels)
    rows = np.random.default_rng(1).normal(0.5, 0.2, (length, width)).astype(np.float32)
    readings = [
        reading(cycle, 0.0).model_copy(
            update={"settings": {}, "sensors": dict(zip(names, row.tolist(), strict=True))}
        )
        for cycle, row in enumerate(rows * 1e3, 1)
    ]
    roomy = replace(INPUTS, max_reading_bytes=1_000_000)

    evidence = await only(await judged(readings, scorer=scorer, inputs=roomy))

    assert len(evidence.to_json()) <= MAX_EVIDENCE_BYTES
    assert (evidence.window.length, evidence.window.omitted) == (length, length - kept)
    assert evidence.window.cycles == tuple(range(length - kept + 1, length + 1))
    assert 2 * kept * channels <= MAX_VALUES
    for channel in evidence.channels:
        assert len(channel.values) == len(channel.expected) == kept


class Overflowing(MeanScorer):
    """Expects what is no number."""

    def expect(self, conditions: NDArray[np.float64], windows: NDArray[np.float32]) -> Expected:
        """Expect too much."""
        expected = super().expect(conditions, windows)
        expected.values[:, 0] = np.inf
        return expected


async def test_what_a_model_cannot_reckon_is_left_open() -> None:
    evidence = await only(await judged(flight(RISE), scorer=Overflowing()))

    assert evidence.channels[0].expected == (None, 0.25, 0.25, 1.25)


async def test_of_readings_that_an_earlier_version_kept_nobody_knows_the_cycle() -> None:
    world = World()
    world.send(flight(RISE))
    worker = world.worker(alarm=AT_ONCE)
    await worker.service.process(world.fetch({0: (0, 4)}))
    read = await world.states.read([("engine-1", "run-1")], [])
    for key, state in read.states.items():
        world.states.values[key] = as_layout_5(state)

    await worker.service.process(world.fetch({0: (4, 7)}))

    evidence = await only(world)
    assert evidence.window.cycles == (None, None, None, 5)
    assert evidence.window.ts[:3] == (None, None, None)
    assert evidence.window.missing_before == (0, 0, 0, 0)
    assert series(evidence, "T24") == (0.5, 0.5, 0.5, 2.5)


async def test_quiet_readings_cost_no_evidence() -> None:
    class Curt(MeanScorer):
        def expect(self, conditions: Any, windows: Any) -> Any:
            raise AssertionError("nobody asked")

    world = await judged(flight([0.5] * 40), scorer=Curt(), batch=7)

    assert world.publisher.evidence == []


def test_slices_hold_all_cases_in_order() -> None:
    class Sized:
        def __init__(self, size: int) -> None:
            self.size = size

    cases: Any = [Sized(size) for size in (5, 5, 1, 30, 2)]

    assert [[case.size for case in part] for part in case_slices(cases, 10)] == [
        [5, 5],
        [1],
        [30],
        [2],
    ]
    assert list(case_slices([], 10)) == []
