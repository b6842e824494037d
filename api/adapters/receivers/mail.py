"""E-mail over SMTP: one mail for all alerts that wait, and then a rest in which others gather."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Final

import aiosmtplib

from api.notifications.ports import Failure
from api.notifications.receivers import Mail
from api.notifications.words import Told, alert_mail, mail_of_test
from common.clock import Clock
from common.logs import get_logger
from common.settings import NotifySettings
from common.terminal.printable import one_line
from common.tls import tls_refusal

MOST_IN_ONE: Final = 500
"""Alerts told of in one mail."""

STEPS: Final = 4
"""Of a delivery, each with a time limit of its own: connect and TLS, login, addresses, text."""

LONGEST_WORDS: Final = 200

_log = get_logger(__name__)


class MailWay:
    """Tells one receiver by e-mail.

    Args:
        name: The receiver, as the file names it.
        mail: Whose addresses.
        settings: Server, login and sender; how long to rest.
        context: What verifies the server; none where there is no TLS.
        clock: What time it is.
    """

    most = MOST_IN_ONE

    def __init__(
        self,
        name: str,
        mail: Mail,
        settings: NotifySettings,
        context: ssl.SSLContext | None,
        clock: Clock,
    ) -> None:
        self._name, self._to, self._settings = name, mail.addresses, settings
        self._context, self._clock = context, clock

    @property
    def rest_s(self) -> float:
        """From one mail to the next."""
        return self._settings.digest_s

    @property
    def longest_s(self) -> float:
        """Of all steps together."""
        return STEPS * self._settings.timeout_s

    async def tell(self, told: Sequence[Told]) -> Sequence[Failure | None]:
        """Send one mail about all of them."""
        settings = self._settings
        mail = alert_mail(
            told,
            settings.mail.sender,
            self._to,
            self._name,
            settings.public_url,
            self._clock.now(),
        )
        found = await self._send(mail)
        return [found if isinstance(found, Failure) else None] * len(told)

    async def test(self) -> str | Failure:
        """Send a mail that is a test."""
        mail = mail_of_test(
            self._settings.mail.sender,
            self._to,
            self._name,
            self._clock.now(),
            f"test-{uuid.uuid4()}",
        )
        return await self._send(mail)

    async def _send(self, mail: EmailMessage) -> str | Failure:
        """Return what the server said when it took the mail, or why it did not."""
        server = self._settings.mail
        at = f"{server.host}:{server.port}"
        try:
            async with asyncio.timeout(self.longest_s), self._client() as client:
                refused, said = await client.send_message(mail)
        except TimeoutError:
            return Failure(f"{at} did not take the mail within {self.longest_s:g} s")
        except (aiosmtplib.SMTPException, OSError) as exc:
            untrusted = tls_refusal(exc)
            return Failure(f"{at}: {untrusted or _words(exc)}")
        except ValueError as exc:
            return Failure(f"{at}: {_shown(str(exc))}")
        if refused:  # some of the addresses; to all others the mail is on its way
            _log.warning("a mail was refused for some", receiver=self._name, who=sorted(refused))
            return f"{_shown(said)}; refused for {_shown(', '.join(refused))}"
        return _shown(said)

    def _client(self) -> aiosmtplib.SMTP:
        server = self._settings.mail
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password.get_secret_value() or None,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=self._context,
            timeout=self._settings.timeout_s,
        )


def _words(exc: Exception) -> str:
    """Return what the server said, for a person. It never says a password: it was given one."""
    match exc:
        case aiosmtplib.SMTPAuthenticationError():
            return f"it refuses the login ({exc.code} {_shown(exc.message)})"
        case aiosmtplib.SMTPRecipientsRefused():
            first = exc.recipients[0] if exc.recipients else None
            said = "" if first is None else f" ({first.code} {_shown(first.message)})"
            return f"it refuses the addresses{said}"
        case aiosmtplib.SMTPResponseException():
            return f"{exc.code} {_shown(exc.message)}"
        case aiosmtplib.SMTPConnectError() | OSError():
            return "no connection"
        case _:
            return _shown(str(exc)) or type(exc).__name__


def _shown(text: str) -> str:
    return one_line(text)[:LONGEST_WORDS]
