"""A state store that has lost everything, or some of it."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis, RedisCluster

from tests.support.detector import DetectorBench


async def forget_everything(bench: DetectorBench) -> int:
    """Delete all keys of an installation, as a restart without persistence would."""
    return await _forget(bench, "*", 1)


async def forget_some_states(bench: DetectorBench) -> int:
    """Delete every third state, as a server does that evicts keys."""
    return await _forget(bench, "state:*", 3)


async def _forget(bench: DetectorBench, which: str, every: int) -> int:
    kind: Any = RedisCluster if bench.redis.cluster else Redis
    async with kind.from_url(bench.redis.url.get_secret_value()) as redis:
        pattern = f"{bench.redis.key_prefix}:{which}"
        keys = sorted([key async for key in redis.scan_iter(pattern, count=1000)])
        return sum([await redis.delete(key) for key in keys[::every]])
