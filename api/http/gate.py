"""What is refused before any route sees it: foreign hosts and pages.

Unless told otherwise the api listens on the loopback address, so that only this machine reaches
it, and asks for no key. A browser on this machine is led astray easily, though: a page may have its
own name point to 127.0.0.1 (DNS rebinding) and read the answers, or send a form here without
reading them. So the ``Host`` must be one of ours, and what changes something must come from no page
or from our own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.bodies import MAX_SHOWN_CHARS
from api.http.problems import problem_response
from common.errors import RequestRefusedError
from common.settings import ApiSettings

READING_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
ANSWERED: Final = frozenset({"http", "websocket"})
"""Kinds of ASGI scopes that a stranger is behind; a refused WebSocket is answered as a request."""

ANSWER_BEGINS: Final = frozenset({"http.response.start", "websocket.http.response.start"})


class Gate:
    """ASGI middleware that answers 421 or 403 to what must not come further.

    Args:
        app: What is behind it.
        is_ours: Tells whether a host is one of ours.
    """

    def __init__(self, app: ASGIApp, is_ours: Callable[[str], bool]) -> None:
        self._app = app
        self._is_ours = is_ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer why not."""
        if scope["type"] not in ANSWERED:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_host(headers.getlist("host"))
            # no browser keeps a page of another origin from reading a WebSocket, as it does answers
            if scope["type"] == "websocket" or scope["method"] not in READING_METHODS:
                _check_origin(headers)
        except RequestRefusedError as exc:
            refusal = problem_response(HTTPStatus(exc.status), exc.code, str(exc))
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
    """Refuse what another page's script or form asks for; other programs say no origin."""
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
        f"This request comes from {shown!r}; pages of other origins may change nothing here, and "
        "open no WebSocket.",
    )


def _netloc(origin: str) -> str | None:
    """Return the ``host:port`` of an origin; none for ``null`` and for what is no origin."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
