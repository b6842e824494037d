"""What is refused before any route sees it: foreign hosts, foreign pages, bodies that are no JSON.

Unless told otherwise the api listens on the loopback address, so that only this machine reaches
it, and asks for no key. A browser on this machine is led astray easily, though: a page may have its
own name point to 127.0.0.1 (DNS rebinding) and read the answers, or send a form here without
reading them. So the ``Host`` must be one of ours, and what changes something must come from no page
or from our own.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import problem_response
from common.errors import RequestRefusedError
from common.settings import ApiSettings

MAX_BODY_BYTES: Final = 64 * 1024
"""The longest sensible body, a replay's, has 2 KB."""

BODY_TIMEOUT_S: Final = 20.0
"""A body that takes longer is given up, s: no one holds a place by sending a byte a minute."""

MAX_SHOWN_CHARS: Final = 100
READING_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """ASGI middleware that answers 421, 403, 415 or 413 to what must not come further."""

    def __init__(self, app: ASGIApp, is_ours: Callable[[str], bool]) -> None:
        self._app = app
        self._is_ours = is_ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_host(headers.getlist("host"))
            if scope["method"] not in READING_METHODS:
                _check_origin(headers)
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    receive = await _checked_body(headers, receive)
        except RequestRefusedError as exc:
            refusal = problem_response(HTTPStatus(exc.status), exc.code, str(exc))
            await refusal(scope, receive, send)
            return
        except TimeoutError:
            late = f"The body did not arrive within {BODY_TIMEOUT_S:g} s."
            refusal = problem_response(HTTPStatus.REQUEST_TIMEOUT, "body_too_slow", late)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_host(self, given: Sequence[str]) -> None:
        if len(given) == 1 and self._is_ours(host_of(given[0])):
            return
        shown = ", ".join(given)[:MAX_SHOWN_CHARS]
        raise RequestRefusedError(
            HTTPStatus.MISDIRECTED_REQUEST,
            "foreign_host",
            f"The header Host is {shown!r}; expected a name this api goes by. If it is one, add it "
            "to SURGELINE_API__ALLOWED_HOSTS.",
        )


def ours(settings: ApiSettings) -> Callable[[str], bool]:
    """Return what tells whether a host is one of ours.

    Ours are ``localhost``, the loopback addresses, ``SURGELINE_API__HOST`` and
    ``SURGELINE_API__ALLOWED_HOSTS``. An api that listens beyond the loopback address also goes by
    any plain address: no page can make one its own, which is why only names are dangerous.
    """
    listed = {host_of(item.strip()) for item in settings.allowed_hosts.split(",") if item.strip()}
    names = {"localhost", host_of(settings.host), *listed}
    listens_beyond = not is_loopback(settings.host)

    def is_ours(host: str) -> bool:
        if "*" in listed or host in names or is_loopback(host):
            return True
        return listens_beyond and _address(host) is not None

    return is_ours


def host_of(authority: str) -> str:
    """Return the host of ``host:port``, in small letters, without brackets and a last dot.

    Example:
        >>> host_of("LocalHost:8080"), host_of("[::1]:8080"), host_of("::1")
        ('localhost', '::1', '::1')
    """
    authority = authority.strip().lower()
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    host = authority if authority.count(":") > 1 else authority.partition(":")[0]
    return host.removesuffix(".")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _check_origin(headers: Headers) -> None:
    """Refuse a change that another page's script or form asks for; other programs say no origin."""
    origins = headers.getlist("origin")
    own = headers.get("host", "").lower()
    foreign = [item for item in origins if _netloc(item) != own]
    site = headers.get("sec-fetch-site", "none")
    if not foreign and site in ("none", "same-origin"):
        return
    shown = ", ".join(foreign)[:MAX_SHOWN_CHARS] or f"a page elsewhere ({site[:MAX_SHOWN_CHARS]})"
    raise RequestRefusedError(
        HTTPStatus.FORBIDDEN,
        "foreign_origin",
        f"This request comes from {shown!r}; pages of other origins may change nothing here.",
    )


def _netloc(origin: str) -> str | None:
    """Return the ``host:port`` of an origin; none for ``null`` and for what is no origin."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


async def _checked_body(headers: Headers, receive: Receive) -> Receive:
    """Read the body, and return what hands it on."""
    declared = headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and len(declared) < 20:
        _check_size(int(declared))
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return _again(message, receive)
        body += message.get("body", b"")
        _check_size(len(body))
        if not message.get("more_body", False):
            break
    if body:
        _check_type(headers.get("content-type", ""))
    return _again({"type": "http.request", "body": body, "more_body": False}, receive)


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise RequestRefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "body_too_large",
            f"The body has {size} bytes or more; at most {MAX_BODY_BYTES} are read.",
        )


def _check_type(content_type: str) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise RequestRefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            f"The body's Content-Type is {content_type[:MAX_SHOWN_CHARS]!r}; expected "
            "application/json.",
        )


def _again(first: Message, receive: Receive) -> Receive:
    """Return what hands ``first`` on, then whatever comes."""
    waiting = [first]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
