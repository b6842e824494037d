"""A state store that has lost everything."""

from __future__ import annotations

from redis.asyncio import Redis

from tests.support.detector import DetectorBench


async def forget_everything(bench: DetectorBench) -> int:
    """Delete all keys of an installation, as a restart without persistence would."""
    async with Redis.from_url(bench.redis.url.get_secret_value()) as redis:
        keys = [key async for key in redis.scan_iter(f"{bench.redis.key_prefix}:*", count=1000)]
        return int(await redis.delete(*keys)) if keys else 0
