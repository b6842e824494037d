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

from common.errors import BackendRefusedError, BackendUnavailableError
from common.settings import RedisSettings
from common.topics import StateKeys
from deploy.local.programs import free_port, valkey_command
from detector.adapters.memory import MemoryStateStore
from detector.adapters.redis_state_store import RedisStateStore
from detector.core.pipeline import NextState
from detector.core.state import AssetState, Fence, fresh_state, model_digest
from detector.ports import NextProgress, StateStore, Stored
from tests.support.backends import build, server

MODEL = model_digest("ab" * 32)
KEY = ("engine-1", "run-1")


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[StateStore]:
    if request.param == "memory":
        yield MemoryStateStore(MODEL, 3)
        return
    async with RedisStateStore(request.getfixturevalue("redis_settings"), MODEL, 3) as real:
        yield real


def _raising(error: Exception) -> Callable[..., Awaitable[None]]:
    async def call(*_: object, **__: object) -> None:
        raise error

    return call


def state(next_offset: int, last_cycle: int = 1, partition: int = 0) -> AssetState:
    return replace(
        fresh_state(MODEL, 3),
        ring=np.full((2, 3), last_cycle, np.float32),
        last_cycle=last_cycle,
        fence=Fence(partition, next_offset),
    )


async def test_what_is_written_is_read_and_the_unknown_is_left_out(store: StateStore) -> None:
    assert await store.write({KEY: NextState(state(10, 7), Fence())}, {}) == []

    read = (await store.read([KEY, ("engine-2", "run-1")], [])).states

    assert list(read) == [KEY]
    assert read[KEY].last_cycle == 7
    np.testing.assert_array_equal(read[KEY].ring, np.full((2, 3), 7, np.float32))


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
    await store.write({}, {3: NextProgress(120, None), 0: NextProgress(7, None)})

    assert (await store.read([KEY], [0, 1, 3])).progress == {0: 7, 3: 120}


async def test_progress_goes_on_only_from_what_was_expected(store: StateStore) -> None:
    await store.write({}, {0: NextProgress(10, None)})
    await store.write({}, {0: NextProgress(20, 10)})
    await store.write({}, {0: NextProgress(15, 10)})
    await store.write({}, {0: NextProgress(20, 10)})

    assert (await store.read([], [0])).progress == {0: 20}


async def test_a_store_that_lost_its_data_keeps_no_progress(store: StateStore) -> None:
    await store.write({KEY: NextState(state(10), Fence(0, 5))}, {0: NextProgress(10, 5)})

    stored = await store.read([KEY], [0])

    assert stored.progress == {}
    assert stored.states[KEY].fence == Fence(0, 10)


async def test_it_answers_a_ping(store: StateStore) -> None:
    await store.ping()


async def test_no_server_is_an_error_that_may_pass() -> None:
    settings = RedisSettings.model_validate(
        {"url": f"redis://127.0.0.1:{free_port()}/0", "op_timeout_s": 0.5}
    )

    async with RedisStateStore(settings, MODEL, 3) as store:
        with pytest.raises(BackendUnavailableError, match="could not read states"):
            await store.read([KEY], [])


async def test_an_error_of_the_network_itself_may_pass(
    redis_settings: RedisSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RedisStateStore(redis_settings, MODEL, 3) as store:
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
    async with RedisStateStore(replica, MODEL, 3) as store:
        assert (await store.read([KEY], [])).states[KEY].last_cycle == 7
        with pytest.raises(BackendUnavailableError, match=r"could not write states.*read only"):
            await store.write({KEY: NextState(state(20), Fence(0, 10))}, {})
        with pytest.raises(BackendUnavailableError, match=r"could not write states.*read only"):
            await store.write({}, {0: NextProgress(1, None)})
        with pytest.raises(BackendUnavailableError, match="Redis is a read-only replica"):
            await store.ping()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("state", b"", id="an empty state"),
        pytest.param("state", b"somebody else's", id="a foreign state"),
        pytest.param("state", b"\xff" * 70, id="a foreign state of the right size"),
        pytest.param("progress", b"soon", id="a foreign progress"),
        pytest.param("progress", b"1.5", id="a fraction for a progress"),
    ],
)
async def test_a_foreign_value_is_refused_with_what_to_do(
    redis_settings: RedisSettings, name: str, value: bytes
) -> None:
    keys = StateKeys(redis_settings.key_prefix)
    key = keys.asset_state(*KEY) if name == "state" else keys.progress(0)
    async with Redis.from_url(redis_settings.url.get_secret_value()) as redis:
        await redis.set(key, value)

    async with RedisStateStore(redis_settings, MODEL, 3) as store:
        with pytest.raises(BackendRefusedError, match="SURGELINE_REDIS__KEY_PREFIX") as caught:
            await store.read([KEY], [0])

    assert repr(redis_settings.key_prefix) in str(caught.value)


async def test_keys_are_of_the_prefix_and_expire(redis_settings: RedisSettings) -> None:
    async with RedisStateStore(redis_settings, MODEL, 3) as store:
        await store.write({KEY: NextState(state(10), Fence())}, {3: NextProgress(10, None)})

    async with Redis.from_url(redis_settings.url.get_secret_value()) as redis:
        found = {key async for key in redis.scan_iter(f"{redis_settings.key_prefix}:*")}
    assert found == {
        f"{redis_settings.key_prefix}:state:{{8:engine-1}}:run-1".encode(),
        f"{redis_settings.key_prefix}:progress:3".encode(),
    }


async def test_progress_expires_long_before_the_states_it_speaks_of(
    redis_settings: RedisSettings,
) -> None:
    async with RedisStateStore(redis_settings, MODEL, 3) as store:
        await store.write({KEY: NextState(state(10), Fence())}, {0: NextProgress(10, None)})

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
        async with RedisStateStore(settings, MODEL, 3):
            pass

    assert [line["maxmemory_policy"] for line in logs] == ([policy] if warns else [])
