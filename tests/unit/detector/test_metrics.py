"""What the detector counts: labels are bounded, whatever is sent; nothing costs per reading."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from types import FrameType

import prometheus_client
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from prometheus_client.metrics_core import Metric

from common.metering import names
from common.metering.spec import MetricSpec
from common.records.readings import SensorReading
from detector.core.fleet import Fleet
from detector.core.policy import InputPolicy
from detector.metrics import DetectorMetrics
from tests.support.builders import ALARM, INPUTS, MeanScorer, changed, fleets_of, reading, record
from tests.support.world import Worker, World

SPECS: Mapping[str, MetricSpec] = {spec.name: spec for spec in names.OF_DETECTOR}

OPEN_LABELS = {
    "fleet": {"default", "pumps", names.UNKNOWN_FLEET},
    "partition": {"0"},
    "model": {"mean"},
    "version": {"1", version("surgeline")},
    "sha256": {MeanScorer().spec.ref.sha256[:12]},
}
"""What the labels without a list can be here: of these two fleets, this partition, this model."""

hostile_text = st.text(max_size=20) | st.sampled_from(
    ["default", "pumps", "FD001", "\n", '"}', "a" * 64, "engine-1", "../..", "__all__"]
)
hostile_value = (
    hostile_text
    | st.none()
    | st.integers()
    | st.floats()
    | st.dictionaries(hostile_text, hostile_text | st.floats(), max_size=3)
)
FIELDS = (*(name for name in SensorReading.model_fields if name != "schema_version"), "status")


def two_fleets() -> dict[str, Fleet]:
    scorer = MeanScorer()
    return dict(fleets_of(scorer)) | {"pumps": Fleet("pumps", scorer, ALARM, INPUTS)}


def put(world: World, *values: bytes | None, key: bytes = b"engine-1") -> None:
    """Put messages on partition 0 with their asset's key: else all are refused for that alone."""
    there = world.topic.setdefault(0, [])
    for value in values:
        there.append(record(value, len(there), key=key))


def labelled(worker: Worker) -> Iterator[tuple[str, str, str]]:
    """(metric, label, value) of every sample on the page, but for the client's own."""
    family: Metric
    for family in worker.metrics.registry.collect():
        for sample in family.samples:
            if not family.name.startswith("process_"):
                for label, value in sample.labels.items():
                    if label != "le":
                        yield family.name, label, value


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.none(),
            st.dictionaries(st.sampled_from(FIELDS), hostile_value, min_size=1, max_size=2),
        ),
        max_size=12,
    )
)
def test_no_message_can_make_a_label(spoilt: list[bytes | dict[str, object] | None]) -> None:
    world = World()
    sound = [reading(cycle, 2.5) for cycle in range(1, 8)]
    world.send(sound)
    for fields in spoilt:
        if isinstance(fields, dict):
            asset = fields.get("asset_id", sound[-1].asset_id)
            key = str(asset).encode(errors="replace")
            put(world, changed(sound[-1], **{"cycle": 8} | fields), key=key)
        else:
            put(world, fields)
    worker = world.worker(fleets=two_fleets())
    worker.service.reassigned([0])

    asyncio.run(worker.service.process(replace(world.everything(), highwaters={0: 99, 7: 1})))

    assert worker.metric(names.READINGS.series) == len(sound) + len(spoilt)
    for metric, label, value in labelled(worker):
        spec = next(each for each in SPECS[metric].labels if each.name == label)
        assert value in (spec.values or OPEN_LABELS[label]), (metric, label, value)


def test_a_stranger_of_a_made_up_fleet_is_nobodys() -> None:
    world = World()
    put(world, changed(reading(1), fleet="ghost"))
    worker = world.worker(fleets=two_fleets())

    asyncio.run(worker.service.process(world.everything()))

    counted = {"fleet": names.UNKNOWN_FLEET, "status": "rejected"}
    assert worker.metric(names.FLEET_VERDICTS.series, **counted) == 1
    assert worker.metric(names.DEAD_LETTERS.series, reason="unknown_fleet") == 1


