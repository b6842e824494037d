"""Notifications: who is told of alerts, and by which way."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from common.settings.groups.address import LONGEST_ADDRESS, MAIL_ADDRESS
from common.settings.groups.group import Group
from common.settings.groups.tls import TlsSettings


class WebhookTls(TlsSettings):
    """TLS to receivers of webhooks whose address begins with https://."""


class WebhookSettings(Group):
    """What all webhooks have in common."""

    secret: SecretStr = Field(
        SecretStr(""),
        description="Signs the webhooks of receivers that name no secret of their own: `whsec_` "
        "and base64, as `surgeline notify secret` prints it; several with spaces between them.",
    )
    tls: WebhookTls = WebhookTls()


class MailTls(TlsSettings):
    """TLS to the mail server."""


class MailSettings(Group):
    """The mail server."""

    host: str = Field("", max_length=255, description="Mail server (SMTP); empty for no e-mail.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="`starttls`: the connection must turn to TLS; `tls` from its beginning (port "
        "465); `none`: in the clear, and then without a login.",
    )
    username: str = Field("", max_length=320, description="Login at the mail server; empty for no.")
    password: SecretStr = Field(SecretStr(""), description="Its password.")
    sender: str = Field(
        "",
        max_length=LONGEST_ADDRESS,
        pattern=rf"^({MAIL_ADDRESS})?$",
        description="Address that mails are from, as in `surgeline@plant.org`.",
    )
    tls: MailTls = MailTls()

    def check(self) -> None:
        """Refuse a login without a password or TLS, and a server without a sender.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        self.tls.check(
            "notify__mail",
            self.security != "none",
            "SURGELINE_NOTIFY__MAIL__SECURITY to starttls or tls",
        )
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError(
                "SURGELINE_NOTIFY__MAIL__USERNAME and SURGELINE_NOTIFY__MAIL__PASSWORD belong "
                "together, and one of them is not set. Set both, or leave both out."
            )
        if self.username and self.security == "none":
            raise ValueError(
                "SURGELINE_NOTIFY__MAIL__SECURITY is none, which would send the password in the "
                "clear. Set it to starttls or tls, or leave the login out."
            )
        if self.host and not self.sender:
            raise ValueError(
                "SURGELINE_NOTIFY__MAIL__HOST is set without SURGELINE_NOTIFY__MAIL__SENDER, the "
                "address that mails are from. Set it."
            )


class NotifySettings(Group):
    """Webhooks and e-mail that tell people and programs of alerts."""

    file: Path | None = Field(
        None,
        description="File that says who is told of which alerts (docs/notifications.md); empty "
        "for nobody.",
    )
    public_url: str = Field(
        "",
        max_length=2000,
        description="Address of the console as receivers reach it, for links; empty for none.",
    )
    timeout_s: float = Field(10.0, gt=0, le=300, description="Longest wait for a receiver, s.")
    retry_initial_s: float = Field(
        2.0, gt=0, le=3600, description="Wait after the first failed try, s; doubles each time."
    )
    retry_max_s: float = Field(300.0, gt=0, le=86400, description="Longest wait between tries, s.")
    give_up_hours: float = Field(
        24.0,
        gt=0,
        le=24 * 31,
        description="How long an alert is tried before it is given up, h; `/ready` then says so.",
    )
    digest_s: float = Field(
        30.0,
        ge=0,
        le=3600,
        description="Rest of a receiver of e-mail after a mail, s: alerts that come meanwhile go "
        "together in the next.",
    )
    webhooks: WebhookSettings = WebhookSettings()
    mail: MailSettings = MailSettings()

    @field_validator("file", mode="before")
    @classmethod
    def _no_file(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("public_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        parts = urlsplit(value)
        plain = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        if value and (not plain or parts.query or parts.fragment or not value.isprintable()):
            raise ValueError("an address such as https://surgeline.plant.org is expected")
        return value.rstrip("/")

    def check(self) -> None:
        """Refuse what would be ignored or cannot be.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        self.mail.check()
        self.webhooks.tls.check(
            "notify__webhooks", self.file is not None, "SURGELINE_NOTIFY__FILE to a file"
        )
        if self.retry_initial_s > self.retry_max_s:
            raise ValueError(
                f"SURGELINE_NOTIFY__RETRY_INITIAL_S is {self.retry_initial_s:g} and "
                f"SURGELINE_NOTIFY__RETRY_MAX_S {self.retry_max_s:g}, but the first wait cannot be "
                "longer than the longest. Set the first to less, or the longest to more."
            )
