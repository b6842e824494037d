"""Where keys, sessions and the audit log are kept.

The fake is ``adapters/memory/access.py``; ``tests/contract/test_access.py`` holds it and the real
adapter to the same promises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from api.access.keys import ApiKey, Session


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What somebody asked for, and what became of it.

    Attributes:
        at: When, UTC.
        who: Name of the key, or of the operator; empty where nobody is known.
        prefix: Of the key; none without one.
        address: Where from.
        method: HTTP method.
        path: What was asked for, without its parameters.
        status: HTTP status of the answer.
        sequence: Place in the log; 0 until it is kept.
    """

    at: datetime
    who: str
    prefix: str | None
    address: str
    method: str
    path: str
    status: int
    sequence: int = 0


class AccessStore(Protocol):
    """Keys, sessions, audit log. Raises, from every method: ``BackendError``."""

    async def add_key(self, key: ApiKey) -> bool:
        """Keep a key; returns false, and keeps nothing, if its name or prefix was ever given."""

    async def key(self, prefix: str) -> ApiKey | None:
        """Return the key, valid or not."""

    async def keys(self) -> Sequence[ApiKey]:
        """Return all keys ever made, the oldest first."""

    async def revoke(self, prefix: str, at: datetime) -> bool:
        """End a key and its sessions; returns false if there is none, or it was revoked before."""

    async def add_session(self, session: Session) -> None:
        """Keep a session."""

    async def session(self, digest: str) -> Session | None:
        """Return the session, expired or not."""

    async def end_session(self, digest: str) -> None:
        """Forget the session."""

    async def forget_sessions(self, now: datetime) -> None:
        """Forget sessions that have expired."""

    async def note(self, entry: AuditEntry) -> None:
        """Add to the audit log; what is there is never changed."""

    async def audit(
        self,
        limit: int,
        *,
        before: int | None = None,
        who: str | None = None,
        refused: bool = False,
    ) -> Sequence[AuditEntry]:
        """Return entries, the last first.

        Args:
            limit: Most entries.
            before: Only those before this sequence.
            who: Only what this name did.
            refused: Only what was refused.
        """
