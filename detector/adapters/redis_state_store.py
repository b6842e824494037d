"""Rings and alarm states in Redis or Valkey: one binary value per (asset, run).

One round trip reads a batch's states, progress and ledgers; one or, of many, a few write them. The
server itself refuses what is written if somebody else has gone on with the asset meanwhile. In
a cluster, a round trip is one to each node at the same time, with one command for each slot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import Final, Self, TypeVar

from common.errors import BackendError, BackendUnavailableError, SettingsError
from common.links.redis_link import (
    IS_CLUSTER,
    OPEN_ERRORS,
    Command,
    information,
    open_client,
    run,
    tag_of,
    translated,
)
from common.logs import get_logger
from common.settings import RedisSettings
from common.topics import StateKeys
from detector.adapters.redis_scripts import (
    FENCED_SETS,
    FORGET,
    INTEND,
    INTENT_FIELD,
    PROGRESS_FIELD,
    READ_RECORD,
    SET_HEAD,
    WRITE_RECORD,
)
from detector.adapters.stored_values import (
    RawValues,
    packed_entries,
    packed_progress,
    read_ledger,
)
from detector.core.intent import NextIntent
from detector.core.ledger import Ledger, entries, entry_name
from detector.core.next_states import NextStates
from detector.core.pipeline import AssetRun, NextState
from detector.core.state.progress import NextProgress
from detector.ports import Stored

T = TypeVar("T")
logger = get_logger(__name__)

KEEPS_ALL: Final = "noeviction"
"""The eviction policy under which a full server refuses writes, which are waited for."""

PROGRESS_LIFE: Final = 0.5
"""Part of a state's time to live that progress has. After an outage that long the progress is gone
before any state of an asset that still spoke, so they are rebuilt; the other way round the asset
would look new."""

ENTRY_LIFE: Final = 0.9
"""Part of a state's time to live after which a state that is not there has expired, and is not
lost."""

KEYS_AT_ONCE: Final = 200
"""States written by one script: 0.7 MB, a millisecond in which the server does nothing else."""

STATES_A_TRIP: Final = 400
"""States on their way at once: 1.3 MB, which the client and its socket hold three times. A batch of
2,000 takes 5 round trips, and 20 MB less."""

NO_ASSETS: Final[Mapping[int, Sequence[AssetRun]]] = MappingProxyType({})


def _trips(groups: Sequence[Sequence[AssetRun]]) -> list[list[Sequence[AssetRun]]]:
    """Return which groups are written in one round trip, trip by trip; at least one."""
    trips: list[list[Sequence[AssetRun]]] = [[]]
    for group in groups:
        if sum(map(len, trips[-1])) + len(group) > STATES_A_TRIP and trips[-1]:
            trips.append([])
        trips[-1].append(group)
    return trips


class RedisStateStore:
    """States in Redis, on one server or in a cluster."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._keys = StateKeys(settings.key_prefix, settings.cluster)
        self._redis = open_client(settings)

    async def __aenter__(self) -> Self:
        """Look whether the server is what the settings say; it need not be there yet.

        Raises:
            SettingsError: If it is a cluster's node and the settings do not say so.
        """
        with suppress(BackendError):
            if not self._settings.cluster:
                (server,) = await self._guarded(information(self._redis, "cluster"), "ask its kind")
                if server.get("cluster_enabled"):
                    await self._redis.aclose()
                    raise SettingsError(IS_CLUSTER)
            await self._warn_of_eviction()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""
        await self._redis.aclose()

    async def read(
        self,
        keys: Sequence[AssetRun],
        partitions: Sequence[int],
        speakers: Mapping[int, Sequence[AssetRun]] = NO_ASSETS,
    ) -> Stored:
        """Return what is stored, in one round trip; progress that cannot be read is removed."""
        groups = list(self._groups(keys))
        commands: list[Command] = [("MGET", *map(self._state, group)) for group in groups]
        for partition in partitions:
            names = map(entry_name, speakers.get(partition, ()))
            commands.append(self._on_record(READ_RECORD, partition, self._entry_life_s, *names))
        if not commands:
            return Stored({}, {})
        answers = await self._guarded(run(self._redis, commands), "read states")
        states = {
            key: value
            for group, values in zip(groups, answers, strict=False)
            for key, value in zip(group, values, strict=True)
            if value is not None
        }
        records = dict(zip(partitions, answers[len(groups) :], strict=True))
        raw = RawValues(
            states,
            {partition: found[0] for partition, found in records.items() if found[0]},
            {partition: found[1] for partition, found in records.items() if found[1]},
            {
                partition: dict(zip(speakers.get(partition, ()), found[2:], strict=True))
                for partition, found in records.items()
            },
        )
        stored, foreign = raw.read()
        if any(foreign):
            await self._forget(
                [(item, PROGRESS_FIELD, raw.progress[item]) for item in foreign.progress]
                + [(item, INTENT_FIELD, raw.intents[item]) for item in foreign.intents]
            )
        return stored

    async def write(
        self, states: Mapping[AssetRun, NextState], progress: Mapping[int, NextProgress]
    ) -> Sequence[AssetRun]:
        """Store what is still the next one; return the states that are not.

        One round trip, or more of many states: these are packed some at a time. Progress and
        ledgers go with the last ones, never before a state that they speak of.
        """
        refused: list[AssetRun] = []
        after = NextStates.of(states)
        *earlier, last = _trips(list(self._groups(list(after), KEYS_AT_ONCE)))
        for groups in earlier:
            refused += await self._set(groups, after, [])
        records = [
            self._on_record(
                WRITE_RECORD,
                partition,
                packed_progress(step.expected),
                step.progress.pack(),
                self._record_life_s,
                self._entry_life_s,
                *packed_entries(entries(after, partition) | dict(step.ledger)),
            )
            for partition, step in progress.items()
        ]
        return refused + await self._set(last, after, records)

    async def _set(
        self,
        groups: Sequence[Sequence[AssetRun]],
        states: NextStates,
        further: Sequence[Command],
    ) -> list[AssetRun]:
        """Store groups of states and do what goes with them; return the states refused."""
        sets = [self._fenced_sets(group, states) for group in groups]
        if not sets and not further:
            return []
        answers = await self._guarded(run(self._redis, [*sets, *further]), "write states")
        return [
            key
            for group, written in zip(groups, answers, strict=False)
            for key, done in zip(group, written, strict=True)
            if not done
        ]

    async def intend(self, intents: Mapping[int, NextIntent]) -> Collection[int]:
        """Note what is still to be done, in one round trip; return what has gone on."""
        if not intents:
            return []
        commands = [
            self._on_record(
                INTEND,
                partition,
                packed_progress(item.expected),
                b"" if item.intent is None else item.intent.pack(),
                self._record_life_s,
            )
            for partition, item in intents.items()
        ]
        noted = await self._guarded(run(self._redis, commands), "note what will be published")
        return [partition for partition, done in zip(intents, noted, strict=True) if not done]

    async def ledger(self, partition: int) -> Ledger:
        """Return the whole ledger of a partition."""
        name = self._keys.partition(partition)
        (fields,) = await self._guarded(run(self._redis, [("HGETALL", name)]), "read a ledger")
        return read_ledger(fields, partition)

    async def ping(self) -> None:
        """Return when the server answers and would take a write."""
        if self._settings.cluster:
            answer = await self._guarded(self._redis.execute_command("CLUSTER INFO"), "ask for it")
            if answer.get("cluster_state") != "ok":
                raise BackendUnavailableError("The Redis Cluster has slots that nobody serves.")
            return
        (info,) = await self._guarded(
            information(self._redis, "replication"), "ask the server's role"
        )
        if info.get("role") == "slave":
            raise BackendUnavailableError("Redis is a read-only replica.")

    async def _warn_of_eviction(self) -> None:
        for memory in await self._guarded(information(self._redis, "memory"), "ask for its memory"):
            policy = memory.get("maxmemory_policy", KEEPS_ALL)
            if memory.get("maxmemory") and policy != KEEPS_ALL:
                logger.warning(
                    "Redis may evict states, and each that is missing is rebuilt from the topic",
                    maxmemory_policy=policy,
                    expected=KEEPS_ALL,
                )
                return

    def _state(self, key: AssetRun) -> str:
        return self._keys.asset_state(*key, tag_of(key[0]) if self._settings.cluster else 0)

    def _groups(
        self, keys: Sequence[AssetRun], at_most: int = 1_000_000
    ) -> Iterator[Sequence[AssetRun]]:
        """Cut keys into those that one command can name."""
        by_tag: dict[int, list[AssetRun]] = {}
        for key in keys:
            by_tag.setdefault(tag_of(key[0]) if self._settings.cluster else 0, []).append(key)
        for group in by_tag.values():
            for first in range(0, len(group), at_most):
                yield group[first : first + at_most]

    def _fenced_sets(self, keys: Sequence[AssetRun], states: NextStates) -> Command:
        values, sizes = states.pack(keys)
        heads = [
            SET_HEAD.pack(states.expected[key].pack(), size)
            for key, size in zip(keys, sizes, strict=True)
        ]
        life_s, names = str(self._settings.state_ttl_s), map(self._state, keys)
        return ("EVAL", FENCED_SETS, len(keys), *names, life_s, b"".join(heads), values)

    def _on_record(self, script: str, partition: int, *arguments: str | bytes) -> Command:
        """Return a command on a partition's record; a single server knows the earlier keys."""
        names = [self._keys.partition(partition)]
        if not self._settings.cluster:
            names.append(self._keys.earlier_progress(partition))
            names.append(self._keys.earlier_intent(partition))
        return ("EVAL", script, len(names), *names, *arguments)

    async def _forget(self, values: Sequence[tuple[int, str, bytes]]) -> None:
        earlier = {PROGRESS_FIELD: "2", INTENT_FIELD: "3"}
        commands = [
            self._on_record(FORGET, partition, field, value, earlier[field])
            for partition, field, value in values
        ]
        await self._guarded(run(self._redis, commands), "remove foreign values")

    @property
    def _record_life_s(self) -> str:
        return str(int(self._settings.state_ttl_s * PROGRESS_LIFE))

    @property
    def _entry_life_s(self) -> str:
        return str(int(self._settings.state_ttl_s * ENTRY_LIFE))

    async def _guarded(self, call: Awaitable[T], what: str) -> T:
        try:
            return await call
        except OPEN_ERRORS as exc:
            raise translated(exc, what) from exc
