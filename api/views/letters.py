"""What the api says of dead letters: why, whose and where; not the messages themselves."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final, Self

from pydantic import BaseModel, Field

from api.http.queries import CursorParam, StrictQuery
from common.records.letters import DeadLetter
from common.records.times import UtcTimestamp

MOST_NAME_CHARS: Final = 200


class LetterQuery(StrictQuery):
    """Parameters of ``GET /api/v1/dead-letters``."""

    limit: Annotated[int, Field(ge=1, le=100, description="Most letters in the page.")] = 20
    cursor: CursorParam = None


class LetterView(BaseModel):
    """A message that could not be used."""

    position: str = Field(
        description="Where it stood, `topic-partition-offset`: its name in "
        "`surgeline deadletter show`.",
        examples=["surgeline.readings-3-17"],
    )
    last_offset: int | None = Field(
        description="For a batch that cannot be decoded, the offset of its last message."
    )
    received_at: UtcTimestamp | None = Field(
        description="The broker's stamp of the message; none where that is no time."
    )
    reason: str = Field(description="Reason code.", examples=["missing_channel"])
    message: str = Field(
        description="What came, and what was expected; it may quote the beginning of the message.",
        examples=["cycle 7: sensors ['T50'] have no value for more than 3 steps"],
    )
    asset_id: str | None = Field(
        description="Whose it is by the message's key; none if it had none.", examples=["P-103"]
    )
    size: int = Field(description="Of the message, bytes.", examples=[512])

    @classmethod
    def of(cls, letter: DeadLetter) -> Self:
        """Return the api's view of a letter."""
        return cls(
            position=f"{letter.topic}-{letter.partition}-{letter.offset}",
            last_offset=letter.last_offset,
            received_at=letter.received_at,
            reason=letter.reason,
            message=letter.message,
            asset_id=_name(letter.original_key),
            size=letter.original_size,
        )


class LetterList(BaseModel):
    """Dead letters, a page at a time, the latest first."""

    items: list[LetterView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


def _name(key: str | None) -> str | None:
    """Return a key as text, whatever bytes it is.

    Example:
        >>> _name("UC0xMDM=")
        'P-103'
    """
    if key is None:
        return None
    try:
        raw = base64.b64decode(key)
    except binascii.Error:
        return None
    return raw.decode(errors="backslashreplace")[:MOST_NAME_CHARS]
