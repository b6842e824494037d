"""Who is told of which alerts: one file, read at the start, whose errors are explained."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from api.notifications.signing import read_secrets
from common.errors import ReceiversError
from common.files.secret import secret_from
from common.files.toml import built_of_toml, read_toml_text
from common.fleets import load_fleets
from common.records.alerts import Alert, Transition
from common.records.ids import FleetName
from common.records.verdicts import Level
from common.settings import NotifySettings, Settings
from common.settings.groups.address import LONGEST_ADDRESS, MAIL_ADDRESS
from common.terminal.nearest import suggestion

MOST_RECEIVERS: Final = 50
"""Each has a task of its own in every api."""

MOST_ADDRESSES: Final = 50
NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,63}$"
LONGEST_URL: Final = 4000
_MEND: Final = "Mend the file of SURGELINE_NOTIFY__FILE, or leave the variable out for none."


@dataclass(frozen=True, slots=True)
class Webhook:
    """A program that is told by HTTP.

    Attributes:
        url: Where; may hold a secret of its own, so only :attr:`shown` is for people.
        secrets: What signs the messages.
    """

    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)

    @property
    def shown(self) -> str:
        """Scheme and host of the address: the path of many services' webhooks is a password."""
        parts = urlsplit(self.url)
        port = "" if parts.port is None else f":{parts.port}"
        return f"{parts.scheme}://{parts.hostname}{port}"


@dataclass(frozen=True, slots=True)
class Mail:
    """People who are told by e-mail.

    Attributes:
        addresses: Whose.
    """

    addresses: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The addresses."""
        return ", ".join(self.addresses)


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver, and which alerts it is told of.

    Attributes:
        name: Of its own; another name is another receiver.
        way: How it is told.
        fleets: Only these; none for all.
        levels: Only these.
        states: Only these transitions.
    """

    name: str
    way: Webhook | Mail
    fleets: frozenset[str] | None = None
    levels: frozenset[Level] = frozenset({Level.WARNING, Level.CRITICAL})
    states: frozenset[Transition] = frozenset(Transition)

    def wants(self, alert: Alert) -> bool:
        """Return whether it is told of this alert."""
        return (
            (self.fleets is None or alert.fleet in self.fleets)
            and alert.level in self.levels
            and alert.state in self.states
        )


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    webhook: SecretStr | None = None
    secret_file: Path | None = None
    mail: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_ADDRESSES)] | None = None
    fleets: Annotated[frozenset[FleetName], Field(min_length=1)] | None = None
    levels: Annotated[frozenset[Level], Field(min_length=1)] = frozenset(
        {Level.WARNING, Level.CRITICAL}
    )
    states: Annotated[frozenset[Transition], Field(min_length=1)] = frozenset(Transition)

    @model_validator(mode="after")
    def _one_way(self) -> _Entry:
        if (self.webhook is None) == (self.mail is None):
            raise ValueError("either webhook or mail is expected, and not both")
        if self.secret_file is not None and self.webhook is None:
            raise ValueError("secret_file signs webhooks, and this receiver has none")
        if Level.NONE in self.levels:
            raise ValueError("levels are warning and critical")
        for address in self.mail or ():
            if len(address) > LONGEST_ADDRESS or not re.fullmatch(MAIL_ADDRESS, address):
                raise ValueError(f"mail: {address[:100]!r} came; an address a@b.org is expected")
        if self.webhook is not None:
            _check_url(self.webhook.get_secret_value())
        return self


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    receiver: Annotated[
        dict[Annotated[str, Field(pattern=NAME_PATTERN)], _Entry],
        Field(min_length=1, max_length=MOST_RECEIVERS),
    ]


def _check_url(url: str) -> None:
    """Refuse what is no address, without showing it: it may hold a secret."""
    expected = "webhook: an address such as https://receiver.plant.org/hook is expected"
    try:
        parts = urlsplit(url)
        port = parts.port
        host = httpx.URL(url).host  # as what sends will read it: names in punycode can be none
    except (ValueError, httpx.InvalidURL):
        raise ValueError(expected) from None
    usable = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    if (
        parts.scheme not in ("http", "https")
        or not host
        or not parts.hostname
        or not usable
        or port == 0
    ):
        raise ValueError(expected)
    if "@" in parts.netloc:
        raise ValueError("webhook: no user and password are expected in the address")


