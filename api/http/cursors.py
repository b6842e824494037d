"""Cursors of paged answers: opaque to the caller, and bound to the query they came from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Final

from pydantic import BaseModel

NOT_OURS: Final = "it is not a cursor of this api"


def query_mark(query: BaseModel) -> str:
    """Return a short digest of everything in a query except ``cursor`` and ``limit``."""
    text = query.model_dump_json(exclude={"cursor", "limit"})
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def encode(mark: str, position: str | int) -> str:
    """Return a cursor.

    Example:
        >>> decode("abc", encode("abc", 17))
        17
    """
    return base64.urlsafe_b64encode(json.dumps([mark, position]).encode()).decode().rstrip("=")


def decode(mark: str, cursor: str) -> str | int:
    """Return the position inside a cursor.

    Raises:
        ValueError: If the cursor is not ours, or came from another query.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found, position = json.loads(raw)
        ours = type(found) is str and type(position) in (int, str)
        if not ours or encode(found, position) != cursor or not str(position).isprintable():
            raise ValueError(NOT_OURS)  # noqa: TRY301 - one refusal for all bad cursors
    except (ValueError, TypeError, RecursionError, binascii.Error) as exc:
        raise ValueError(NOT_OURS) from exc
    if found != mark:
        raise ValueError("it belongs to a query with other parameters")
    checked: str | int = position
    return checked
