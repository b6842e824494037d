"""Any keys of the state store lost or older, at any time: the same verdicts and alerts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stream_world import Seen, World, run
from tests.support.streams import Message, on_topic, streams
from tests.support.vandal import MemoryVandal


def undisturbed(messages: list[Message]) -> Seen:
    """Return what is seen of a stream when nothing is lost."""
    return run(World(on_topic(messages, 1), 1).take_whole())


@pytest.mark.parametrize("partitions", [1, 3])
@settings(max_examples=100)
@given(
    messages=streams,
    largest=st.sampled_from([1, 2, 7, 40]),
    eager=st.sampled_from([0.05, 0.3]),
    seed=st.integers(0, 2**32),
)
def test_whatever_keys_are_lost_or_older_nobody_sees_it(
    messages: list[Message], partitions: int, largest: int, eager: float, seed: int
) -> None:
    vandals: list[MemoryVandal] = []
    world = World(on_topic(messages, partitions), 1, at=lambda point: vandals[0](point))
    vandals.append(MemoryVandal(world.states, random.Random(seed), eager))

    seen = run(world.take(random.Random(seed), largest))

    assert seen.everything() == undisturbed(messages).everything()
