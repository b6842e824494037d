"""A defect of the api costs its own request an answer of 500, and no other request anything."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from http import HTTPStatus
from traceback import TracebackException
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.gate import ANSWER_BEGINS, ANSWERED
from api.http.problems import problem_response
from common.logs import get_logger
from common.redaction import without_credentials

REQUEST_ID: Final = "X-Request-ID"

MAX_TRACEBACK_CHARS: Final = 8000
"""About eighty frames. The ends are kept: where it began, and what it was."""

_log = get_logger(__name__)


class Defects:
    """ASGI middleware: names each request, and answers for what raises in it.

    The log gets one event with a plain traceback (no locals, which may hold anything and cost
    seconds to print), made on a thread. Nothing is raised further, or the server would log it once
    more, in its own way, inside the event loop.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on; answer 500 if that fails before an answer began."""
        if scope["type"] not in ANSWERED:
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        began = is_open = False

        async def named_send(message: Message) -> None:
            nonlocal began, is_open
            if message["type"] == "websocket.accept":
                began = is_open = True
            if message["type"] in ANSWER_BEGINS:
                began = True
                message["headers"] = [
                    *message.get("headers", []),
                    (REQUEST_ID.lower().encode(), request_id.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, named_send)
        except Exception as exc:  # noqa: BLE001 - the last stop before the server
            await _report(exc, scope, request_id)
            if not began:
                answer = problem_response(
                    HTTPStatus.INTERNAL_SERVER_ERROR,
                    "internal_error",
                    f"A defect of the api; its log has the traceback, at request_id {request_id}.",
                    request_id=request_id,
                )
                await answer(scope, receive, named_send)
            elif is_open:
                with suppress(Exception):  # it may be closed already
                    await send({"type": "websocket.close", "code": 1011, "reason": request_id})


async def _report(exc: Exception, scope: Scope, request_id: str) -> None:
    text = await asyncio.to_thread(bounded_traceback, exc)
    _log.error(
        "a defect",
        request_id=request_id,
        method=scope.get("method", "GET"),
        path=_shown(scope["path"]),
        exception=text,
    )


def bounded_traceback(exc: BaseException, most_chars: int = MAX_TRACEBACK_CHARS) -> str:
    """Return the traceback without locals; its middle is left out where it is too long."""
    try:
        lines = TracebackException.from_exception(
            exc, limit=-60, capture_locals=False, max_group_width=5, max_group_depth=3, compact=True
        ).format()
        text = "".join(_shown(line, most_chars) for line in lines).rstrip()
    except Exception as broken:  # noqa: BLE001 - an exception may have a __str__ that raises
        return f"{type(exc).__name__}, whose traceback cannot be written ({type(broken).__name__})"
    text = without_credentials(text)
    if len(text) <= most_chars:
        return text
    half = most_chars // 2
    return f"{text[:half]}\n  ... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def _shown(text: str, most_chars: int = 300) -> str:
    """Return text that any log can take: no lone surrogates, and not too long."""
    if len(text) > most_chars:
        text = f"{text[: most_chars // 2]} ... {text[-most_chars // 2 :]}"
    return text.encode(errors="backslashreplace").decode()
