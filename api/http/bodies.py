"""Which bodies are let in: JSON of 64 KiB, and on a few paths more, or a file.

A file may come as ``multipart/form-data``, which a foreign page's form can send without asking: the
gate refuses such pages by their origin, and what is done with a file changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from common.errors import RequestRefusedError
from common.settings import ApiSettings

MAX_BODY_BYTES: Final = 64 * 1024
"""The longest sensible body, a replay's, has 2 KB."""

BODY_TIMEOUT_S: Final = 20.0
"""A body that takes longer is given up, s: no one holds a place by sending a byte a minute."""

FILE_TIMEOUT_S: Final = 120.0
"""The same of a file, s."""

FILE_MARGIN_BYTES: Final = 16 * 1024
"""What a form has beside its file."""

MAX_SHOWN_CHARS: Final = 100
CSV_PATH: Final = "/api/v1/detect/csv"
LARGER_JSON: Final = frozenset({"/api/v1/detect", "/api/v1/detect/batch", "/api/v1/predict"})
CSV_TYPES: Final = frozenset({"text/csv", "multipart/form-data"})


@dataclass(frozen=True, slots=True)
class BodyRule:
    """What a body may be.

    Attributes:
        max_bytes: How large.
        is_file: Whether it is a file, which is handed on piece by piece; else it is JSON, and is
            read before any route sees it.
    """

    max_bytes: int = MAX_BODY_BYTES
    is_file: bool = False

    def check_type(self, content_type: str) -> None:
        """Refuse another kind of body.

        Raises:
            RequestRefusedError: 415.
        """
        kind = content_type.partition(";")[0].strip().lower()
        shown = content_type[:MAX_SHOWN_CHARS]
        if self.is_file:
            if kind not in CSV_TYPES:
                raise _unsupported("not_csv", shown, "text/csv or multipart/form-data")
        elif kind != "application/json" and not (
            kind.startswith("application/") and kind.endswith("+json")
        ):
            raise _unsupported("not_json", shown, "application/json")

    def check_size(self, size: int) -> None:
        """Refuse a body that is too large.

        Raises:
            RequestRefusedError: 413.
        """
        if size > self.max_bytes:
            raise RequestRefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "body_too_large",
                f"The body has {size} bytes or more; at most {self.max_bytes} are read.",
            )


RuleOf = Callable[[str], BodyRule]
"""By the path."""


def bodies(settings: ApiSettings) -> RuleOf:
    """Return what tells which bodies a path may have."""
    usual = BodyRule()
    larger = BodyRule(settings.detect_max_bytes)
    file = BodyRule(settings.csv_max_bytes + FILE_MARGIN_BYTES, is_file=True)

    def rule_of(path: str) -> BodyRule:
        path = path.rstrip("/")
        if path == CSV_PATH:
            return file
        return larger if path in LARGER_JSON else usual

    return rule_of


async def checked_body(rule: BodyRule, headers: Headers, receive: Receive) -> Receive:
    """Check a body, and return what hands it on.

    Raises:
        RequestRefusedError: If it must not come further, or does not arrive in time.
    """
    declared = headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and len(declared) < 20:
        rule.check_size(int(declared))
    content_type = headers.get("content-type", "")
    if rule.is_file:
        rule.check_type(content_type)
        return _in_pieces(rule, receive)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _whole(rule, content_type, receive)
    except TimeoutError as exc:
        raise _too_slow(BODY_TIMEOUT_S) from exc


def _too_slow(limit_s: float) -> RequestRefusedError:
    return RequestRefusedError(
        HTTPStatus.REQUEST_TIMEOUT,
        "body_too_slow",
        f"The body did not arrive within {limit_s:g} s.",
    )


async def _whole(rule: BodyRule, content_type: str, receive: Receive) -> Receive:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return _again(message, receive)
        body += message.get("body", b"")
        rule.check_size(len(body))
        if not message.get("more_body", False):
            break
    if body:
        rule.check_type(content_type)
    return _again({"type": "http.request", "body": bytes(body), "more_body": False}, receive)


def _in_pieces(rule: BodyRule, receive: Receive) -> Receive:
    """Return what hands a body on as it comes, and refuses it where it goes too far."""
    size = 0
    until = asyncio.get_running_loop().time() + FILE_TIMEOUT_S
    ended = False

    async def counted() -> Message:
        nonlocal size, ended
        if ended:  # only the client's leaving is waited for
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError as exc:
            raise _too_slow(FILE_TIMEOUT_S) from exc
        size += len(message.get("body", b""))
        rule.check_size(size)
        ended = not message.get("more_body", False)
        return message

    return counted


def _unsupported(code: str, came: str, expected: str) -> RequestRefusedError:
    return RequestRefusedError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        code,
        f"The body's Content-Type is {came!r}; expected {expected}.",
    )


def _again(first: Message, receive: Receive) -> Receive:
    """Return what hands ``first`` on, then whatever comes."""
    waiting = [first]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
