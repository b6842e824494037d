"""Where the detector keeps what it remembers."""

from __future__ import annotations

from pydantic import Field, SecretStr

from common.settings.groups.group import Group
from common.settings.groups.tls import TlsSettings


class RedisTls(TlsSettings):
    """TLS to Redis, where its URL begins with rediss://."""


class RedisSettings(Group):
    """Where rings and alarm states are kept (Redis or Valkey)."""

    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"), description="Redis URL; may hold a password."
    )
    key_prefix: str = Field(
        "surgeline",
        pattern=r"^[a-zA-Z0-9._:-]{1,100}$",
        description="First part of every key. Change it whenever the readings topic is recreated: "
        "stored offsets belong to one life of the topic.",
    )
    cluster: bool = Field(
        False, description="Whether the URL is a node of a Redis Cluster (Valkey Cluster)."
    )
    cluster_nodes: str = Field(
        "",
        pattern=r"^([^\s,/@]+:\d{1,5}(,[^\s,/@]+:\d{1,5})*)?$",
        description="More nodes of the cluster, `HOST:PORT,HOST:PORT`: asked for its layout when "
        "the URL's does not answer.",
    )
    op_timeout_s: float = Field(5.0, gt=0, le=600, description="Longest wait for one command, s.")
    state_ttl_s: int = Field(
        30 * 86_400,
        ge=60,
        description="How long the state of a silent asset is kept, s.",
    )
    username: str = Field(
        "", max_length=1000, description="Redis user (ACL); empty for the one without a name."
    )
    password: SecretStr = Field(
        SecretStr(""), description="Its password, where the URL holds none."
    )
    tls: RedisTls = RedisTls()

    def check(self) -> None:
        """Refuse a password that is given twice, and TLS files that would not be used.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        url = self.url.get_secret_value()
        self.tls.check("redis", url.startswith("rediss://"), "SURGELINE_REDIS__URL to rediss://...")
        if "@" in url and (self.username or self.password.get_secret_value()):
            raise ValueError(
                "SURGELINE_REDIS__URL holds a user or password, and SURGELINE_REDIS__USERNAME or "
                "SURGELINE_REDIS__PASSWORD is set too. Give them in one place."
            )
        if self.username and not self.password.get_secret_value():
            raise ValueError(
                "SURGELINE_REDIS__USERNAME is set without SURGELINE_REDIS__PASSWORD (or "
                "SURGELINE_REDIS__PASSWORD_FILE)."
            )
