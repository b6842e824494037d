"""Keeps the alert history within its bounds, in the background, for as long as the api lives."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from api.evidence import EvidenceStore
from api.ports import AlertHistory, AlertKeeping
from common.clock import Clock
from common.errors import BackendError
from common.logs import get_logger
from common.settings import RetentionSettings

SLICE_ROWS: Final = 200
"""Alerts removed at a time: a few milliseconds, which is what the projection may have to wait."""

REST_S: Final = 0.1

_log = get_logger(__name__)


def keeping(settings: RetentionSettings) -> AlertKeeping:
    """Return what the settings say of alerts."""
    return AlertKeeping(
        timedelta(days=settings.alerts_days) if settings.alerts_days else None,
        settings.alerts_max_rows or None,
    )


async def keep_within(
    history: AlertHistory,
    evidence: EvidenceStore,
    keep: AlertKeeping,
    every_s: float,
    clock: Clock,
) -> None:
    """Remove slices until nothing is to go, look again after ``every_s``, until cancelled.

    A history that fails is left alone until the next time: the projection says what is wrong.
    """
    while True:
        removed = 0
        try:
            while (gone := await history.trim(keep, clock.now(), SLICE_ROWS)) == SLICE_ROWS:
                removed += gone
                await clock.sleep(REST_S)
            removed += gone
            while await evidence.trim(clock.now(), SLICE_ROWS) == SLICE_ROWS:
                await clock.sleep(REST_S)
        except BackendError as exc:
            _log.debug("no alerts are removed for now", why=str(exc))
        except Exception:  # noqa: BLE001 - a defect must not end the removal until a restart
            _log.exception("removing old alerts failed")
        if removed:
            _log.info("old alerts were removed", alerts=removed)
        await clock.sleep(every_s)
