"""Receivers of notifications on this machine: one of webhooks, one of e-mail, as bad as wanted."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from deploy.local.programs import LOOPBACK

STALLS = "stalls"
HANGS_UP = "hangs up"


@dataclass(frozen=True, slots=True)
class Received:
    """A request.

    Attributes:
        headers: By name in lower case.
        body: Byte for byte.
    """

    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        """Its id."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass(slots=True)
class WebhookReceiver:
    """Answers by a plan.

    Attributes:
        port: Where.
        plan: Given the number of a request, 0 for the first: a status, with further headers on
            lines of their own, ``STALLS`` or ``HANGS_UP``.
        requests: All that came.
        accepted: The ids of those that were taken, as often as they were.
        came: Set whenever something came.
    """

    plan: Callable[[int], str] = lambda _: "200 OK"
    port: int = 0
    requests: list[Received] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Its address, as secret as those of others."""
        return f"http://{LOOPBACK}:{self.port}/hook/very-secret-path"

    async def took(self, count: int, timeout_s: float = 30.0) -> None:
        """Return once so many different messages were taken; the event loop has its rest."""
        async with asyncio.timeout(timeout_s):
            while len(set(self.accepted)) < count:
                self.came.clear()
                await self.came.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers["content-length"]))
        request = Received(headers, body)
        answer = self.plan(len(self.requests))
        self.requests.append(request)
        if answer.startswith("2"):
            self.accepted.append(request.message)
        self.came.set()
        if answer == HANGS_UP:
            return
        if answer == STALLS:
            await reader.read()  # until the other side has had enough
            return
        status, *more = answer.split("\n")
        lines = [f"HTTP/1.1 {status}", *more, "content-length: 0", "connection: close", "", ""]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()


@asynccontextmanager
async def webhook_receiver(
    plan: Callable[[int], str] = lambda _: "200 OK", context: ssl.SSLContext | None = None
) -> AsyncIterator[WebhookReceiver]:
    """Run a receiver of webhooks."""
    receiver = WebhookReceiver(plan)
    running = await asyncio.start_server(receiver.serve, LOOPBACK, 0, ssl=context)
    receiver.port = running.sockets[0].getsockname()[1]
    async with running:
        yield receiver
        running.close()


@dataclass(slots=True)
class MailServer:
    """Takes mails.

    Attributes:
        port: Where.
        mails: What came.
        refusals: Answers to the next mails; then they are taken.
        logins: Who logged in, and with which password.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail, or do not."""
        if self.refusals:
            return self.refusals.pop(0)
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        self.mails.append(mail)
        return "250 taken as 4711"

    def let_in(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, login: Any
    ) -> AuthResult:
        """Let in whoever knows the password."""
        assert isinstance(login, LoginPassword)
        self.logins.append((login.login, login.password))
        return AuthResult(success=login.password == b"open-mail-1f", handled=False)


@asynccontextmanager
async def mail_server(context: ssl.SSLContext | None = None) -> AsyncIterator[MailServer]:
    """Run a mail server; with TLS it wants STARTTLS and a login."""
    mails = MailServer()

    def protocol() -> SMTP:
        return SMTP(
            mails,
            hostname=LOOPBACK,
            tls_context=context,
            require_starttls=context is not None,
            auth_required=context is not None,
            authenticator=mails.let_in,
            loop=asyncio.get_running_loop(),
        )

    running = await asyncio.get_running_loop().create_server(protocol, LOOPBACK, 0)
    mails.port = running.sockets[0].getsockname()[1]
    async with running:
        yield mails
        running.close()
