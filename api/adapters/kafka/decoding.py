"""From a record on one of our topics to the message it is, or to a line in the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from common.logs import get_logger
from common.records.wire import WireRecord

MAX_ID_CHARS: Final = 200

MessageT = TypeVar("MessageT", bound=WireRecord)

_log = get_logger(__name__)


def decoded(
    record: Any, kind: type[MessageT], ids: Sequence[str], what: str
) -> tuple[MessageT, str] | None:
    """Return a message and its text; what is none is logged, or it would block all others.

    Args:
        record: The driver's record.
        kind: What it ought to be.
        ids: Names of its fields that are ids, and have to be usable.
        what: That kind, for the log.
    """
    try:
        body = (record.value or b"").decode()
        message = kind.model_validate_json(body)
    except (UnicodeDecodeError, ValidationError) as exc:
        why = str(exc).splitlines()[0]
    else:
        found = [getattr(message, name) for name in ids]
        if all(map(_is_usable, found)):
            return message, body
        why = "unusable ids " + " ".join(repr(each[:MAX_ID_CHARS]) for each in found)
    _log.warning(f"not {what}", partition=record.partition, offset=record.offset, why=why)
    return None


def _is_usable(name: str) -> bool:
    """Return whether an id fits into an SSE field, a URL and a PostgreSQL text."""
    return 0 < len(name) <= MAX_ID_CHARS and name.isascii() and name.isprintable()
