"""Rings out of the workers' state store, which is Redis: read, and never written."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from api.readings import KeptRing
from common.errors import BackendRefusedError
from common.links.redis_link import OPEN_ERRORS, open_client, run, tag_of, translated
from common.ring import machine_of, unpack_ring
from common.settings import RedisSettings
from common.topics import StateKeys


class RedisRingReader:
    """Reads the end of an asset's state. An async context manager; connects when first asked."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._keys = StateKeys(settings.key_prefix, settings.cluster)
        self._redis = open_client(settings)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""
        await self._redis.aclose()

    async def read(self, asset_id: str, run_id: str) -> KeptRing | None:
        """Return the ring, or none; see the port."""
        tag = tag_of(asset_id) if self._settings.cluster else 0
        key = self._keys.asset_state(asset_id, run_id, tag)
        try:
            [value] = await run(self._redis, [("GET", key)])
        except OPEN_ERRORS as exc:
            raise translated(exc, "read a ring") from exc
        if value is None:
            return None
        try:
            machine = machine_of(value)
            ring, _ = unpack_ring(value)
        except ValueError as exc:
            raise BackendRefusedError(f"Redis: the state of {asset_id} has no ring: {exc}") from exc
        return KeptRing(machine, ring)
