"""Metrics: names written once, series that begin at 0, a histogram that takes a batch."""

from __future__ import annotations

import re
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from common.metering import names
from common.metering.batch_histogram import BatchHistogram
from common.metering.spec import MetricSpec

ALL_SPECS = {spec.name: spec for spec in chain.from_iterable(names.OF_ALL.values())}
BOUNDS = (0.001, 0.5, 1.0, 20.0)
each_spec = pytest.mark.parametrize("spec", ALL_SPECS.values(), ids=ALL_SPECS)


@given(
    st.lists(
        st.lists(st.sampled_from([*BOUNDS, 0.0, 0.7, 99.0]) | st.floats(-1e6, 1e6), max_size=20),
        max_size=4,
    )
)
def test_a_batch_counts_as_its_values_one_by_one(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batch = BatchHistogram("x", "X.", BOUNDS, ours)
    single = Histogram("x", "X.", buckets=BOUNDS, registry=theirs)

    for values in batches:
        batch.observe_many(np.array(values, np.float64))
        for value in values:
            single.observe(value)

    for bound in ("0.001", "0.5", "1.0", "20.0", "+Inf"):
        found = [r.get_sample_value("x_bucket", {"le": bound}) for r in (ours, theirs)]
        assert found[0] == found[1]
    assert ours.get_sample_value("x_count") == theirs.get_sample_value("x_count")
    total = theirs.get_sample_value("x_sum")
    assert ours.get_sample_value("x_sum") == pytest.approx(total, rel=1e-9, abs=1e-6)


def test_a_page_shows_a_batch_histogram_as_any_other() -> None:
    registry = CollectorRegistry()
    BatchHistogram("x_seconds", "X.", (1.0,), registry).observe_many(np.array([0.5, 7.0]))

    (family,) = text_string_to_metric_families(generate_latest(registry).decode())

    assert (family.name, family.type, family.documentation) == ("x_seconds", "histogram", "X.")
    assert {(s.name, s.labels.get("le"), s.value) for s in family.samples} == {
        ("x_seconds_bucket", "1.0", 1.0),
        ("x_seconds_bucket", "+Inf", 2.0),
        ("x_seconds_count", None, 2.0),
        ("x_seconds_sum", None, 7.5),
    }


@each_spec
def test_names_and_meanings_are_as_prometheus_wants_them(spec: MetricSpec) -> None:
    assert re.fullmatch(r"surgeline_[a-z0-9_]+", spec.name)
    assert not spec.name.endswith(("_total", "_bucket", "_sum", "_count"))
    assert spec.meaning.endswith(".")
    assert all(label.bound for label in spec.labels)


def test_every_entry_is_of_a_service() -> None:
    entries = {value for value in vars(names).values() if isinstance(value, MetricSpec)}

    assert entries == set(ALL_SPECS.values())
    assert len({spec.name for spec in entries}) == len(entries)


def test_what_is_known_beforehand_begins_at_0() -> None:
    registry = CollectorRegistry()
    names.DEAD_LETTERS.make(registry)
    names.ALERTS.make(registry)
    names.FLEET_VERDICTS.make(registry)

    for reason in names.REASON.values:
        assert registry.get_sample_value(names.DEAD_LETTERS.series, {"reason": reason}) == 0
    alert = {"state": "raised", "level": "critical"}
    assert registry.get_sample_value(names.ALERTS.series, alert) == 0
    page = generate_latest(registry).decode()
    assert f"{names.FLEET_VERDICTS.series}{{" not in page


def test_steps_that_blame_a_backend_are_steps() -> None:
    assert names.SINK_OF_STEP.keys() <= set(names.TRIED_STEPS)
    assert set(names.SINK_OF_STEP.values()) == set(names.SINKS)
