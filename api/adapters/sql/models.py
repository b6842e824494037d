"""The tables of the alert history, for SQLite and PostgreSQL alike.

A change here needs a revision in ``api/migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from common.records.ids import DEFAULT_FLEET

COUNTER: Final = "alerts"
"""Name of the row that counts alerts, and of the one that tells which were removed."""


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone, so it is taken off there and put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment as the database keeps it."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all tables."""


class AlertRow(Base):
    """One alert. ``is_open`` is true on the latest alert, by cycle, of an alarm without end."""

    __tablename__ = "alerts"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    alert_id: Mapped[str] = mapped_column(String, unique=True)
    alarm_id: Mapped[str] = mapped_column(String)
    asset_id: Mapped[str] = mapped_column(String)
    run_id: Mapped[str] = mapped_column(String)
    fleet: Mapped[str] = mapped_column(String, server_default=DEFAULT_FLEET)
    level: Mapped[str] = mapped_column(String)
    state: Mapped[str] = mapped_column(String)
    onset_cycle: Mapped[int] = mapped_column(BigInteger)
    cycle: Mapped[int] = mapped_column(BigInteger)
    ts: Mapped[datetime] = mapped_column(UtcTime)
    score: Mapped[float] = mapped_column(Float)
    is_open: Mapped[bool] = mapped_column(Boolean)
    body: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        Index("alerts_by_asset", "asset_id", "sequence"),
        Index("alerts_by_run", "run_id", "sequence"),
        Index("alerts_by_alarm", "alarm_id", "sequence"),
        Index(
            "alerts_open",
            "sequence",
            sqlite_where=text("is_open"),
            postgresql_where=text("is_open"),
        ),
    )


class EvidenceRow(Base):
    """What one alert rests on: the message as it stood on its topic, compressed (zlib)."""

    __tablename__ = "alert_evidence"

    evidence_id: Mapped[str] = mapped_column(String, primary_key=True)
    alert_id: Mapped[str] = mapped_column(String)
    asset_id: Mapped[str] = mapped_column(String)
    run_id: Mapped[str] = mapped_column(String)
    cycle: Mapped[int] = mapped_column(BigInteger)
    arrived_at: Mapped[datetime] = mapped_column(UtcTime)
    body: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        Index("alert_evidence_by_alert", "alert_id"),
        Index("alert_evidence_by_run", "asset_id", "run_id", "cycle"),
    )


class SequenceRow(Base):
    """The last sequence given out. Its row lock orders the writers."""

    __tablename__ = "alert_sequence"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class PositionRow(Base):
    """How far one partition of one life of the topic has been read."""

    __tablename__ = "feed_positions"

    source: Mapped[str] = mapped_column(String, primary_key=True)
    partition: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    next_offset: Mapped[int] = mapped_column(BigInteger)
    mark: Mapped[str | None] = mapped_column(String)


class GapRow(Base):
    """Offsets of the topic that were gone before they were read."""

    __tablename__ = "alert_gaps"

    source: Mapped[str] = mapped_column(String, primary_key=True)
    partition: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    from_offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    to_offset: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    noticed_at: Mapped[datetime] = mapped_column(UtcTime)


class MarkRow(Base):
    """Which sequences had been given out at a moment: how old an alert is, at least."""

    __tablename__ = "alert_marks"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    noted_at: Mapped[datetime] = mapped_column(UtcTime)


class RemovalRow(Base):
    """The latest reading of which an alert was removed."""

    __tablename__ = "alert_removals"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    until: Mapped[datetime] = mapped_column(UtcTime)


class AlarmRow(Base):
    """An alarm as its alerts and actions leave it: what lists are filtered and ordered by.

    A copy of what ``api.alarms.lifecycle`` derives; written anew with each alert and each action,
    and never what an answer shows.
    """

    __tablename__ = "alarms"

    alarm_id: Mapped[str] = mapped_column(String, primary_key=True)
    asset_id: Mapped[str] = mapped_column(String)
    run_id: Mapped[str] = mapped_column(String)
    fleet: Mapped[str] = mapped_column(String)
    level: Mapped[str] = mapped_column(String)
    level_rank: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String)
    is_active: Mapped[bool] = mapped_column(Boolean)
    standing: Mapped[bool] = mapped_column(Boolean)
    acknowledged: Mapped[bool] = mapped_column(Boolean)
    rank: Mapped[int] = mapped_column(Integer)
    severity: Mapped[float] = mapped_column(Float)
    sequence: Mapped[int] = mapped_column(BigInteger)
    flaps: Mapped[int] = mapped_column(BigInteger, server_default="0")
    channel: Mapped[str | None] = mapped_column(String)
    arrived_at: Mapped[datetime | None] = mapped_column(UtcTime)

    __table_args__ = (
        Index("alarms_by_urgency", "rank", "severity", "sequence"),
        Index("alarms_by_coming", "arrived_at"),
        Index("alarms_by_arrival", "sequence"),
        Index("alarms_by_asset", "asset_id", "rank"),
    )


