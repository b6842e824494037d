"""API keys: what they look like, and what is kept of them. Pure.

A key is 256 random bits. Nobody can guess or try that many, so one SHA-256 of it is enough to
store: slow hashes (bcrypt, Argon2) make up for passwords that people choose, and would only cost
time at every request. What is stored opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.access.roles import Role

MARK: Final = "surgeline"
"""First part of every key, so that scanners of repositories and logs can find one."""

PREFIX_BYTES: Final = 4
SECRET_BYTES: Final = 32
MAX_KEY_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept.

    Attributes:
        prefix: Names it in lists and logs; no secret.
        name: Whose it is; what it does is logged under this name, which is never given again.
        role: What it may do.
        digest: SHA-256 of the whole key, hexadecimal.
        created_at: When it was made, UTC.
        expires_at: When it ends; none for never.
        revoked_at: When it was revoked.
    """

    prefix: str
    name: str
    role: Role
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether it opens anything now."""
        ended = self.expires_at is not None and now >= self.expires_at
        return self.revoked_at is None and not ended


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that has logged in.

    Attributes:
        digest: SHA-256 of the cookie, hexadecimal.
        prefix: Of which key; a key that ends, ends its sessions.
        expires_at: When it ends, UTC.
    """

    digest: str
    prefix: str
    expires_at: datetime


def new_key() -> tuple[str, str]:
    """Return a new key and its prefix."""
    prefix = secrets.token_hex(PREFIX_BYTES)
    return f"{MARK}_{prefix}_{secrets.token_hex(SECRET_BYTES)}", prefix


def new_token() -> str:
    """Return a new session's cookie."""
    return secrets.token_hex(SECRET_BYTES)


def prefix_of(key: str) -> str | None:
    """Return the prefix of a key; none if it cannot be one.

    Example:
        >>> prefix_of("surgeline_0a1b2c3d_" + 64 * "0"), prefix_of("hello")
        ('0a1b2c3d', None)
    """
    parts = key.split("_") if len(key) <= MAX_KEY_CHARS and key.isascii() else []
    if len(parts) != 3 or parts[0] != MARK:
        return None
    return parts[1]


def digest_of(secret: str) -> str:
    """Return what is kept of a key or a cookie."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same(secret: str, digest: str) -> bool:
    """Return whether this is the secret that was digested, in a time that tells nothing."""
    return hmac.compare_digest(digest_of(secret), digest)
