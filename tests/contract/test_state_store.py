"""What every state store promises: the fake that unit tests trust, and the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from pydantic import SecretStr
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.crc import key_slot
from structlog.testing import capture_logs

from common.errors import BackendRefusedError, BackendUnavailableError, SettingsError
from common.links.redis_link import Command, run
from common.settings import RedisSettings
from common.topics import HASH_TAGS, StateKeys
from deploy.local.programs import free_port, valkey_command
from detector.adapters import redis_scripts, redis_state_store
from detector.adapters.memory import MemoryStateStore
from detector.adapters.redis_scripts import INTENT_FIELD, PROGRESS_FIELD
from detector.adapters.redis_state_store import RedisStateStore
from detector.core.intent import Intent, NextIntent
from detector.core.pipeline import NextState
from detector.core.state.asset import AssetState, Fence, fresh_state
from detector.core.state.progress import Mark, NextProgress, Progress
from detector.ports import StateStore, Stored
from tests.support.builders import MeanScorer, fleet_of
from tests.support.servers.backends import build, server
from tests.support.servers.cluster import Cluster

SPEC = MeanScorer().spec
WIDTH = SPEC.machine.row_width
KEY = ("engine-1", "run-1")


@pytest.fixture(params=["memory", "redis", "cluster"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[StateStore]:
    if request.param == "memory":
        yield MemoryStateStore()
        return
    async with RedisStateStore(request.getfixturevalue(f"{request.param}_settings")) as real:
        yield real


class Tamper:
    """Puts values under names of ours, or takes them away, as somebody else would."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def plant(self, what: str, value: bytes) -> None:
        """Put a value in the place of a state, of progress, of an intent."""
        store = self._store
        if isinstance(store, MemoryStateStore):
            if what == "state":
                store.values[KEY] = value
            else:
                {"progress": store.progress, "intent": store.intents}[what][0] = value
            return
        assert isinstance(store, RedisStateStore)
        if what == "state":
            await store._redis.set(store._state(KEY), value)
            return
        name = {"progress": PROGRESS_FIELD, "intent": INTENT_FIELD}[what]
        await store._redis.hset(store._keys.partition(0), name, value)

    async def take(self, *keys: tuple[str, str]) -> None:
        """Take states away."""
        store = self._store
        if isinstance(store, MemoryStateStore):
            for key in keys:
                del store.values[key]
            return
        assert isinstance(store, RedisStateStore)
        for key in keys:
            assert await store._redis.delete(store._state(key)) == 1

    async def take_partition(self) -> None:
        """Take away what is known of partition 0."""
        store = self._store
        if isinstance(store, MemoryStateStore):
            del store.progress[0]
            return
        assert isinstance(store, RedisStateStore)
        assert await store._redis.delete(store._keys.partition(0)) == 1


@pytest.fixture
def tamper(store: StateStore) -> Tamper:
    return Tamper(store)


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


async def test_progress_waits_for_all_states_of_many_round_trips(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_state_store, "KEYS_AT_ONCE", 2)
    monkeypatch.setattr(redis_state_store, "STATES_A_TRIP", 4)
    keys = [(f"engine-{number}", "run-1") for number in range(15)]
    await store.write({keys[1]: NextState(state(90), Fence())}, {})
    sent: list[str] = []

    async def told(client: object, commands: Sequence[Command]) -> object:
        sent.extend(str(command[1]) for command in commands)
        return await run(client, commands)  # type: ignore[arg-type]  # whatever the store has

    monkeypatch.setattr(redis_state_store, "run", told)
    states = {key: NextState(state(number + 1), Fence(0, 7)) for number, key in enumerate(keys)}

    assert await store.write(states, {0: NextProgress(PROGRESS, None)}) == [keys[1]]

    if sent:
        assert sent.count(redis_scripts.WRITE_RECORD) == 1
        assert sent[-1] == redis_scripts.WRITE_RECORD
    stored = await store.read(keys, [0], {0: keys})
    assert [stored.states[key].fence.next_offset for key in keys] == [1, 90, *range(3, 16)]
    assert stored.progress[0] == PROGRESS
    assert len(stored.ledgers[0]) == 15


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
    store: StateStore, tamper: Tamper, value: bytes
) -> None:
    other = ("engine-2", "run-1")
    await store.write({other: NextState(state(5, 4), Fence())}, {0: NextProgress(PROGRESS, None)})
    await tamper.plant("state", value)

    stored = await store.read([KEY, other], [0])

    assert stored.states.keys() == {other}
    assert stored.progress == {0: PROGRESS}
    assert stored.unreadable.keys() == {KEY}
    assert await store.write({KEY: NextState(state(10, 7), stored.unreadable[KEY])}, {}) == []
    assert (await store.read([KEY], [])).states[KEY].last_cycle == 7


