"""TLS, the same for every server: files, passwords, and what would be ignored."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from common.settings.groups.group import Group
from common.settings.names import variable_name


class TlsSettings(Group):
    """TLS to a server."""

    ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that may vouch for the server; empty for those "
        "of this system.",
    )
    cert_file: Path | None = Field(
        None,
        description="PEM file of the certificate that we show, with its chain; empty for none.",
    )
    key_file: Path | None = Field(
        None, description="PEM file of its private key; empty where the certificate's file has it."
    )
    key_password: SecretStr = Field(SecretStr(""), description="Password of the private key.")
    check_hostname: bool = Field(
        True,
        description="Refuse a server whose certificate is for another name. The certificate itself "
        "is always verified.",
    )

    @field_validator("ca_file", "cert_file", "key_file", mode="before")
    @classmethod
    def _no_file(cls, value: object) -> object:
        return None if value == "" else value

    @property
    def given(self) -> bool:
        """Whether any of it is set."""
        return self != type(self)()

    def check(self, group: str, used: bool, how: str) -> None:
        """Refuse what would be ignored.

        Args:
            group: Where it stands in all settings, such as ``kafka``.
            used: Whether the connection speaks TLS.
            how: What to set so that it does.

        Raises:
            ValueError: Naming the variables, and what to set.
        """
        if self.given and not used:
            raise ValueError(
                f"{variable_name((group, 'tls'))}__* is set, but the connection does not use TLS. "
                f"Set {how}, or leave them out."
            )
        if self.cert_file is None and (self.key_file or self.key_password.get_secret_value()):
            raise ValueError(
                f"{variable_name((group, 'tls', 'key_file'))} or its password is set without a "
                f"certificate. Set {variable_name((group, 'tls', 'cert_file'))}, or leave them out."
            )
