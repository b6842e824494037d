"""Keys, sessions and the audit log in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from api.access.keys import ApiKey, Session
from api.access.ports import AuditEntry


class MemoryAccessStore:
    """Keeps them in dictionaries and lists."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._sessions: dict[str, Session] = {}
        self._audit: list[AuditEntry] = []

    async def add_key(self, key: ApiKey) -> bool:
        """Keep a key, if its name and prefix are new."""
        if key.prefix in self._keys or any(key.name == each.name for each in self._keys.values()):
            return False
        self._keys[key.prefix] = key
        return True

    async def key(self, prefix: str) -> ApiKey | None:
        """Return the key, valid or not."""
        return self._keys.get(prefix)

    async def keys(self) -> Sequence[ApiKey]:
        """Return all keys, the oldest first."""
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.prefix))

    async def revoke(self, prefix: str, at: datetime) -> bool:
        """End a key and its sessions."""
        key = self._keys.get(prefix)
        if key is None or key.revoked_at is not None:
            return False
        self._keys[prefix] = replace(key, revoked_at=at)
        self._sessions = {name: one for name, one in self._sessions.items() if one.prefix != prefix}
        return True

    async def add_session(self, session: Session) -> None:
        """Keep a session."""
        self._sessions[session.digest] = session

    async def session(self, digest: str) -> Session | None:
        """Return the session, expired or not."""
        return self._sessions.get(digest)

    async def end_session(self, digest: str) -> None:
        """Forget the session."""
        self._sessions.pop(digest, None)

    async def forget_sessions(self, now: datetime) -> None:
        """Forget sessions that have expired."""
        self._sessions = {name: one for name, one in self._sessions.items() if one.expires_at > now}

    async def note(self, entry: AuditEntry) -> None:
        """Add to the audit log."""
        self._audit.append(replace(entry, sequence=len(self._audit) + 1))

    async def audit(
        self,
        limit: int,
        *,
        before: int | None = None,
        who: str | None = None,
        refused: bool = False,
    ) -> Sequence[AuditEntry]:
        """Return entries, the last first."""
        return [
            entry
            for entry in reversed(self._audit)
            if (before is None or entry.sequence < before)
            and who in (None, entry.who)
            and (not refused or entry.status >= 400)
        ][:limit]
