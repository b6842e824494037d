"""What every state store promises: the fake that unit tests trust, and the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from structlog.testing import capture_logs

from common.errors import BackendUnavailableError
from common.settings import RedisSettings
from common.topics import StateKeys
from deploy.local.programs import free_port, valkey_command
from detector.adapters.memory import MemoryStateStore
from detector.adapters.redis_state_store import RedisStateStore
from detector.core.intent import Intent, NextIntent
from detector.core.pipeline import NextState
from detector.core.progress import Mark, NextProgress, Progress
from detector.core.state import AssetState, Fence, fresh_state
from detector.ports import StateStore, Stored
from tests.support.backends import build, server
from tests.support.builders import MeanScorer, fleet_of

SPEC = MeanScorer().spec
WIDTH = SPEC.machine.row_width
KEY = ("engine-1", "run-1")


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[StateStore]:
    if request.param == "memory":
        yield MemoryStateStore()
        return
    async with RedisStateStore(request.getfixturevalue("redis_settings")) as real:
        yield real


Plant = Callable[[str, bytes], Awaitable[None]]


@pytest.fixture
def plant(store: StateStore, request: pytest.FixtureRequest) -> Plant:
    """Put a value under a name of ours, as somebody else would."""

    async def into(what: str, value: bytes) -> None:
        if isinstance(store, MemoryStateStore):
            if what == "state":
                store.values[KEY] = value
            else:
                {"progress": store.progress, "intent": store.intents}[what][0] = value
            return
        settings: RedisSettings = request.getfixturevalue("redis_settings")
        keys = StateKeys(settings.key_prefix)
        name = {
            "state": keys.asset_state(*KEY),
            "progress": keys.progress(0),
            "intent": keys.intent(0),
        }[what]
        async with Redis.from_url(settings.url.get_secret_value()) as redis:
            await redis.set(name, value)

    return into


def _raising(error: Exception) -> Callable[..., Awaitable[None]]:
    async def call(*_: object, **__: object) -> None:
        raise error

    return call


def state(next_offset: int, last_cycle: int = 1, partition: int = 0) -> AssetState:
    return replace(
        fresh_state(fleet_of(MeanScorer())),
        ring=np.full((2, WIDTH), last_cycle, np.float32),
        last_cycle=last_cycle,
        fence=Fence(partition, next_offset),
    )


async def test_what_is_written_is_read_and_the_unknown_is_left_out(store: StateStore) -> None:
    assert await store.write({KEY: NextState(state(10, 7), Fence())}, {}) == []

    read = (await store.read([KEY, ("engine-2", "run-1")], [])).states

    assert list(read) == [KEY]
    assert read[KEY].last_cycle == 7
    np.testing.assert_array_equal(read[KEY].ring, np.full((2, WIDTH), 7, np.float32))


async def test_nothing_is_read_or_written_for_nothing(store: StateStore) -> None:
    assert await store.read([], []) == Stored({}, {})
    assert await store.write({}, {}) == []


async def test_a_worker_cannot_overwrite_its_successor(store: StateStore) -> None:
    await store.write({KEY: NextState(state(10), Fence())}, {})
    await store.write({KEY: NextState(state(20, 2), Fence(0, 10))}, {})

    refused = await store.write({KEY: NextState(state(15, 9), Fence(0, 10))}, {})

    assert refused == [KEY]
    assert (await store.read([KEY], [])).states[KEY].last_cycle == 2


async def test_one_stale_state_does_not_hold_up_the_others(store: StateStore) -> None:
    other = ("engine-2", "run-1")
    await store.write({KEY: NextState(state(20), Fence())}, {})

    refused = await store.write(
        {KEY: NextState(state(15), Fence(0, 10)), other: NextState(state(5, 4), Fence())}, {}
    )

    assert refused == [KEY]
    assert (await store.read([other], [])).states[other].last_cycle == 4


async def test_a_retry_of_a_write_that_had_arrived_is_accepted(store: StateStore) -> None:
    change = {KEY: NextState(state(10), Fence())}

    assert await store.write(change, {}) == []
    assert await store.write(change, {}) == []


async def test_an_asset_that_moved_to_another_partition_goes_on(store: StateStore) -> None:
    await store.write({KEY: NextState(state(900), Fence())}, {})

    moved = NextState(state(3, 8, partition=5), Fence(0, 900))

    assert await store.write({KEY: moved}, {}) == []
    assert (await store.read([KEY], [])).states[KEY].fence == Fence(5, 3)


async def test_a_thousand_assets_go_in_and_come_out(store: StateStore) -> None:
    keys = [(f"engine-{number}", "run-1") for number in range(1000)]

    await store.write({key: NextState(state(1, n + 1), Fence()) for n, key in enumerate(keys)}, {})
    read = (await store.read(keys, [])).states

    assert [read[key].last_cycle for key in keys] == list(range(1, 1001))


async def test_progress_is_stored_and_read_by_partition(store: StateStore) -> None:
    await store.write(
        {}, {3: NextProgress(Progress(120), None), 0: NextProgress(Progress(7), None)}
    )

    assert (await store.read([KEY], [0, 1, 3])).progress == {0: Progress(7), 3: Progress(120)}


async def test_progress_goes_on_only_from_what_was_expected(store: StateStore) -> None:
    await store.write({}, {0: NextProgress(Progress(10), None)})
    await store.write({}, {0: NextProgress(Progress(20), Progress(10))})
    await store.write({}, {0: NextProgress(Progress(15), Progress(10))})
    await store.write({}, {0: NextProgress(Progress(20), Progress(10))})

    assert (await store.read([], [0])).progress == {0: Progress(20)}


async def test_a_store_that_lost_its_data_keeps_no_progress(store: StateStore) -> None:
    await store.write(
        {KEY: NextState(state(10), Fence(0, 5))}, {0: NextProgress(Progress(10), Progress(5))}
    )

    stored = await store.read([KEY], [0])

    assert stored.progress == {}
    assert stored.states[KEY].fence == Fence(0, 10)


PROGRESS = Progress(10, 2, Mark(9, 1_767_225_600_000, 0xBEEF), 40)


async def test_progress_is_stored_whole(store: StateStore) -> None:
    await store.write({}, {0: NextProgress(PROGRESS, None)})

    assert (await store.read([], [0])).progress == {0: PROGRESS}


async def test_what_is_about_to_be_published_is_noted_while_the_progress_is_as_expected(
    store: StateStore,
) -> None:
    first, second = Intent("rules", 2, 20, [], []), Intent("others", 2, 30, [], [])
    await store.write({}, {0: NextProgress(PROGRESS, None)})

    assert (
        list(await store.intend({0: NextIntent(first, PROGRESS), 1: NextIntent(first, None)})) == []
    )
    assert list(await store.intend({0: NextIntent(second, None)})) == [0]
    assert list(await store.intend({0: NextIntent(None, PROGRESS)})) == []
    assert list(await store.intend({0: NextIntent(None, Progress(11))})) == [0]

    assert (await store.read([], [0, 1])).intents == {0: first, 1: first}


async def test_nothing_is_noted_for_nothing(store: StateStore) -> None:
    assert list(await store.intend({})) == []


@pytest.mark.parametrize(
    "value", [b"", b"x", b"foreign value that is long enough for a fence", state(10).pack() + b"!"]
)
async def test_a_foreign_value_is_told_apart_and_can_be_replaced(
    store: StateStore, plant: Plant, value: bytes
) -> None:
    other = ("engine-2", "run-1")
    await store.write({other: NextState(state(5, 4), Fence())}, {0: NextProgress(PROGRESS, None)})
    await plant("state", value)

    stored = await store.read([KEY, other], [0])

    assert stored.states.keys() == {other}
    assert stored.progress == {0: PROGRESS}
    assert stored.unreadable.keys() == {KEY}
    assert await store.write({KEY: NextState(state(10, 7), stored.unreadable[KEY])}, {}) == []
    assert (await store.read([KEY], [])).states[KEY].last_cycle == 7


@pytest.mark.parametrize("value", [b"x", b"-5", b"7 0 - x", b"1 2 3:4 0", b"\xff"])
@pytest.mark.parametrize("what", ["progress", "intent"])
async def test_foreign_progress_is_as_good_as_none(
    store: StateStore, plant: Plant, what: str, value: bytes
) -> None:
    await plant(what, value)

    assert await store.read([], [0]) == Stored({}, {})

    await store.write({}, {0: NextProgress(PROGRESS, None)})
    intent = Intent("rules", 2, 20, [], [])
    assert list(await store.intend({0: NextIntent(intent, PROGRESS)})) == []
    assert (await store.read([], [0])).intents == {0: intent}


async def test_a_value_of_another_type_is_replaced(redis_settings: RedisSettings) -> None:
    keys = StateKeys(redis_settings.key_prefix)
    async with (
        Redis.from_url(redis_settings.url.get_secret_value()) as redis,
        RedisStateStore(redis_settings) as store,
    ):
        for name in (keys.asset_state(*KEY), keys.progress(0), keys.intent(0)):
            await redis.rpush(name, "a", "list")
        assert await store.read([KEY], [0]) == Stored({}, {})

        assert (
            await store.write(
                {KEY: NextState(state(10, 7), Fence())}, {0: NextProgress(PROGRESS, None)}
            )
            == []
        )
        intent = Intent("rules", 2, 20, [], [])
        assert list(await store.intend({0: NextIntent(intent, PROGRESS)})) == []

        stored = await store.read([KEY], [0])
        assert stored.states[KEY].last_cycle == 7
        assert (stored.progress, stored.intents) == ({0: PROGRESS}, {0: intent})


async def test_it_answers_a_ping(store: StateStore) -> None:
    await store.ping()


async def test_no_server_is_an_error_that_may_pass() -> None:
    settings = RedisSettings.model_validate(
        {"url": f"redis://127.0.0.1:{free_port()}/0", "op_timeout_s": 0.5}
    )

    async with RedisStateStore(settings) as store:
        with pytest.raises(BackendUnavailableError, match="could not read states"):
            await store.read([KEY], [])


async def test_an_error_of_the_network_itself_may_pass(
    redis_settings: RedisSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RedisStateStore(redis_settings) as store:
        monkeypatch.setattr(Redis, "execute_command", _raising(OSError("no route to host")))
        with pytest.raises(BackendUnavailableError, match="could not read states: no route"):
            await store.read([KEY], [])


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[RedisSettings]:
    """A server that was made the replica of one that is gone, with a state in it."""
    port = free_port()
    with server(build(lambda: valkey_command(port, tmp_path)), port, tmp_path / "log"):
        with SyncRedis(port=port) as admin:
            key = StateKeys("surgeline").asset_state(*KEY)
            admin.set(key, state(10, 7).pack())
            admin.replicaof("127.0.0.1", str(free_port()))
        yield RedisSettings.model_validate({"url": f"redis://127.0.0.1:{port}/0"})


async def test_a_read_only_replica_is_read_and_its_refusal_to_write_may_pass(
    replica: RedisSettings,
) -> None:
    async with RedisStateStore(replica) as store:
        assert (await store.read([KEY], [])).states[KEY].last_cycle == 7
        with pytest.raises(BackendUnavailableError, match=r"could not write states.*read only"):
            await store.write({KEY: NextState(state(20), Fence(0, 10))}, {})
        with pytest.raises(BackendUnavailableError, match=r"could not write states.*read only"):
            await store.write({}, {0: NextProgress(Progress(1), None)})
        with pytest.raises(BackendUnavailableError, match="Redis is a read-only replica"):
            await store.ping()


async def test_keys_are_of_the_prefix_and_expire(redis_settings: RedisSettings) -> None:
    async with RedisStateStore(redis_settings) as store:
        await store.write(
            {KEY: NextState(state(10), Fence())}, {3: NextProgress(Progress(10), None)}
        )

    async with Redis.from_url(redis_settings.url.get_secret_value()) as redis:
        found = {key async for key in redis.scan_iter(f"{redis_settings.key_prefix}:*")}
    assert found == {
        f"{redis_settings.key_prefix}:state:{{8:engine-1}}:run-1".encode(),
        f"{redis_settings.key_prefix}:progress:3".encode(),
    }


async def test_progress_expires_long_before_the_states_it_speaks_of(
    redis_settings: RedisSettings,
) -> None:
    async with RedisStateStore(redis_settings) as store:
        await store.write(
            {KEY: NextState(state(10), Fence())}, {0: NextProgress(Progress(10), None)}
        )

    keys = StateKeys(redis_settings.key_prefix)
    async with Redis.from_url(redis_settings.url.get_secret_value()) as redis:
        state_s = await redis.ttl(keys.asset_state(*KEY))
        progress_s = await redis.ttl(keys.progress(0))
    assert state_s == pytest.approx(redis_settings.state_ttl_s, abs=60)
    assert progress_s == pytest.approx(redis_settings.state_ttl_s / 2, abs=60)


@pytest.mark.parametrize(
    ("maxmemory", "policy", "warns"),
    [("100mb", "volatile-lru", True), ("100mb", "noeviction", False), ("0", "allkeys-lru", False)],
)
async def test_a_server_that_may_evict_states_is_warned_of(
    tmp_path: Path, maxmemory: str, policy: str, warns: bool
) -> None:
    port = free_port()
    limits = ["--maxmemory", maxmemory, "--maxmemory-policy", policy]
    command = build(lambda: [*valkey_command(port, tmp_path), *limits])
    settings = RedisSettings.model_validate({"url": f"redis://127.0.0.1:{port}/0"})
    with server(command, port, tmp_path / "log"), capture_logs() as logs:
        async with RedisStateStore(settings):
            pass

    assert [line["maxmemory_policy"] for line in logs] == ([policy] if warns else [])