def calls_to_the_client(rows: int) -> int:
    """How many functions of the metrics library one batch of so many readings calls."""
    world = World()
    world.send([reading(cycle, 0.1) for cycle in range(1, rows + 1)])
    worker = world.worker()
    library = prometheus_client.__path__[0]
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.startswith(library)

    sys.setprofile(count)
    try:
        asyncio.run(worker.service.process(world.everything()))
    finally:
        sys.setprofile(None)
    return calls


def test_counting_costs_the_same_for_ten_readings_and_for_a_thousand() -> None:
    few, many = calls_to_the_client(10), calls_to_the_client(1000)

    assert few > 0
    assert abs(many - few) < 20  # other buckets may be found sooner or later


async def test_held_and_bridged_readings_are_counted() -> None:
    world = World()
    flight = [reading(cycle, 0.1) for cycle in (1, 2, 3, 5, 6)]
    blank = reading(7, 0.1)
    world.send(flight)
    put(world, changed(blank, sensors={**blank.sensors, "T24": None}))
    worker = world.worker(inputs=InputPolicy(max_reading_bytes=65_536, bridge_cycles=3))

    await worker.service.process(world.everything())

    assert worker.metric(names.HELD.series) == 1
    assert worker.metric(names.BRIDGED.series) == 1


async def test_lag_is_what_lies_behind_the_batch_and_only_of_our_own_partitions() -> None:
    world = World()
    world.send([reading(1)], partition=0)
    world.send([reading(1, asset_id="b")], partition=3)
    worker = world.worker()
    worker.service.reassigned([0, 3])

    await worker.service.process(replace(world.everything(), highwaters={0: 11, 3: 1}))
    assert worker.metric(names.LAG.series, partition="0") == 10
    assert worker.metric(names.LAG.series, partition="3") == 0
    assert worker.metric(names.PARTITIONS.series) == 2

    worker.service.reassigned([3])
    value = worker.metrics.registry.get_sample_value
    assert value(names.LAG.series, {"partition": "0"}) is None
    assert value(names.LAG.series, {"partition": "3"}) == 0


def test_a_batch_in_hand_counts_as_lag() -> None:
    world, metrics = World(), DetectorMetrics()
    world.send([reading(1), reading(2)])
    source = replace(world.everything(), highwaters={0: 2})
    metrics.owns([0])

    metrics.receives(source)
    assert metrics.registry.get_sample_value(names.LAG.series, {"partition": "0"}) == 2
    metrics.finishes(source)
    assert metrics.registry.get_sample_value(names.LAG.series, {"partition": "0"}) == 0


def test_a_failing_step_blames_its_backend_until_it_works() -> None:
    metrics = DetectorMetrics()
    value = metrics.registry.get_sample_value

    metrics.fails("write_scores")
    assert value(names.SINK_DOWN.series, {"sink": "score_store"}) == 1
    assert value(names.SINK_ERRORS.series, {"sink": "score_store"}) == 1
    assert value(names.SINK_DOWN.series, {"sink": "broker"}) == 0
    assert value(names.PAUSED.series) == 1
    metrics.works("write_scores", all_of_them=True)
    assert value(names.SINK_DOWN.series, {"sink": "score_store"}) == 0
    assert value(names.PAUSED.series) == 0


async def test_other_fleets_show_their_models_and_no_more_those_before() -> None:
    world = World()
    worker = world.worker()
    anew = fleets_of(MeanScorer(version="2"))

    worker.service.serve(anew)
    world.send([reading(1)])
    await worker.service.process(world.everything())

    models = {
        (sample.labels["fleet"], sample.labels["version"])
        for family in worker.metrics.registry.collect()
        if family.name == names.MODEL_INFO.name
        for sample in family.samples
    }
    assert models == {("default", "2")}


@pytest.mark.parametrize("stamp", [0, 1_767_225_600_000])
async def test_latency_counts_records_that_say_when_they_came(stamp: int) -> None:
    world = World()
    world.send([reading(1), reading(2)])
    source = world.everything()
    stamped = [structs.replace(record, published_ts_ms=stamp) for record in source.records]
    worker = world.worker()

    await worker.service.process(replace(source, records=stamped))

    assert worker.metric("surgeline_latency_seconds_count") == (2 if stamp else 0)