class AlarmEventRow(Base):
    """What an operator did. Rows are added, never changed: the database refuses it."""

    __tablename__ = "alarm_events"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    action: Mapped[str] = mapped_column(String)
    alarm_id: Mapped[str | None] = mapped_column(String)
    asset_id: Mapped[str | None] = mapped_column(String)
    run_id: Mapped[str | None] = mapped_column(String)
    fleet: Mapped[str | None] = mapped_column(String)
    window_id: Mapped[str | None] = mapped_column(String)
    request_id: Mapped[str | None] = mapped_column(String)
    who: Mapped[str] = mapped_column(String)
    at: Mapped[datetime] = mapped_column(UtcTime)
    body: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        Index("alarm_events_by_alarm", "alarm_id", "sequence"),
        Index("alarm_events_by_asset", "asset_id", "sequence"),
        Index("alarm_events_by_window", "window_id", "sequence"),
        Index("alarm_events_by_request", "alarm_id", "request_id", unique=True),
    )


class ShelfRow(Base):
    """The latest shelf of an asset, unless it was taken off or ended on recovery."""

    __tablename__ = "alarm_shelves"

    asset_id: Mapped[str] = mapped_column(String, primary_key=True)
    alarm_id: Mapped[str] = mapped_column(String)
    level_rank: Mapped[int] = mapped_column(Integer)
    until: Mapped[datetime] = mapped_column(UtcTime)
    ends_on_recovery: Mapped[bool] = mapped_column(Boolean)


class WindowRow(Base):
    """When a maintenance window begins and ends, as its events leave it."""

    __tablename__ = "maintenance_windows"

    window_id: Mapped[str] = mapped_column(String, primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, unique=True)
    starts_at: Mapped[datetime] = mapped_column(UtcTime)
    ends_at: Mapped[datetime] = mapped_column(UtcTime)

    __table_args__ = (Index("maintenance_windows_by_end", "ends_at"),)


class ReceiverRow(Base):
    """Since when a receiver of notifications is known: it is told of nothing older."""

    __tablename__ = "notification_receivers"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    since: Mapped[datetime] = mapped_column(UtcTime)


class NoteRow(Base):
    """One alert for one receiver, from its arrival until some days after it was settled."""

    __tablename__ = "notifications"

    receiver: Mapped[str] = mapped_column(String, primary_key=True)
    alert_id: Mapped[str] = mapped_column(String, primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String)
    noted_at: Mapped[datetime] = mapped_column(UtcTime)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    attempts: Mapped[int] = mapped_column(Integer)
    lease: Mapped[str | None] = mapped_column(String)
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    why: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        Index(
            "notifications_waiting",
            "receiver",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("notifications_settled", "settled_at"),
    )


class SilenceRow(Base):
    """An asset that is watched for silence; ``body`` is all that is known of it (JSON)."""

    __tablename__ = "watched_assets"

    asset_id: Mapped[str] = mapped_column(String, primary_key=True)
    fleet: Mapped[str] = mapped_column(String)
    silence: Mapped[str | None] = mapped_column(String)
    body: Mapped[str] = mapped_column(Text)


class WatchRow(Base):
    """Which process judges silence, and when it looked last."""

    __tablename__ = "silence_watch"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    holder: Mapped[str] = mapped_column(String)
    looked_at: Mapped[datetime] = mapped_column(UtcTime)
    judged_from: Mapped[datetime] = mapped_column(UtcTime)


class KeyRow(Base):
    """One API key; not the key itself."""

    __tablename__ = "api_keys"

    prefix: Mapped[str] = mapped_column(String, primary_key=True)
    name: Mapped[str] = mapped_column(String, unique=True)
    role: Mapped[str] = mapped_column(String)
    digest: Mapped[str] = mapped_column(String)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)


class SessionRow(Base):
    """One browser that has logged in; not its cookie."""

    __tablename__ = "api_sessions"

    digest: Mapped[str] = mapped_column(String, primary_key=True)
    prefix: Mapped[str] = mapped_column(String)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)


class AuditRow(Base):
    """Who asked for what. Rows are added, never changed: the database refuses it."""

    __tablename__ = "audit_log"

    sequence: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[datetime] = mapped_column(UtcTime)
    who: Mapped[str] = mapped_column(String)
    prefix: Mapped[str | None] = mapped_column(String)
    address: Mapped[str] = mapped_column(String)
    method: Mapped[str] = mapped_column(String)
    path: Mapped[str] = mapped_column(String)
    status: Mapped[int] = mapped_column(Integer)


class ReplayRow(Base):
    """One replay: what was asked (JSON) and how far it came."""

    __tablename__ = "replays"

    run_id: Mapped[str] = mapped_column(String, primary_key=True)
    spec: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String)
    sent: Mapped[int] = mapped_column(BigInteger)
    skipped: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
