"""What the api says and takes of keys, sessions and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from api.access.keys import MAX_KEY_CHARS, ApiKey
from api.access.ports import AuditEntry
from api.access.roles import Role
from api.http.queries import CursorParam, StrictQuery
from common.records.times import UtcTimestamp

KEY_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@\-]{0,63}$"
LONGEST_LIFE_DAYS = 3650


class LoginBody(BaseModel):
    """Body of a login."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(min_length=1, max_length=MAX_KEY_CHARS, description="An API key.")


class SessionView(BaseModel):
    """Who asks, and what they may do."""

    keys: bool = Field(description="Whether requests need a key here.")
    logged_in: bool = Field(description="Whether this request is anybody's.")
    who: str | None = Field(description="Name of the key; `local` where none is needed.")
    role: Role | None = Field(description="What may be done; none without a key.")
    expires_at: UtcTimestamp | None = Field(description="When the key ends, if it does.")


class NewKeyBody(BaseModel):
    """Body of making a key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(
        pattern=KEY_NAME_PATTERN, description="Whose it is; never given again.", examples=["anna"]
    )
    role: Role
    days: int | None = Field(
        None, ge=1, le=LONGEST_LIFE_DAYS, description="How long it is valid; for ever if left out."
    )


class KeyView(BaseModel):
    """A key; what opens anything is not kept."""

    prefix: str = Field(description="Names it; no secret.", examples=["0a1b2c3d"])
    name: str = Field(examples=["anna"])
    role: Role
    valid: bool
    created_at: UtcTimestamp
    expires_at: UtcTimestamp | None
    revoked_at: UtcTimestamp | None

    @classmethod
    def of(cls, key: ApiKey, now: datetime) -> Self:
        """Return the api's view of a key."""
        return cls(
            prefix=key.prefix,
            name=key.name,
            role=key.role,
            valid=key.is_valid(now),
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )


class NewKeyView(KeyView):
    """A new key, the only time that it is shown."""

    key: str = Field(description="The key itself. Keep it: it cannot be shown again.")


class KeyList(BaseModel):
    """All keys ever made, the oldest first."""

    items: list[KeyView]


class AuditQuery(StrictQuery):
    """Parameters of ``GET /api/v1/audit``."""

    who: Annotated[str | None, Field(max_length=100, description="Only what this name did.")] = None
    refused: Annotated[bool, Field(description="`true`: only what was refused.")] = False
    limit: Annotated[int, Field(ge=1, le=1000, description="Most entries in the page.")] = 100
    cursor: CursorParam = None


class AuditView(BaseModel):
    """What somebody asked for, and what became of it."""

    sequence: int
    at: UtcTimestamp
    who: str = Field(description="Name of the key, or the operator; empty if nobody is known.")
    prefix: str | None = Field(description="Of the key.")
    address: str = Field(description="Where from.")
    method: str
    path: str
    status: int

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Return the api's view of an entry."""
        return cls(
            sequence=entry.sequence,
            at=entry.at,
            who=entry.who,
            prefix=entry.prefix,
            address=entry.address,
            method=entry.method,
            path=entry.path,
            status=entry.status,
        )


class AuditPage(BaseModel):
    """The audit log, a page at a time, the last first."""

    items: list[AuditView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")
