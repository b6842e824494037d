"""A record that makes the program fail is set aside alone; a program that always fails ends."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.errors import BackendRefusedError
from detector.core.reading.source import SourceBatch, Span, dense
from detector.delivery import service
from detector.delivery.quarantine import MAX_IN_A_ROW
from detector.failpoints import Point
from models.scoring.history import Trail
from models.scoring.scorer import NormalisedRows, WindowScores
from tests.support.builders import MeanScorer, reading, record
from tests.support.world import World

POISON = 13.0


class Brittle(MeanScorer):
    """Fails over a certain value."""

    def normalise(
        self, settings: NDArray[np.float64], sensors: NDArray[np.float64]
    ) -> NormalisedRows:
        """Put on the scale, or fail."""
        if (sensors == POISON).any():
            raise ZeroDivisionError("poison")
        return super().normalise(settings, sensors)


class Broken(MeanScorer):
    """Takes readings, but can score no window."""

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        """Fail, if there is anything to score."""
        if len(windows):
            raise RuntimeError("no session")
        return super().score(windows, trail)


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(5, 40), max_size=4), st.sampled_from([1, 7, 100]))
async def test_only_the_records_at_fault_are_set_aside(poisoned: set[int], batch: int) -> None:
    world = World(scorer=Brittle())
    flight = [reading(cycle, POISON if cycle in poisoned else 0.5) for cycle in range(1, 41)]
    world.send(flight[:20], 0)
    world.send([item.model_copy(update={"asset_id": "engine-2"}) for item in flight], 1)
    worker = world.worker()
    for begin in range(0, 40, batch):
        spans = {
            number: (min(begin, size), min(begin + batch, size))
            for number, size in ((0, 20), (1, 40))
            if begin < size
        }
        await worker.service.process(world.fetch(spans))

    letters = world.publisher.dead_letters
    expected = {(0, cycle - 1) for cycle in poisoned if cycle <= 20}
    expected |= {(1, cycle - 1) for cycle in poisoned}
    assert {(at.partition, at.offset) for at in letters} == expected
    assert {at.reason for at in letters} <= {"internal_error"}
    assert all("ZeroDivisionError: poison" in at.message for at in letters)
    assert sum((await world.counts()).values()) == 60
    assert (await world.counts()).get("rejected", 0) == len(expected)


@pytest.mark.parametrize(
    ("scorer", "error"), [(Brittle(), ZeroDivisionError), (Broken(), RuntimeError)]
)
@pytest.mark.parametrize("batch", [1, 500])
async def test_a_program_that_fails_over_everything_ends(
    scorer: MeanScorer, error: type[Exception], batch: int
) -> None:
    world = World(scorer=scorer)
    world.send([reading(cycle, POISON) for cycle in range(1, 501)])
    worker = world.worker()

    async def take_all() -> None:
        for begin in range(0, 500, batch):
            await worker.service.process(world.fetch({0: (begin, begin + batch)}))

    with pytest.raises(error):
        await take_all()

    assert len(world.publisher.dead_letters) == MAX_IN_A_ROW


async def test_a_backend_that_refuses_is_no_records_fault() -> None:
    world = World()
    world.send([reading(cycle) for cycle in range(1, 9)])
    worker = world.worker()

    async def refuse(records: object, finals: object = ()) -> None:
        raise BackendRefusedError("wrong token")

    world.scores.write = refuse  # type: ignore[method-assign]
    with pytest.raises(BackendRefusedError):
        await worker.service.process(world.everything())

    assert world.publisher.dead_letters == []


STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=2, max_size=12)
"""Partitions, and how far each record lies behind the one before it."""


def laid_out(steps: list[tuple[int, int]], after: int, keys: int = 1) -> SourceBatch:
    """Return a batch of such records, some of one key, and spans that reach beyond them."""
    ends = {0: 0, 1: 0, 2: 0}
    records = []
    for number, (partition, ahead) in enumerate(sorted(steps, key=lambda step: step[0])):
        ends[partition] += ahead
        records.append(record(b"x", ends[partition], partition, key=b"k%d" % (number % keys)))
    whole = dense(records)
    spans = {n: Span(0, span.end + after) for n, span in whole.spans.items()}
    return SourceBatch(records, spans)


def assert_cut(whole: SourceBatch, parts: Sequence[SourceBatch]) -> None:
    """Assert that parts hold all records in their order, and cover all spans without a gap."""
    assert [item for part in parts for item in part.records] == [*whole.records]
    for part in parts:
        for item in part.records:
            span = part.spans[item.position.partition]
            assert span.begin <= item.position.offset < span.end
    for number, span in whole.spans.items():
        spans = [part.spans[number] for part in parts if number in part.spans]
        assert spans[0].begin == span.begin
        assert spans[-1].end == span.end
        assert all(one.end == two.begin for one, two in pairwise(spans))


@given(STEPS, st.integers(0, 5))
def test_halves_hold_all_records_and_cover_all_spans(
    steps: list[tuple[int, int]], after: int
) -> None:
    whole = laid_out(steps, after)

    assert_cut(whole, whole.halves())


@given(STEPS, st.integers(0, 5), st.integers(1, 12), st.integers(1, 12))
def test_parts_of_few_keys_hold_all_records_and_cover_all_spans(
    steps: list[tuple[int, int]], after: int, keys: int, most: int
) -> None:
    whole = laid_out(steps, after, keys)

    parts = [*whole.parts(most)]

    assert_cut(whole, parts)
    assert max(len({item.key for item in part.records}) for part in parts) <= most


async def test_of_many_assets_some_are_carried_out_before_the_next_are_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "MOST_ASSETS", 3)
    world = World()
    for number in range(8):
        named = {"asset_id": f"engine-{number}"}
        world.send([reading(cycle).model_copy(update=named) for cycle in range(1, 9)], 0)
    known: list[int] = []

    def look(point: Point) -> None:
        if point is Point.STATES_WRITTEN:
            known.append(len(world.states.values))

    await world.worker(look).service.process(world.everything())

    assert [after - before for before, after in pairwise([0, *known])] == [2, 2, 2, 2]
    assert len(await world.rows()) == 64
