"""Recordings: naming engines as the producer does, choosing them, and unknown runs."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from common.errors import UserError
from detector.core.reading.decoding import decode
from detector.tools.recording import (
    NOMINAL_START,
    DatasetRecording,
    TopicRecording,
    check_found,
    unknown_run,
)
from producer.fleet import Fleet
from tests.support.builders import MeanScorer, fleets_of, reading, record
from tests.support.fleets import cut_short, fleet

DATASET = fleet(3)


def test_engines_are_named_and_read_as_the_producer_sends_them() -> None:
    units = (1, 3)
    sender = Fleet(DATASET, units, "night", NOMINAL_START, timedelta(seconds=1))
    sent = [
        decode(record(message.value, 0, key=message.key), fleets_of(MeanScorer()))
        for message in sender.messages(sender.slots())
    ]

    recording = DatasetRecording(DATASET, units, "night")
    read = [
        item.reading
        for batch in recording.batches(fleets_of(MeanScorer()))
        for decoded in batch.by_asset.values()
        for item in decoded
    ]

    assert recording.asset_id(3) == sender.asset_id(3)
    assert len(recording) == 2
    assert read == sorted(sent, key=lambda one: (one.asset_id, one.cycle))


def test_life_left_is_known_for_data_sets() -> None:
    dataset = cut_short(DATASET, np.array([10, 20, 30]))
    recording = DatasetRecording(dataset, (2,), "night")

    life = recording.life_left(recording.asset_id(2))

    assert life is not None
    assert (len(life), life[-1]) == (len(dataset.engines[1]), 20)
    assert recording.life_left(recording.asset_id(1)) is None


def test_a_topic_recording_leaves_other_runs_out() -> None:
    mine, other = reading(1, run_id="night"), reading(1, run_id="night-2")
    stream = [record(mine, 0), record(other, 1)]
    recording = TopicRecording("t", "night", {b"engine-1": stream}, frozenset({"night"}))

    [batch] = recording.batches(fleets_of(MeanScorer()))

    assert list(batch.by_asset) == [("engine-1", "night")]


def test_rejected_messages_belong_to_the_run_they_name() -> None:
    stream = [record(reading(1, run_id="night"), 0, key=b"wrong"), record(b"garbage night", 1)]
    recording = TopicRecording("t", "night", {b"wrong": stream})

    [batch] = recording.batches(fleets_of(MeanScorer()))

    assert (len(batch.rejected), len(batch.by_asset)) == (1, 0)


def test_an_unknown_run_names_the_nearest() -> None:
    recording = TopicRecording("t", "nihgt-1", {}, frozenset({"night-1", "day"}))

    with pytest.raises(UserError, match="Did you mean night-1"):
        check_found(recording)


def test_an_empty_topic_says_what_to_do() -> None:
    with pytest.raises(UserError, match="--source dataset"):
        check_found(TopicRecording("t", "night", {}))


def test_a_run_like_no_other_lists_some() -> None:
    assert "Did you mean a, b?" in str(unknown_run("zzzzzz", ["b", "a"], "it"))
    assert "no run at all" in str(unknown_run("zzzzzz", [], "it"))
