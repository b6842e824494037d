"""Rings and alarm states in Redis or Valkey: one binary value per (asset, run).

One MGET reads a batch's states; one pipeline of a small script per key writes them, each refused
by the server itself if somebody else has gone on with the asset meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
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
from common.topics import StateKeys
from detector.core.pipeline import AssetRun, NextState
from detector.core.state import FENCE, unpack
from detector.ports import NextProgress, Stored

T = TypeVar("T")
logger = get_logger(__name__)

KEEPS_ALL: Final = "noeviction"
"""The eviction policy under which a full server refuses writes, which are waited for."""

FENCED_SET: Final = f"""
local stored = redis.call('GETRANGE', KEYS[1], 0, {FENCE.size - 1})
if stored == '' or stored == ARGV[1] or stored == string.sub(ARGV[2], 1, {FENCE.size}) then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  return 1
end
return 0
"""
"""KEYS[1] the state's key; ARGV the expected fence, the new value, its time to live in s."""


STRICT_SET: Final = """
local stored = redis.call('GET', KEYS[1]) or ''
if stored == ARGV[1] or stored == ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
  return 1
end
return 0
"""
"""KEYS[1] the key of a partition's progress; ARGV the expected value, the new one, its time to live
in s."""

PROGRESS_LIFE: Final = 0.5
"""Part of a state's time to live that progress has. After an outage that long the progress is gone
before any state of an asset that still spoke, so they are rebuilt; the other way round the asset
would look new."""


class RedisStateStore:
    """States in Redis."""

    def __init__(self, settings: RedisSettings, model: bytes, n_channels: int) -> None:
        self._settings = settings
        self._keys = StateKeys(settings.key_prefix)
        self._model = model
        self._n_channels = n_channels
        try:
            self._redis: Redis = Redis.from_url(
                settings.url.get_secret_value(),
                socket_timeout=settings.op_timeout_s,
                socket_connect_timeout=settings.op_timeout_s,
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
        """Return what is stored, in one round trip."""
        names = [self._keys.asset_state(*key) for key in keys]
        names += [self._keys.progress(partition) for partition in partitions]
        if not names:
            return Stored({}, {})
        values = cast(
            "list[bytes | None]", await self._guarded(self._redis.mget(names), "read states")
        )
        try:
            return Stored(
                {
                    key: unpack(value, self._model, self._n_channels)
                    for key, value in zip(keys, values, strict=False)
                    if value is not None
                },
                {
                    partition: int(value)
                    for partition, value in zip(partitions, values[len(keys) :], strict=True)
                    if value is not None
                },
            )
        except ValueError as exc:
            raise BackendRefusedError(
                f"A stored state cannot be read: {exc}. Another program's keys under "
                f"{self._settings.key_prefix!r}? Set SURGELINE_REDIS__KEY_PREFIX to a fresh one."
            ) from exc

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
            expected = "" if step.expected is None else str(step.expected)
            name = self._keys.progress(partition)
            life_s = str(int(self._settings.state_ttl_s * PROGRESS_LIFE))
            pipeline.eval(STRICT_SET, 1, name, expected, str(step.next_offset), life_s)
        written = await self._guarded(pipeline.execute(), "write states")
        return [key for key, stored in zip(states, written, strict=False) if not stored]

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


def _translated(exc: RedisError, what: str) -> BackendError:
    message = f"Redis: could not {what}: {exc}"
    if isinstance(exc, AuthenticationError | AuthorizationError | NoPermissionError):
        return BackendRefusedError(message)
    if isinstance(exc, RedisConnectionError | RedisTimeoutError):
        return BackendUnavailableError(message)
    # READONLY, OOM, LOADING, MISCONF and the like pass when the operator acts or time goes by;
    # nothing is lost by asking again.
    return BackendUnavailableError(message)
