"""Where scores and alerts are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from common.settings.groups.group import Group
from common.settings.groups.tls import TlsSettings


class InfluxTls(TlsSettings):
    """TLS to InfluxDB, where its URL begins with https://."""


class ScoreStoreSettings(Group):
    """Where scores go: a SQLite file, or InfluxDB."""

    backend: Literal["sqlite", "influx"] = Field(
        "sqlite", description="`sqlite` for one machine, `influx` for production."
    )
    sqlite_path: Path = Field(Path("var/scores.db"), description="The SQLite file (WAL mode).")
    influx_url: str = Field("http://127.0.0.1:8086", description="InfluxDB base URL.")
    influx_org: str = Field("surgeline", description="InfluxDB organisation.")
    influx_bucket: str = Field("surgeline", description="InfluxDB bucket (database in InfluxQL).")
    influx_token: SecretStr = Field(SecretStr(""), description="InfluxDB token.")
    op_timeout_s: float = Field(
        30.0, gt=0, le=600, description="Longest wait for one write or query, s."
    )
    tls: InfluxTls = InfluxTls()

    def check(self) -> None:
        """Refuse TLS files that would not be used.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        self.tls.check(
            "scores",
            self.influx_url.startswith("https://"),
            "SURGELINE_SCORES__INFLUX_URL to https://...",
        )


class AlertHistoryTls(TlsSettings):
    """TLS to PostgreSQL."""

    required: bool = Field(
        False,
        description="Speak TLS to PostgreSQL, and only with a server whose certificate is "
        "verified. Without it the URL decides (`?ssl=`).",
    )


class AlertHistorySettings(Group):
    """Where the api keeps the alerts it has seen."""

    url: SecretStr = Field(
        SecretStr("sqlite+aiosqlite:///var/alerts.db"),
        description="SQLAlchemy URL: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://...`.",
    )
    op_timeout_s: float = Field(
        10.0, gt=0, le=600, description="Longest wait for a connection, a lock or a statement, s."
    )
    password: SecretStr = Field(
        SecretStr(""), description="Password at PostgreSQL, where the URL holds none."
    )
    tls: AlertHistoryTls = AlertHistoryTls()

    def check(self) -> None:
        """Refuse TLS files that would not be used.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        self.tls.check("alerts", self.tls.required, "SURGELINE_ALERTS__TLS__REQUIRED to true")
