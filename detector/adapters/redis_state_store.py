"""Rings and alarm states in Redis or Valkey: one binary value per (asset, run).

One MGET reads a batch's states; one pipeline of a small script per key writes them, each refused
by the server itself if somebody else has gone on with the asset meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, TypeVar, cast

from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from common.errors import BackendError, BackendRefusedError, BackendUnavailableError, SettingsError
from common.logs import get_logger
from common.settings import RedisSettings
from common.tls import tls_refusal
from common.topics import StateKeys
from detector.adapters.redis_access import redis_access
from detector.adapters.stored_values import RawValues, packed_progress
from detector.core.intent import NextIntent
from detector.core.pipeline import AssetRun, NextState
from detector.core.progress import NextProgress
from detector.core.state import FENCE
from detector.ports import Stored

T = TypeVar("T")
Name = TypeVar("Name")
logger = get_logger(__name__)

KEEPS_ALL: Final = "noeviction"
"""The eviction policy under which a full server refuses writes, which are waited for."""

FENCED_SET: Final = f"""
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'string' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local stored = redis.call('GETRANGE', KEYS[1], 0, {FENCE.size - 1})
if #stored < {FENCE.size} then stored = '' end
if stored == '' or stored == ARGV[1] or stored == string.sub(ARGV[2], 1, {FENCE.size}) then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  return 1
end
return 0
"""
"""KEYS[1] the state's key; ARGV the expected fence, the new value, its time to live in s. A value
that is no text, or too short for a fence, is not of this program and is replaced."""


STRICT_SET: Final = """
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'string' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local stored = redis.call('GET', KEYS[1]) or ''
if stored == ARGV[1] or stored == ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  return 1
end
return 0
"""
"""KEYS[1] the key of a partition's progress; ARGV the expected value, the new one, its time to live
in s."""

INTEND: Final = """
local kind = redis.call('TYPE', KEYS[1])['ok']
local stored = ''
if kind == 'string' then stored = redis.call('GET', KEYS[1]) end
if stored ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) end
return 1
"""
"""KEYS the keys of a partition's progress and of its intent; ARGV the expected progress, the intent
or nothing, its time to live in s."""

REMOVE: Final = """
if redis.call('TYPE', KEYS[1])['ok'] ~= 'string' then return 0 end
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
"""KEYS[1] a key; ARGV[1] the value it is removed with, and no other."""

PROGRESS_LIFE: Final = 0.5
"""Part of a state's time to live that progress has. After an outage that long the progress is gone
before any state of an asset that still spoke, so they are rebuilt; the other way round the asset
would look new."""