@pytest.mark.parametrize("value", [b"x", b"-5", b"7 0 - x", b"1 2 3:4 0", b"\xff"])
@pytest.mark.parametrize("what", ["progress", "intent"])
async def test_foreign_progress_is_as_good_as_none(
    store: StateStore, tamper: Tamper, what: str, value: bytes
) -> None:
    await tamper.plant(what, value)

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
        earlier = keys.earlier_progress(0), keys.earlier_intent(0)
        for name in (keys.asset_state(*KEY), keys.partition(0), *earlier):
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


OTHER = ("engine-2", "run-1")


async def ledger_of(store: StateStore, *keys: tuple[str, str]) -> dict[tuple[str, str], Fence]:
    """What is said of these assets when they are read with partition 0."""
    return dict((await store.read(list(keys), [0], {0: list(keys)})).ledgers.get(0, {}))


async def test_with_progress_the_ledger_says_how_far_each_state_was_written(
    store: StateStore, tamper: Tamper
) -> None:
    await store.write({KEY: NextState(state(10), Fence())}, {})
    assert await ledger_of(store, KEY) == {}

    elsewhere = NextState(state(7, partition=4), Fence())
    await store.write(
        {KEY: NextState(state(20), Fence(0, 10)), OTHER: elsewhere},
        {0: NextProgress(Progress(20), None)},
    )
    await tamper.take(KEY)

    assert await ledger_of(store, KEY, OTHER) == {KEY: Fence(0, 20)}
    assert await store.ledger(0) == {KEY: Fence(0, 20)}
    assert (await store.read([KEY, OTHER], [0])).ledgers.get(0, {}) == {}


async def test_the_ledger_speaks_of_a_state_that_was_left_alone_too(store: StateStore) -> None:
    await store.write({KEY: NextState(state(90), Fence())}, {})

    refused = await store.write(
        {KEY: NextState(state(20), Fence(0, 10))}, {0: NextProgress(Progress(20), None)}
    )

    assert refused == [KEY]
    assert await store.ledger(0) == {KEY: Fence(0, 20)}


async def test_the_ledger_is_written_with_progress_or_not_at_all(store: StateStore) -> None:
    await store.write({}, {0: NextProgress(Progress(10), None)})

    await store.write(
        {KEY: NextState(state(20), Fence())}, {0: NextProgress(Progress(20), Progress(9))}
    )

    assert await store.ledger(0) == {}


async def test_the_ledger_says_what_it_is_told_to(store: StateStore) -> None:
    names = ("a", "b:c"), ("a:b", "c"), ("größer", "run")
    states = {key: NextState(state(20), Fence()) for key in names}
    await store.write(states, {0: NextProgress(Progress(20), None)})

    told = {names[0]: None, names[1]: Fence(0, 5, 0)}
    await store.write({}, {0: NextProgress(Progress(5), Progress(20), told)})

    assert await store.ledger(0) == {names[1]: Fence(0, 5), names[2]: Fence(0, 20)}
    assert await ledger_of(store, *names) == await store.ledger(0)


