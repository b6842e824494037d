"""Assets that go on as they should are taken by array, and come to the same as one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.machines.rows import split_rows
from detector.core import steady as module
from detector.core.assembler import Assembled, assemble, lay_out
from detector.core.fleet import Fleet
from detector.core.pipeline import AssetRun, Decoded, decode_batch
from detector.core.policy import InputPolicy
from detector.core.reading.table import put_together
from detector.core.state.asset import AssetState, fresh_state
from detector.core.state.starts import Starts
from detector.core.steady import ReadingBatch, assemble_batch
from tests.support.builders import MeanScorer, fleet_of, reading, records
from tests.support.streams import (
    MAX_BYTES,
    ORDINARY,
    OUT_OF_STEP,
    USUAL,
    Message,
    WeighingScorer,
    on_topic,
    spelled_out,
    streams,
)

INPUTS = InputPolicy(MAX_BYTES, bridge_cycles=1, follow_after=3)
STEPS_AHEAD = sorted(USUAL)

_asset = st.tuples(st.sampled_from([f"engine-{n}" for n in range(6)]), st.just("run-1"))
mostly_sound = st.lists(
    st.one_of(
        *[st.tuples(_asset, st.sampled_from(STEPS_AHEAD), st.integers(1, 6), st.integers(-4, 4))]
        * 4,
        st.tuples(_asset, st.sampled_from(sorted(OUT_OF_STEP)), st.just(1), st.integers(-4, 4)),
    ).map(lambda drawn: (*drawn[0], *drawn[1:])),
    min_size=12,
    max_size=40,
).map(spelled_out)


def batches_of(
    messages: Sequence[Message], size: int, fleet: Fleet
) -> list[dict[AssetRun, list[Decoded]]]:
    stream = on_topic(messages, 1).records[0]
    decoded = [
        decode_batch(stream[at : at + size], {fleet.name: fleet}).by_asset
        for at in range(0, len(stream), size)
    ]
    return [{key: list(items) for key, items in batch.items()} for batch in decoded if batch]


@pytest.fixture(autouse=True, scope="module")
def few_at_once() -> Iterator[None]:
    """What is taken some at a time comes in more than one part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_AT_ONCE", 7)
        yield


def one_by_one(starts: Sequence[AssetState], batch: ReadingBatch, fleet: Fleet) -> list[Assembled]:
    """The definition."""
    machine = fleet.spec.machine
    found = []
    for asset, start in enumerate(starts):
        course = lay_out(start, batch.of(asset), machine, fleet.inputs)
        normalised = fleet.scorer.normalise(*split_rows(course.rows, len(machine.conditions)))
        follows = fleet.spec.knows_life
        found.append(assemble(course, normalised, machine.window.length, follows=follows))
    return found


def in_bits(value: object) -> object:
    """What two values must have in common to be the same to the bit."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, AssetState):
        return value.pack(), value.fleet, in_bits(value.marks.held)
    if isinstance(value, list | tuple | range):
        return [in_bits(each) for each in value]
    if isinstance(value, Exception):
        return repr(value)
    return value


def told(assembled: Assembled) -> dict[str, object]:
    fields = Assembled.__struct_fields__
    return {name: in_bits(getattr(assembled, name)) for name in fields if name != "marks"} | {
        "stamps": assembled.marks.stamps,
        "held": in_bits(assembled.marks.held),
    }


@pytest.mark.parametrize("scorer", [WeighingScorer, MeanScorer])
@settings(deadline=None, max_examples=25)
@given(messages=st.one_of(mostly_sound, streams), size=st.integers(1, 40))
def test_many_assets_at_once_come_to_the_same_as_one_by_one(
    scorer: Callable[[], MeanScorer], messages: list[Message], size: int
) -> None:
    fleet = fleet_of(scorer(), INPUTS)
    states: dict[AssetRun, AssetState] = {}
    for parts in batches_of(messages, size, fleet):
        starts = [states.get(key) or fresh_state(fleet) for key in parts]
        items = [item for mine in parts.values() for item in mine]
        counts = np.array([len(mine) for mine in parts.values()])
        batch = ReadingBatch(counts, put_together([items], fleet.spec.machine).readings)

        found = assemble_batch(Starts.of(starts, fleet), batch, fleet)

        expected = one_by_one(starts, batch, fleet)
        assert [told(one) for one in found.assets] == [told(one) for one in expected]
        windows = [one.windows for one in expected]
        assert in_bits(found.windows) == in_bits(np.concatenate(windows))
        assert in_bits(found.trail) == in_bits(np.concatenate([one.trail for one in expected]))
        conditions = len(fleet.spec.machine.conditions)
        for end, window in zip(found.ends.tolist(), found.windows, strict=True):
            rows = found.rows[end + 1 - len(window) : end + 1]
            normalised = fleet.scorer.normalise(*split_rows(rows, conditions))
            np.testing.assert_array_equal(normalised.rows, window)
        states |= {key: one.state for key, one in zip(parts, expected, strict=True)}


def test_who_goes_on_as_it_should_is_not_looked_at_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = fleet_of(WeighingScorer(), INPUTS)
    length = fleet.spec.window_length
    start = fresh_state(fleet)
    begun = records([reading(cycle, ORDINARY) for cycle in range(1, length + 1)])
    (items,) = decode_batch(begun, {fleet.name: fleet}).by_asset.values()
    readings = put_together([items], fleet.spec.machine).readings
    (first,) = assemble_batch(
        Starts.of([start], fleet), ReadingBatch.joined([readings]), fleet
    ).assets
    monkeypatch.delattr(module, "lay_out")

    further = records([reading(cycle, ORDINARY) for cycle in range(length + 1, length + 4)])
    (items,) = decode_batch(further, {fleet.name: fleet}).by_asset.values()
    batch = ReadingBatch.joined([put_together([items], fleet.spec.machine).readings] * 3)
    found = assemble_batch(Starts.of([first.state] * 3, fleet), batch, fleet)

    assert len(found.windows) == 9
    assert [one.state.last_cycle for one in found.assets] == [length + 3] * 3


def test_nobody_comes_to_nothing() -> None:
    fleet = fleet_of(WeighingScorer(), INPUTS)
    batch = ReadingBatch(np.empty(0, np.int64), put_together([], fleet.spec.machine).readings)

    found = assemble_batch(Starts.of([], fleet), batch, fleet)

    assert not found.assets
    assert found.windows.shape == (0, fleet.spec.window_length, len(fleet.spec.channels))
