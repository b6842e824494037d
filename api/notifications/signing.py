"""Signatures of webhooks, after the Standard Webhooks convention. Pure.

References:
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from collections.abc import Sequence
from typing import Final

ID_HEADER: Final = "webhook-id"
TIME_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"

PREFIX: Final = "whsec_"
SHORTEST_BYTES: Final = 24
LONGEST_BYTES: Final = 64
"""Of a secret, as the convention has it."""

MOST_SECRETS: Final = 4
"""At once: the old and the new one while a secret is changed, and some to spare."""

_HEADER_SAFE: Final = re.compile(r"[A-Za-z0-9_\-]{1,128}", re.ASCII)
"""What every header takes: an atom of mail (RFC 5322) has no colon and no lone dots."""
_NAMESPACE: Final = uuid.UUID("7b0a2f1c-6a1d-5a86-9d0b-0f9a3d3c2b51")


def read_secrets(text: str) -> tuple[bytes, ...]:
    """Return the keys of a setting: one, or several with blanks between them.

    Raises:
        ValueError: Saying what was expected; never what came.
    """
    words = text.split()
    if not 1 <= len(words) <= MOST_SECRETS:
        raise ValueError(f"{len(words)} secrets came; 1 to {MOST_SECRETS} are expected")
    return tuple(map(_read_secret, words))


def _read_secret(word: str) -> bytes:
    expected = (
        f"{PREFIX} and {SHORTEST_BYTES} to {LONGEST_BYTES} bytes in base64 are expected; "
        "`surgeline notify secret` prints a new one"
    )
    if not word.startswith(PREFIX):
        raise ValueError(expected)
    try:
        key = base64.b64decode(word.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not SHORTEST_BYTES <= len(key) <= LONGEST_BYTES:
        raise ValueError(expected)
    return key


def secret_text(key: bytes) -> str:
    """Return a key as settings and receivers have it."""
    return PREFIX + base64.b64encode(key).decode()


def message_id(alert_id: str) -> str:
    """Return an alert's id as headers may have it: itself, unless a stranger's has odd characters.

    Example:
        >>> message_id("6d0c0d5e-6a2b-5c38-9a0f-5a1d1f5b7a10")
        '6d0c0d5e-6a2b-5c38-9a0f-5a1d1f5b7a10'
    """
    if _HEADER_SAFE.fullmatch(alert_id):
        return alert_id
    return str(uuid.uuid5(_NAMESPACE, alert_id.encode("utf-8", "backslashreplace").hex()))


def signed_headers(
    secrets: Sequence[bytes], message: str, sent_at_s: int, body: bytes
) -> dict[str, str]:
    """Return the three headers of a webhook.

    Args:
        secrets: Keys; there is a signature of each.
        message: Its id, the same on every try.
        sent_at_s: When it is sent, seconds since 1970; receivers refuse what is old.
        body: What is sent, byte for byte.
    """
    signatures = [f"v1,{_signature(key, message, sent_at_s, body)}" for key in secrets]
    return {
        ID_HEADER: message,
        TIME_HEADER: str(sent_at_s),
        SIGNATURE_HEADER: " ".join(signatures),
    }


def _signature(key: bytes, message: str, sent_at_s: int, body: bytes) -> str:
    signed = f"{message}.{sent_at_s}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
