"""Rings in memory."""

from __future__ import annotations

from api.readings import KeptRing
from common.errors import BackendError


class MemoryRingReader:
    """Rings in a dict.

    Attributes:
        rings: By asset and run.
        failure: When set, every call raises it.
    """

    def __init__(self) -> None:
        self.rings: dict[tuple[str, str], KeptRing] = {}
        self.failure: BackendError | None = None

    async def read(self, asset_id: str, run_id: str) -> KeptRing | None:
        """Return the ring, or none."""
        if self.failure is not None:
            raise self.failure
        return self.rings.get((asset_id, run_id))
