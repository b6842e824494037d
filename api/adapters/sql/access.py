"""Keys, sessions and the audit log in the alert history's database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from api.access.keys import ApiKey, Session
from api.access.ports import AuditEntry
from api.access.roles import Role
from api.adapters.sql.alert_rows import is_storable
from api.adapters.sql.database import our_errors
from api.adapters.sql.models import AuditRow, KeyRow, SessionRow
from api.adapters.sql.upsert import upsert


class SqlAccessStore:
    """Keeps them in the database of ``open_database``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add_key(self, key: ApiKey) -> bool:
        """Keep a key, if its name and prefix are new."""
        row = {
            "prefix": key.prefix,
            "name": key.name,
            "role": key.role.value,
            "digest": key.digest,
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        }
        with our_errors("keep an API key"):
            async with self._engine.begin() as connection:
                statement = upsert(connection)(KeyRow).values(row).on_conflict_do_nothing()
                return bool((await connection.execute(statement)).rowcount)

    async def key(self, prefix: str) -> ApiKey | None:
        """Return the key, valid or not."""
        if not is_storable(prefix):
            return None
        statement = select(*KeyRow.__table__.columns).where(KeyRow.prefix == prefix)
        with our_errors("look an API key up"):
            async with self._engine.connect() as connection:
                row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _key(row)

    async def keys(self) -> Sequence[ApiKey]:
        """Return all keys, the oldest first."""
        statement = select(*KeyRow.__table__.columns).order_by(KeyRow.created_at, KeyRow.prefix)
        with our_errors("list API keys"):
            async with self._engine.connect() as connection:
                return [_key(row) for row in (await connection.execute(statement)).all()]

    async def revoke(self, prefix: str, at: datetime) -> bool:
        """End a key and its sessions."""
        if not is_storable(prefix):
            return False
        ended = (
            update(KeyRow)
            .where(KeyRow.prefix == prefix, KeyRow.revoked_at.is_(None))
            .values(revoked_at=at)
        )
        with our_errors("revoke an API key"):
            async with self._engine.begin() as connection:
                found = bool((await connection.execute(ended)).rowcount)
                await connection.execute(delete(SessionRow).where(SessionRow.prefix == prefix))
        return found

    async def add_session(self, session: Session) -> None:
        """Keep a session."""
        row = {
            "digest": session.digest,
            "prefix": session.prefix,
            "expires_at": session.expires_at,
        }
        with our_errors("keep a session"):
            async with self._engine.begin() as connection:
                await connection.execute(insert(SessionRow).values(row))

    async def session(self, digest: str) -> Session | None:
        """Return the session, expired or not."""
        statement = select(*SessionRow.__table__.columns).where(SessionRow.digest == digest)
        with our_errors("look a session up"):
            async with self._engine.connect() as connection:
                row = (await connection.execute(statement)).one_or_none()
        return None if row is None else Session(row.digest, row.prefix, row.expires_at)

    async def end_session(self, digest: str) -> None:
        """Forget the session."""
        with our_errors("end a session"):
            async with self._engine.begin() as connection:
                await connection.execute(delete(SessionRow).where(SessionRow.digest == digest))

    async def forget_sessions(self, now: datetime) -> None:
        """Forget sessions that have expired."""
        with our_errors("end sessions"):
            async with self._engine.begin() as connection:
                await connection.execute(delete(SessionRow).where(SessionRow.expires_at <= now))

    async def note(self, entry: AuditEntry) -> None:
        """Add to the audit log."""
        row = {
            "at": entry.at,
            "who": entry.who,
            "prefix": entry.prefix,
            "address": entry.address,
            "method": entry.method,
            "path": entry.path,
            "status": entry.status,
        }
        with our_errors("write its audit log"):
            async with self._engine.begin() as connection:
                await connection.execute(insert(AuditRow).values(row))

    async def audit(
        self,
        limit: int,
        *,
        before: int | None = None,
        who: str | None = None,
        refused: bool = False,
    ) -> Sequence[AuditEntry]:
        """Return entries, the last first."""
        if not is_storable(who):
            return []
        statement = (
            select(*AuditRow.__table__.columns).order_by(AuditRow.sequence.desc()).limit(limit)
        )
        if before is not None:
            statement = statement.where(AuditRow.sequence < before)
        if who is not None:
            statement = statement.where(AuditRow.who == who)
        if refused:
            statement = statement.where(AuditRow.status >= 400)
        with our_errors("read its audit log"):
            async with self._engine.connect() as connection:
                return [_entry(row) for row in (await connection.execute(statement)).all()]


def _key(row: Any) -> ApiKey:
    return ApiKey(
        row.prefix,
        row.name,
        Role(row.role),
        row.digest,
        row.created_at,
        row.expires_at,
        row.revoked_at,
    )


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(
        row.at, row.who, row.prefix, row.address, row.method, row.path, row.status, row.sequence
    )
