"""Whom the watch has heard, in memory, beside the alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from api.adapters.memory.alerts import MemoryAlertHistory
from api.ports import FeedBatch, FeedPosition
from api.silence.ports import Claim, Numbers, Outcome, Turn, taken
from api.silence.rule import Watched


class MemorySilenceStore:
    """Keeps assets in a dictionary.

    Args:
        history: Where alerts go.
    """

    def __init__(self, history: MemoryAlertHistory) -> None:
        self._history = history
        self._assets: dict[str, Watched] = {}
        self._turn: Turn | None = None

    async def claim(self, holder: str, now: datetime, every: timedelta) -> Claim | None:
        """Say who judges."""
        found = taken(self._turn, holder, now, every)
        if found is None:
            return None
        self._turn, claim = found
        return claim

    async def watched(self) -> Sequence[Watched]:
        """Return all that is remembered."""
        return list(self._assets.values())

    async def keep(self, holder: str, outcome: Outcome, now: datetime) -> bool:
        """Keep what a look has found, unless another has claimed the watch."""
        if self._turn is None or self._turn.holder != holder:
            return False
        if outcome.alerts:
            position = FeedPosition(0)
            await self._history.store(FeedBatch("silence", 0, position, outcome.alerts), now)
        self._turn = Turn(holder, self._turn.looked_at, outcome.judged_from)
        self._assets.update({item.asset_id: item for item in outcome.kept})
        for asset_id in outcome.forgotten:
            self._assets.pop(asset_id, None)
        return True

    async def numbers(self) -> Mapping[str, Numbers]:
        """Return how many assets are remembered and silent, by fleet."""
        found: dict[str, Numbers] = {}
        for item in self._assets.values():
            watched, silent = found.get(item.fleet, Numbers(0, 0))
            found[item.fleet] = Numbers(watched + 1, silent + (item.silence is not None))
        return found