async def test_the_ledger_is_lost_with_the_progress(store: StateStore, tamper: Tamper) -> None:
    await store.write({KEY: NextState(state(20), Fence())}, {0: NextProgress(Progress(20), None)})
    await tamper.take_partition()

    assert await ledger_of(store, KEY) == {}
    assert (await store.read([KEY], [0])).progress == {}
    await store.write({}, {0: NextProgress(Progress(0), None)})
    assert await store.ledger(0) == {}


async def test_a_ledger_whose_progress_is_foreign_is_dropped(
    store: StateStore, tamper: Tamper
) -> None:
    await store.write({KEY: NextState(state(20), Fence())}, {0: NextProgress(Progress(20), None)})
    await tamper.plant("progress", b"somebody else's")

    assert await ledger_of(store, KEY) == {}
    await store.write({}, {0: NextProgress(Progress(0), None)})
    assert await store.ledger(0) == {}


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
        monkeypatch.setattr(Pipeline, "execute", _raising(OSError("no route to host")))
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
        f"{redis_settings.key_prefix}:partition:3".encode(),
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
        progress_s = await redis.ttl(keys.partition(0))
    assert state_s == pytest.approx(redis_settings.state_ttl_s, abs=60)
    assert progress_s == pytest.approx(redis_settings.state_ttl_s / 2, abs=60)


async def test_what_earlier_versions_knew_of_a_partition_is_taken_over(
    redis_settings: RedisSettings,
) -> None:
    keys, intent = StateKeys(redis_settings.key_prefix), Intent("rules", 2, 60, [], [])
    earlier = keys.earlier_progress(0), keys.earlier_intent(0)
    async with (
        Redis.from_url(redis_settings.url.get_secret_value()) as redis,
        RedisStateStore(redis_settings) as store,
    ):
        await redis.set(earlier[0], PROGRESS.pack())
        await redis.set(earlier[1], intent.pack())

        stored = await store.read([], [0])
        assert (stored.progress, stored.intents) == ({0: PROGRESS}, {0: intent})
        assert list(await store.intend({0: NextIntent(None, PROGRESS)})) == []
        await store.write({}, {0: NextProgress(Progress(11), Progress(10))})  # not from there
        assert await redis.exists(*earlier) == 2

        await store.write({}, {0: NextProgress(Progress(50, 2), PROGRESS)})
        stored = await store.read([], [0])
        assert (stored.progress, stored.intents) == ({0: Progress(50, 2)}, {0: intent})
        assert await redis.exists(*earlier) == 0


async def test_an_entry_is_dropped_when_its_state_has_expired(
    redis_settings: RedisSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_state_store, "ENTRY_LIFE", 3 / 60)  # of 60 s
    settings = redis_settings.model_copy(update={"state_ttl_s": 60})
    first, second = NextProgress(Progress(20), None), NextProgress(Progress(21), Progress(20))
    async with RedisStateStore(settings) as store:
        await store.write({KEY: NextState(state(20), Fence())}, {0: first})
        assert await ledger_of(store, KEY) == {KEY: Fence(0, 20)}

        async with asyncio.timeout(30):
            while await ledger_of(store, KEY):  # noqa: ASYNC110 - the server's clock goes on
                await asyncio.sleep(0.1)
        assert await store.ledger(0) == {KEY: Fence(0, 20)}
        await store.write({OTHER: NextState(state(21), Fence())}, {0: second})
        assert await store.ledger(0) == {OTHER: Fence(0, 21)}


