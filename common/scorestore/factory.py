"""Picks the score store that the settings name."""

from __future__ import annotations

from typing import assert_never

from common.scorestore.port import ScoreStore
from common.scorestore.sqlite.store import SqliteScoreStore
from common.settings import ScoreStoreSettings


def open_score_store(settings: ScoreStoreSettings) -> ScoreStore:
    """Return the store of the settings, not yet open: enter it with ``async with``."""
    match settings.backend:
        case "sqlite":
            return SqliteScoreStore(settings.sqlite_path, settings.op_timeout_s)
        case "influx":
            # Here, because its client takes most of a second to import and many never need it.
            from common.scorestore.influx.store import InfluxScoreStore

            return InfluxScoreStore(settings)
        case unknown:
            assert_never(unknown)
