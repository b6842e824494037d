"""What InfluxDB's answers, and its silence, mean to a caller."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import urllib3
from influxdb_client.rest import ApiException

from common.errors import BackendError, BackendRefusedError, BackendUnavailableError
from common.redaction import without_credentials
from common.tls import tls_refusal

RETRIABLE_STATUSES: Final = frozenset({0, 408, 425, 429})
"""Beside all from 500 on. 0 is the client's word for a failed TLS handshake."""

RETRIABLE_WORDS: Final = ("timeout", "timed out", "interrupted", "limit exceeded", "is closed")
"""InfluxQL reports an overloaded engine in the body of a 200 answer, in words alone."""

_ADVICE: Final = {
    401: "check SURGELINE_SCORES__INFLUX_TOKEN",
    403: "check the rights of SURGELINE_SCORES__INFLUX_TOKEN",
    404: "check SURGELINE_SCORES__INFLUX_BUCKET and SURGELINE_SCORES__INFLUX_ORG",
    413: "lower SURGELINE_DETECTOR__MAX_BATCH_ROWS",
}


TOO_OLD: Final = "points beyond retention policy"
"""What both 1.x (400) and 2.x (422) say when they have kept the other points of a write."""


def is_too_old(exc: ApiException) -> bool:
    """Return whether a write failed in nothing but points older than the bucket keeps."""
    return exc.status in (400, 422) and TOO_OLD in str(exc.body)


def split_address(url: str) -> tuple[str, str]:
    """Return the base address without a slash at its end, and the token that its user info makes.

    ``http://NAME:PASSWORD@HOST`` is how InfluxDB 1.x is often addressed; 1.8 takes the two as a
    token. What is left is safe to be shown and handed to clients, which log it.

    Raises:
        BackendRefusedError: If it is no address.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BackendRefusedError(
            f"SURGELINE_SCORES__INFLUX_URL is {without_credentials(url)!r}; expected "
            "http://HOST:PORT or https://..."
        )
    token = f"{parsed.username}:{parsed.password}" if parsed.userinfo else ""
    return str(parsed.copy_with(userinfo=b"")).rstrip("/"), token


def status_error(url: str, status: int, body: str) -> BackendError:
    """Return the error of an HTTP answer that is not a success, with the server's own message."""
    advice = f"; {_ADVICE[status]}" if status in _ADVICE else ""
    said = without_credentials(_message(body), url)
    message = f"InfluxDB at {without_credentials(url)} answered {status}: {said}{advice}."
    if status in RETRIABLE_STATUSES or status >= 500:
        return BackendUnavailableError(message)
    return BackendRefusedError(message)


def statement_error(url: str, message: str) -> BackendError:
    """Return the error of an InfluxQL statement."""
    said = without_credentials(message, url)
    text = f"InfluxDB at {without_credentials(url)} could not run a query: {said}."
    if any(word in message.lower() for word in RETRIABLE_WORDS):
        return BackendUnavailableError(text)
    if "not found" in message:
        return BackendRefusedError(f"{text} Check SURGELINE_SCORES__INFLUX_BUCKET.")
    return BackendRefusedError(text)


@contextmanager
def influx_errors(url: str) -> Iterator[None]:
    """Turn the errors of both HTTP clients into ours.

    Raises:
        BackendUnavailableError: If nothing answered in time, or the server said to try later.
        BackendRefusedError: If it will answer the same again.
    """
    try:
        yield
    except ApiException as exc:
        if not exc.status and (refused := tls_refusal(exc)) is not None:
            raise _no_connection(url, refused) from exc
        raise status_error(url, exc.status or 0, exc.body or exc.reason or "") from exc
    except (httpx.HTTPError, urllib3.exceptions.HTTPError, OSError) as exc:
        if (refused := tls_refusal(exc)) is not None:
            raise _no_connection(url, refused) from exc
        why = without_credentials(str(exc) or type(exc).__name__, url)
        raise BackendUnavailableError(
            f"InfluxDB at {without_credentials(url)} does not answer: {why}"
        ) from exc


def _no_connection(url: str, why: str) -> BackendRefusedError:
    return BackendRefusedError(f"No connection to InfluxDB at {without_credentials(url)}: {why}.")


def _message(body: str) -> str:
    """Return the message in an error's body: ``message`` in 2.x, ``error`` in 1.x, else all."""
    try:
        answer = json.loads(body)
        message = answer.get("message") or answer.get("error") or body
    except (ValueError, AttributeError):
        message = body
    return str(message).strip()[:500] or "no message"