async def test_a_batch_of_a_thousand_assets_needs_few_commands(
    cluster_settings: RedisSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    async def counted(client: object, commands: Sequence[Command]) -> list[object]:
        sent.append(len(commands))
        return await run(client, commands)  # type: ignore[arg-type]

    monkeypatch.setattr(redis_state_store, "run", counted)
    keys = [(f"engine-{number}", "run-1") for number in range(1000)]
    async with RedisStateStore(cluster_settings) as store:
        await store.write({key: NextState(state(1), Fence()) for key in keys}, {})
        assert len((await store.read(keys, [0, 1], {0: keys})).states) == 1000

    *writes, read = sent
    assert sum(writes) == HASH_TAGS  # one for each slot, in as many round trips as bytes need
    assert len(writes) == 3
    assert read == HASH_TAGS + 2


async def test_a_node_of_a_cluster_is_told_apart_in_one_line(
    cluster_settings: RedisSettings,
) -> None:
    single = cluster_settings.model_copy(update={"cluster": False})

    with pytest.raises(SettingsError, match="Set SURGELINE_REDIS__CLUSTER=true") as caught:
        async with RedisStateStore(single):
            raise AssertionError("entered")

    assert "\n" not in str(caught.value)
    keys = [(f"engine-{number}", "run-1") for number in range(9)]
    late = RedisStateStore(single)  # the server was not there yet when it was asked
    with pytest.raises(BackendRefusedError, match="Set SURGELINE_REDIS__CLUSTER=true"):
        await late.read(keys, [0])
    await late.__aexit__(None, None, None)


async def test_a_single_server_is_no_cluster_in_one_line(redis_settings: RedisSettings) -> None:
    clustered = redis_settings.model_copy(update={"cluster": True})

    async with RedisStateStore(clustered) as store:
        with pytest.raises(BackendRefusedError, match="Leave SURGELINE_REDIS__CLUSTER unset") as no:
            await store.read([KEY], [0])

    assert "\n" not in str(no.value)


async def test_no_node_of_a_cluster_is_an_error_that_may_pass() -> None:
    settings = RedisSettings.model_validate(
        {
            "url": f"redis://127.0.0.1:{free_port()}/0",
            "cluster": True,
            "cluster_nodes": f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}",
            "op_timeout_s": 0.5,
        }
    )

    async with RedisStateStore(settings) as store:
        for _ in range(3):
            with pytest.raises(BackendUnavailableError, match="could not read states"):
                await store.read([KEY], [0])


async def test_any_node_will_do_to_find_a_cluster(valkey_nodes: Cluster) -> None:
    settings = valkey_nodes.settings("test:found").model_copy(
        update={"url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")}
    )

    async with RedisStateStore(settings) as store:
        await store.write({KEY: NextState(state(10, 7), Fence())}, {})
        assert (await store.read([KEY], [])).states[KEY].last_cycle == 7


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6379/3", "unix:///tmp/redis.sock"])
def test_a_cluster_has_one_database_and_no_socket(url: str) -> None:
    with pytest.raises(SettingsError, match="database 0 alone"):
        RedisStateStore(RedisSettings.model_validate({"url": url, "cluster": True}))


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


async def test_a_node_of_a_cluster_that_may_evict_states_is_warned_of(
    valkey_nodes: Cluster, cluster_settings: RedisSettings
) -> None:
    node = valkey_nodes.masters[1]
    node.ask("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")
    try:
        with capture_logs() as logs:
            async with RedisStateStore(cluster_settings):
                pass
    finally:
        node.ask("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction")

    assert [line["maxmemory_policy"] for line in logs] == ["allkeys-lru"]


async def test_slots_that_move_to_another_node_are_followed(
    valkey_nodes: Cluster, cluster_settings: RedisSettings
) -> None:
    keys = [(f"engine-{number}", "run-1") for number in range(200)]
    states = {key: NextState(state(10), Fence()) for key in keys}
    async with RedisStateStore(cluster_settings) as store:
        await store.write(states, {0: NextProgress(Progress(10), None)})
        names = [store._state(key) for key in keys] + [store._keys.partition(0)]
        valkey_nodes.move({key_slot(name.encode()) for name in names})

        stored = await store.read(keys, [0], {0: keys})

        assert stored.states.keys() == stored.ledgers[0].keys() == set(keys)
        later = {key: NextState(state(20), Fence(0, 10)) for key in keys}
        assert await store.write(later, {0: NextProgress(Progress(20), Progress(10))}) == []
