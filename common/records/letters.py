"""Dead letters: messages that could not be used, each with its reason. JSON in UTF-8."""

from __future__ import annotations

from typing import Final, Literal

from common.records.times import UtcTimestamp
from common.records.wire import WireRecord


class DeadLetter(WireRecord):
    """A message that could not be used, whole, with the reason.

    Attributes:
        schema_version: Version of this layout.
        reason: Reason code (``common.errors.RejectReason``).
        message: What came, what was expected; at most ``MAX_MESSAGE_CHARS``.
        original_key: The message's key, base64, cut to ``MAX_ORIGINAL_KEY_BYTES``; none if it had
            none. A key of that length may have been longer.
        original: The message's bytes, base64; cut to ``MAX_ORIGINAL_BYTES``.
        original_size: Size of the message before cutting, bytes.
        original_sha256: Digest of the whole message.
        topic: Where it was read.
        partition: Where it was read.
        offset: Where it was read.
        last_offset: For a batch of records that cannot be decoded, the offset of its last one.
        received_at: The broker's timestamp of the message, UTC, so that a redelivery is identical;
            none where it has none that is a time.
    """

    schema_version: Literal[1] = 1
    reason: str
    message: str
    original_key: str | None
    original: str
    original_size: int
    original_sha256: str
    topic: str
    partition: int
    offset: int
    last_offset: int | None = None
    received_at: UtcTimestamp | None


MAX_ORIGINAL_BYTES: Final = 256 * 1024

"""A dead letter keeps this much of its message; base64 of it fits any broker's default limit."""


MAX_ORIGINAL_KEY_BYTES: Final = 1024

"""And this much of its key: no asset id is a quarter as long."""


MAX_MESSAGE_CHARS: Final = 1000
