"""The message broker: where it is, who we are to it."""

from __future__ import annotations

import re
from typing import Final, Literal

from pydantic import Field, SecretStr, field_validator

from common.settings.groups.group import Group
from common.settings.groups.tls import TlsSettings

ADDRESS: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?(:(?P<port>[0-9]{1,5}))?")
"""A host name or IPv4 address, with a port or none."""


class KafkaTls(TlsSettings):
    """TLS to the message broker, where the security protocol is SSL or SASL_SSL."""


class KafkaSettings(Group):
    """The message broker."""

    bootstrap_servers: str = Field(
        "127.0.0.1:9092",
        description="Broker addresses, host:port, separated by commas.",
    )
    topic_prefix: str = Field(
        "surgeline",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="First part of every topic's name.",
    )
    partitions: int = Field(
        8, ge=1, le=1024, description="Partitions of the readings topic when it is created."
    )
    replication_factor: int = Field(
        1, ge=1, le=10, description="Replicas of each topic when it is created."
    )
    idempotent_producer: bool = Field(
        False,
        description="Use Kafka's idempotent producer. Turn on for Apache Kafka; the local broker "
        "lacks it, and a source retry is then a duplicate verdict, not a second score.",
    )
    linger_ms: int = Field(
        20,
        ge=0,
        le=10_000,
        description="How long a producer of readings waits to fill a batch, ms. Alerts never wait.",
    )
    op_timeout_s: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Longest wait for one broker request, s. At least "
        "SURGELINE_DETECTOR__SESSION_TIMEOUT_S: joining the group takes as long.",
    )
    ingest_session_timeout_s: float = Field(
        10.0,
        ge=1,
        le=300,
        description="Silence after which what a `surgeline ingest` reads goes to another one, s. "
        "The local broker lets a new one wait as long.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="How to speak to the broker, in Kafka's words: `SSL` is TLS, `SASL` a user "
        "name and a password (docs/security.md).",
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the password is proven; `PLAIN` sends it."
    )
    sasl_username: str = Field("", max_length=1000, description="User name at the broker.")
    sasl_password: SecretStr = Field(SecretStr(""), description="Password at the broker.")
    tls: KafkaTls = KafkaTls()

    @field_validator("bootstrap_servers")
    @classmethod
    def _are_addresses(cls, servers: str) -> str:
        for server in servers.split(","):
            found = ADDRESS.fullmatch(server.strip())
            if not found or not 0 < int(found["port"] or 1) <= 65_535:
                raise ValueError("host:port is expected, or several separated by commas")
        return ",".join(server.strip() for server in servers.split(","))

    @property
    def uses_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        """Whether a user name and password are asked for."""
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def check(self) -> None:
        """Refuse a password that would not be used, or is missing.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        self.tls.check(
            "kafka",
            self.uses_tls,
            "SURGELINE_KAFKA__SECURITY_PROTOCOL to SSL or SASL_SSL",
        )
        login = (self.sasl_username, self.sasl_password.get_secret_value())
        if self.uses_sasl and not all(login):
            raise ValueError(
                f"SURGELINE_KAFKA__SECURITY_PROTOCOL is {self.security_protocol}, which needs "
                "SURGELINE_KAFKA__SASL_USERNAME and SURGELINE_KAFKA__SASL_PASSWORD (or "
                "SURGELINE_KAFKA__SASL_PASSWORD_FILE)."
            )
        if any(login) and not self.uses_sasl:
            raise ValueError(
                f"SURGELINE_KAFKA__SECURITY_PROTOCOL is {self.security_protocol}, which uses no "
                "password. Set it to SASL_SSL, or leave SURGELINE_KAFKA__SASL_USERNAME and "
                "SURGELINE_KAFKA__SASL_PASSWORD out."
            )
