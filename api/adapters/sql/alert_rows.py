"""Stored alerts as rows: how they are selected, and made into alerts again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError
from sqlalchemy import Row, select

from api.adapters.sql.models import AlertRow
from api.ports import StoredAlert
from common.logs import get_logger
from common.records.alerts import Alert

CHUNK: Final = 500
"""Ids in one IN list; SQLite allows 32,766 parameters, PostgreSQL plans short lists better."""

ALERTS: Final = select(AlertRow.sequence, AlertRow.body)

_log = get_logger(__name__)


def readable(rows: Sequence[Row[int, str]]) -> list[StoredAlert]:
    """Return the alerts of these rows; one that cannot be read harms only itself."""
    found = []
    for row in rows:
        try:
            found.append(StoredAlert(row.sequence, Alert.model_validate_json(row.body), row.body))
        except ValidationError as exc:
            why = str(exc).splitlines()[0]
            _log.warning("a stored alert cannot be read", sequence=row.sequence, why=why)
    return found


def is_storable(text: str | None) -> bool:
    """Return whether a database's text can be this; if not, no row has it and none is asked for."""
    if text is None:
        return True
    return "\0" not in text and text == text.encode(errors="replace").decode()