class RedisStateStore:
    """States in Redis."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._keys = StateKeys(settings.key_prefix)
        login_and_tls = redis_access(settings)
        try:
            self._redis: Redis = Redis.from_url(
                settings.url.get_secret_value(),
                socket_timeout=settings.op_timeout_s,
                socket_connect_timeout=settings.op_timeout_s,
                **login_and_tls,
            )
        except ValueError:
            raise SettingsError(
                "SURGELINE_REDIS__URL is not a Redis URL. Expected redis://:PASSWORD@HOST:PORT/0, "
                "with @ : / in a password written %40 %3A %2F."
            ) from None  # what redis-py says shows parts of it

    async def __aenter__(self) -> Self:
        """Look whether the server may throw states away; it need not be there yet."""
        with suppress(BackendError):
            memory = await self._guarded(self._redis.info("memory"), "ask for its memory")
            policy = memory.get("maxmemory_policy", KEEPS_ALL)
            if memory.get("maxmemory") and policy != KEEPS_ALL:
                logger.warning(
                    "Redis may evict states, whose assets would then silently warm up again",
                    maxmemory_policy=policy,
                    expected=KEEPS_ALL,
                )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""
        await self._redis.aclose()

    async def read(self, keys: Sequence[AssetRun], partitions: Sequence[int]) -> Stored:
        """Return what is stored, in one round trip; progress that cannot be read is removed."""
        names = [self._keys.asset_state(*key) for key in keys]
        names += [self._keys.progress(partition) for partition in partitions]
        names += [self._keys.intent(partition) for partition in partitions]
        if not names:
            return Stored({}, {})
        values = cast(
            "list[bytes | None]", await self._guarded(self._redis.mget(names), "read states")
        )
        progress = len(keys)
        intents = progress + len(partitions)
        raw = RawValues(
            _there(keys, values[:progress]),
            _there(partitions, values[progress:intents]),
            _there(partitions, values[intents:]),
        )
        stored, foreign = raw.read()
        if any(foreign):
            await self._remove(
                [(self._keys.progress(item), raw.progress[item]) for item in foreign.progress]
                + [(self._keys.intent(item), raw.intents[item]) for item in foreign.intents]
            )
        return stored

    async def write(
        self, states: Mapping[AssetRun, NextState], progress: Mapping[int, NextProgress]
    ) -> Sequence[AssetRun]:
        """Store what is still the next one, in one round trip; return the states that are not."""
        if not states and not progress:
            return []
        ttl_s = str(self._settings.state_ttl_s)
        pipeline = self._redis.pipeline(transaction=False)
        for key, item in states.items():
            name = self._keys.asset_state(*key)
            pipeline.eval(FENCED_SET, 1, name, item.expected.pack(), item.state.pack(), ttl_s)
        for partition, step in progress.items():
            name, expected = self._keys.progress(partition), packed_progress(step.expected)
            pipeline.eval(STRICT_SET, 1, name, expected, step.progress.pack(), self._life_s)
        written = await self._guarded(pipeline.execute(), "write states")
        return [key for key, stored in zip(states, written, strict=False) if not stored]

    async def intend(self, intents: Mapping[int, NextIntent]) -> Collection[int]:
        """Note what is still to be done, in one round trip; return what has gone on."""
        if not intents:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        for partition, item in intents.items():
            names = self._keys.progress(partition), self._keys.intent(partition)
            value = b"" if item.intent is None else item.intent.pack()
            pipeline.eval(INTEND, 2, *names, packed_progress(item.expected), value, self._life_s)
        noted = await self._guarded(pipeline.execute(), "note what will be published")
        return [partition for partition, done in zip(intents, noted, strict=True) if not done]

    async def _remove(self, values: Sequence[tuple[str, bytes]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for name, value in values:
            pipeline.eval(REMOVE, 1, name, value)
        await self._guarded(pipeline.execute(), "remove foreign values")

    @property
    def _life_s(self) -> str:
        return str(int(self._settings.state_ttl_s * PROGRESS_LIFE))

    async def ping(self) -> None:
        """Return when the server answers and would take a write."""
        info = await self._guarded(self._redis.info("replication"), "ask the server's role")
        if info.get("role") == "slave":
            raise BackendUnavailableError("Redis is a read-only replica.")

    async def _guarded(self, call: Awaitable[T], what: str) -> T:
        try:
            return await call
        except RedisError as exc:
            raise _translated(exc, what) from exc
        except OSError as exc:
            raise BackendUnavailableError(f"Redis: could not {what}: {exc}") from exc


def _there(names: Sequence[Name], values: Sequence[bytes | None]) -> dict[Name, bytes]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _translated(exc: RedisError, what: str) -> BackendError:
    if (why := tls_refusal(exc)) is not None:
        return BackendRefusedError(f"Redis: could not {what}: no connection: {why}.")
    message = f"Redis: could not {what}: {exc}"
    if isinstance(exc, AuthenticationError | AuthorizationError | NoPermissionError):
        return BackendRefusedError(message)
    if isinstance(exc, RedisConnectionError | RedisTimeoutError):
        return BackendUnavailableError(message)
    # READONLY, OOM, LOADING, MISCONF and the like pass when the operator acts or time goes by;
    # nothing is lost by asking again.
    return BackendUnavailableError(message)
