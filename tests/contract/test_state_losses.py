"""On real servers, too: any keys lost or older, at any time, and nobody sees it."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.settings import RedisSettings
from detector.adapters.redis_state_store import RedisStateStore
from tests.support.stream_world import Seen, World
from tests.support.streams import Message, on_topic, streams
from tests.support.vandal import RedisVandal


async def disturbed(
    redis: RedisSettings, messages: Sequence[Message], partitions: int, largest: int, seed: int
) -> Seen:
    """Return what is seen of a stream while somebody takes and puts back keys."""
    prefix = f"{redis.key_prefix}:{uuid.uuid4().hex[:8]}"
    own = redis.model_copy(update={"key_prefix": prefix})
    vandal = RedisVandal(own, random.Random(seed), 0.2)
    try:
        async with RedisStateStore(own) as store:
            world = World(on_topic(messages, partitions), 1, store=store, at=vandal)
            return await world.take(random.Random(seed), largest)
    finally:
        vandal.close()


@pytest.mark.parametrize("kind", ["redis", "cluster"])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    messages=streams,
    partitions=st.sampled_from([1, 3]),
    largest=st.sampled_from([2, 7, 40]),
    seed=st.integers(0, 2**32),
)
def test_whatever_keys_are_lost_or_older_nobody_sees_it(
    request: pytest.FixtureRequest,
    kind: str,
    messages: list[Message],
    partitions: int,
    largest: int,
    seed: int,
) -> None:
    redis: RedisSettings = request.getfixturevalue(f"{kind}_settings")
    expected = asyncio.run(World(on_topic(messages, 1), 1).take_whole())

    seen = asyncio.run(disturbed(redis, messages, partitions, largest, seed))

    assert seen.everything() == expected.everything()
