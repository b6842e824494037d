"""The door: before any route, whose request it is and whether it may; after it, the audit log.

It stands behind the gate (``http/gate.py``), which has refused foreign hosts and foreign pages, and
before ``http/body_gate.py``: nobody's body is read, nor judged, who may not ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.actors import IDENTITY, LOCAL, OPERATOR, forbidden
from api.access.guard import Guard, Identity
from api.access.ports import AccessStore, AuditEntry
from api.access.rights import ANYBODY, ASKING, UNKNOWN_PATH, Needed, needed_for
from api.access.roles import Role
from api.http.gate import ANSWER_BEGINS, ANSWERED, READING_METHODS
from api.http.matching import matched
from api.http.problems import backend_problem, problem_response, retry_after
from common.clock import Clock
from common.errors import BackendError, RequestRefusedError
from common.logs import get_logger

COOKIE: Final = "surgeline_session"
MAX_PATH_CHARS: Final = 300
REFUSED: Final = frozenset({401, 403, 429})

_log = get_logger(__name__)


class Door:
    """ASGI middleware that answers 401, 403 or 429, and writes the audit log.

    Args:
        app: What is behind it.
        access: Returns guard, store and clock of a running app.
        routes: Every route that there is.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Callable[[Any], tuple[Guard, AccessStore, Clock]],
        routes: Sequence[BaseRoute],
    ) -> None:
        self._app = app
        self._routes = routes
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, or answer why not."""
        if scope["type"] not in ANSWERED:
            await self._app(scope, receive, send)
            return
        guard, store, clock = self._access(scope["app"])

        async def noted_send(message: Message) -> None:
            if message["type"] in ANSWER_BEGINS:
                await _note(store, clock, scope, message["status"])
            await send(message)

        try:
            await _let_in(guard, scope, self._routes)
        except RequestRefusedError as exc:
            refusal = problem_response(
                HTTPStatus(exc.status), exc.code, str(exc), headers=_told(exc)
            )
            await refusal(scope, receive, noted_send)
        except BackendError as exc:
            await backend_problem(exc, scope["path"])(scope, receive, noted_send)
        else:
            try:
                await self._app(scope, receive, noted_send)
            except Exception:
                await _note(store, clock, scope, HTTPStatus.INTERNAL_SERVER_ERROR)
                raise


async def _let_in(guard: Guard, scope: Scope, routes: Sequence[BaseRoute]) -> None:
    """Note whose request it is.

    Raises:
        RequestRefusedError: If it may not be.
    """
    method = "GET" if _method(scope) in READING_METHODS else _method(scope)
    address = address_of(scope)
    needed = _needed(routes, scope, method)
    identity = await _identity(guard, scope, address, needed) if guard.keys_on else None
    if identity is not None:
        scope[IDENTITY] = identity
    if guard.keys_on and needed is not None:
        if identity is None:
            raise guard.stranger(address)
        if not identity.key.role.may(needed):
            guard.check_changes(identity.key.prefix)
            raise forbidden(identity.key.role, needed, f"{method} {scope['path']}"[:MAX_PATH_CHARS])
    who = address if identity is None else identity.key.prefix
    if _only_asks(scope):
        guard.check_computations(who)
    elif method != "GET":
        guard.check_changes(who)


def _only_asks(scope: Scope) -> bool:
    """Return whether a request that is no GET changes nothing."""
    return _method(scope) == "POST" and scope["path"] in ASKING


def _needed(routes: Sequence[BaseRoute], scope: Scope, method: str) -> Needed:
    """Return who may call what this request is for; that there is no such method, all are told."""
    # a WebSocket has a GET beside it
    match, path = matched(routes, {**scope, "type": "http", "method": method})
    if match is Match.FULL:
        return needed_for(method, path)
    if match is Match.PARTIAL:
        return ANYBODY
    return UNKNOWN_PATH if method == "GET" else Role.ADMIN


async def _identity(guard: Guard, scope: Scope, address: str, needed: Needed) -> Identity | None:
    """Return whose request it is; none if it bears nothing, or nothing good and needs nothing.

    A request with a key is the key's, whatever cookie it has.
    """
    headers = Headers(scope=scope)
    try:
        if (key := _borne_key(headers)) is not None:
            return await guard.by_key(key, address)
        token = cookie_parser(headers.get("cookie", "")).get(COOKIE)
        if token is not None:
            identity = await guard.by_session(token, address)
            _check_own_page(headers, _method(scope))
            return identity
    except RequestRefusedError as exc:
        if needed is not None or exc.status == HTTPStatus.FORBIDDEN:
            raise
    return None


def _borne_key(headers: Headers) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    return headers.get("x-api-key")


def _check_own_page(headers: Headers, method: str) -> None:
    """Refuse a change that a cookie alone asks for: browsers say which page it comes from.

    That it is our own page, the gate has checked.
    """
    if method in READING_METHODS or "origin" in headers or "sec-fetch-site" in headers:
        return
    raise RequestRefusedError(
        403,
        "foreign_origin",
        "A session may change something from our own page only; programs send the key itself.",
    )


def _method(scope: Scope) -> str:
    """Return how something is asked for; a WebSocket begins as a GET."""
    return str(scope.get("method", "GET"))


def address_of(scope: Scope) -> str:
    """Return where a request comes from."""
    client = scope.get("client")
    return client[0] if client else ""


def _told(exc: RequestRefusedError) -> dict[str, str]:
    if exc.status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": "Bearer"}
    return retry_after(exc)


async def _note(store: AccessStore, clock: Clock, scope: Scope, status: int) -> None:
    """Write what changes something, and what was refused, before the answer goes out.

    What is refused for coming too often is counted and not written: it would fill the log.
    """
    reading = _method(scope) in READING_METHODS or _only_asks(scope)
    if status == HTTPStatus.TOO_MANY_REQUESTS or (reading and status not in REFUSED):
        return
    identity = scope.get(IDENTITY)
    nobody = "" if status in REFUSED else LOCAL
    who = identity.key.name if identity else scope.get(OPERATOR, nobody)
    entry = AuditEntry(
        at=clock.now(),
        who=who,
        prefix=identity.key.prefix if identity else None,
        address=address_of(scope),
        method=_method(scope)[:20],
        path=_shown(scope["path"]),
        status=status,
    )
    try:
        await store.note(entry)
    except BackendError as exc:
        _log.error("the audit log cannot be written", why=str(exc), entry=repr(entry))


def _shown(path: str) -> str:
    """Return a path that any log can keep."""
    return path[:MAX_PATH_CHARS].encode("ascii", "backslashreplace").decode().replace("\0", "\\0")
