"""Keeps a score store within its bounds, in the background, for as long as a service lives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from common.background import running
from common.clock import Clock
from common.errors import BackendError
from common.logs import get_logger
from common.scorestore.port import Keeping, ScoreStore
from common.settings import RetentionSettings

SLICE_ROWS: Final = 500
"""Most rows of one slice. About 20 ms of the writer's time, and what a write may have to wait."""

REST: Final = 4
"""After a slice we rest so many times as long as it took, so that writers have the store for at
least 80 % of the time; while it is larger than it may be, once as long."""

LEAST_REST_S: Final = 0.01

DAY_US: Final = 86_400_000_000
MIB: Final = 1024 * 1024

logger = get_logger(__name__)


def keeping(settings: RetentionSettings) -> Keeping:
    """Return what the settings say of scores."""
    return Keeping(
        max_age_us=int(settings.scores_days * DAY_US) or None,
        max_bytes=settings.scores_max_mib * MIB or None,
    )


@asynccontextmanager
async def retaining(
    store: ScoreStore, settings: RetentionSettings, clock: Clock
) -> AsyncIterator[None]:
    """Keep an open store within its bounds until the block ends."""
    removal = keep_within(store, keeping(settings), settings.every_s, clock)
    async with running(removal, "score-retention"):
        yield


async def keep_within(store: ScoreStore, keep: Keeping, every_s: float, clock: Clock) -> None:
    """Remove slices until nothing is to go, look again after ``every_s``, until cancelled.

    A store that fails is left alone until the next time: whoever writes to it says what is wrong.
    """
    while True:
        removed = 0
        try:
            removed = await trim_all(store, keep, clock)
        except BackendError as exc:
            logger.debug("nothing is removed from the score store for now", why=str(exc))
        if removed:
            logger.info("old rows of the score store were removed", rows=removed)
        await clock.sleep(every_s)


async def trim_all(store: ScoreStore, keep: Keeping, clock: Clock) -> int:
    """Remove slices, with rests between, until nothing is to go; return how many rows went."""
    removed = 0
    while True:
        begin = clock.monotonic()
        trimmed = await store.trim(keep, clock.now(), SLICE_ROWS)
        removed += trimmed.rows
        if not trimmed.more:
            return removed
        took_s = clock.monotonic() - begin
        await clock.sleep(max(LEAST_REST_S, took_s * (1 if trimmed.pressing else REST)))