def load_receivers(settings: Settings) -> tuple[Receiver, ...]:
    """Return the receivers of the file that ``SURGELINE_NOTIFY__FILE`` names; none without one.

    Raises:
        ReceiversError: If the file cannot be read, or says what none may say.
        SettingsError: If a secret cannot be read.
        FleetsError: If receivers name fleets, and the file of fleets cannot be read.
    """
    notify = settings.notify
    if notify.file is None:
        return ()
    text = read_toml_text(notify.file, "a file of receivers", ReceiversError, _MEND)
    found = parse_receivers(text, str(notify.file), notify, notify.file.parent)
    if any(each.fleets is not None for each in found):
        _check_fleets(found, load_fleets(settings), str(notify.file))
    return found


def parse_receivers(
    text: str, source: str, settings: NotifySettings, folder: Path
) -> tuple[Receiver, ...]:
    """Return the receivers that a TOML text names.

    Args:
        text: The file's content: a table ``[receiver.NAME]`` each.
        source: Its name, for messages.
        settings: The mail server, and the secret of webhooks that have none of their own.
        folder: Where files of secrets are, unless their names say it.

    Raises:
        ReceiversError: Naming ``source``, the entry at fault and what was expected.
        SettingsError: If a file of a secret cannot be read.
    """
    file = built_of_toml(text, source, ReceiversError, _File.model_validate, _first)
    return tuple(
        Receiver(
            name,
            _way(name, entry, source, settings, folder),
            entry.fleets,
            entry.levels,
            entry.states,
        )
        for name, entry in file.receiver.items()
    )


def _way(
    name: str, entry: _Entry, source: str, settings: NotifySettings, folder: Path
) -> Webhook | Mail:
    if entry.mail is not None:
        if not settings.mail.host:
            raise ReceiversError(
                f"{source}: receiver.{name} has mail, but there is no mail server. Set "
                "SURGELINE_NOTIFY__MAIL__HOST and SURGELINE_NOTIFY__MAIL__SENDER."
            )
        return Mail(entry.mail)
    assert entry.webhook is not None  # noqa: S101 - the entry has one way
    return Webhook(
        entry.webhook.get_secret_value(), _secrets(name, entry, source, settings, folder)
    )


def _secrets(
    name: str, entry: _Entry, source: str, settings: NotifySettings, folder: Path
) -> tuple[bytes, ...]:
    where = "SURGELINE_NOTIFY__WEBHOOKS__SECRET"
    text = settings.webhooks.secret.get_secret_value()
    if entry.secret_file is not None:
        where = f"secret_file of receiver.{name} in {source}"
        text = secret_from(where, folder / entry.secret_file)
    if not text:
        raise ReceiversError(
            f"{source}: receiver.{name} has no secret to sign with. Name a file with secret_file, "
            "or set SURGELINE_NOTIFY__WEBHOOKS__SECRET; `surgeline notify secret` prints a new one."
        )
    try:
        return read_secrets(text)
    except ValueError as exc:
        raise ReceiversError(f"{where}: {exc}.") from None


def _check_fleets(
    receivers: Collection[Receiver], known: Mapping[str, object], source: str
) -> None:
    """Refuse a fleet that there is none of: nobody would ever be told of it."""
    for receiver in receivers:
        for fleet in sorted(receiver.fleets or ()):
            if fleet not in known:
                raise ReceiversError(
                    f"{source}: receiver.{receiver.name} names the fleet {fleet!r}; there are "
                    f"{', '.join(sorted(known))}.{suggestion(fleet, known)}"
                )


def _first(exc: ValidationError) -> str:
    first = exc.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part != "[key]")
    more = f" ({exc.error_count() - 1} more)" if exc.error_count() > 1 else ""
    return (
        f"{place}: {first['msg'].removeprefix('Value error, ')}{more}. Expected for each receiver "
        'a table such as [receiver.shift] with mail = ["shift@plant.org"] or webhook = '
        '"https://...", and perhaps fleets, levels, states and secret_file.'
    )
