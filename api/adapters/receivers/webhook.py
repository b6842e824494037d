"""Webhooks: signed JSON by POST, one request for each alert, several at a time.

Redirects are not followed: the address is the one that somebody wrote down. Certificates are
verified. Private and loopback addresses are allowed, since plants have little else. What a receiver
answers is not read beyond its status, so that no answer can be too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import httpx

from api.notifications.ports import Failure
from api.notifications.receivers import Webhook
from api.notifications.retries import retry_after
from api.notifications.signing import message_id, signed_headers
from api.notifications.words import Told, webhook_body, webhook_test_body
from common.clock import Clock
from common.tls import tls_refusal

AT_ONCE: Final = 8
"""Requests to one receiver at a time."""

_NOTHING_SECRET: Final = {
    httpx.ConnectTimeout: "it does not answer",
    httpx.ConnectError: "no connection",
    httpx.ReadError: "the connection broke off",
    httpx.RemoteProtocolError: "it does not speak HTTP, or hung up",
}


class WebhookWay:
    """Tells one receiver by webhooks.

    Args:
        webhook: Where, and what signs.
        client: What sends; it follows no redirects.
        public_url: Where the console is; empty where that is not known.
        timeout_s: Longest wait for an answer, s.
        clock: What time it is.
    """

    rest_s = 0.0
    most = AT_ONCE

    def __init__(
        self,
        webhook: Webhook,
        client: httpx.AsyncClient,
        public_url: str,
        timeout_s: float,
        clock: Clock,
    ) -> None:
        self._webhook, self._client, self._public_url = webhook, client, public_url
        self._timeout_s, self._clock = timeout_s, clock

    @property
    def longest_s(self) -> float:
        """All requests of a round run side by side."""
        return self._timeout_s

    async def tell(self, told: Sequence[Told]) -> Sequence[Failure | None]:
        """Send a request for each alert."""
        return await asyncio.gather(*(self._tell(each) for each in told))

    async def test(self) -> str | Failure:
        """Send a request that is a test."""
        now = self._clock.now()
        body = webhook_test_body(now, self._public_url)
        found = await self._post(message_id(f"test-{now.timestamp():.0f}"), body)
        return found if isinstance(found, Failure) else f"HTTP {found}"

    async def _tell(self, told: Told) -> Failure | None:
        body = webhook_body(told, self._public_url)
        found = await self._post(message_id(told.alert.alert_id), body)
        return found if isinstance(found, Failure) else None

    async def _post(self, message: str, body: bytes) -> int | Failure:
        """Return the status of an answer that says yes, or why there is none."""
        sent_at_s = int(self._clock.now().timestamp())
        headers = signed_headers(self._webhook.secrets, message, sent_at_s, body)
        headers |= {"content-type": "application/json", "user-agent": "surgeline"}
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(
                    "POST", self._webhook.url, content=body, headers=headers
                ) as answer,
            ):
                return self._judged(answer)
        except (TimeoutError, httpx.TimeoutException):
            return Failure(f"no answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as exc:
            # never the exception's own text: it may hold the address, and with it a secret
            refused = tls_refusal(exc)
            return Failure(f"no connection: {refused}" if refused else _why(exc))

    def _judged(self, answer: httpx.Response) -> int | Failure:
        if answer.is_success:
            return answer.status_code
        what = f"HTTP {answer.status_code}"
        if answer.is_redirect:
            return Failure(f"{what}: it wants another address; redirects are not followed")
        with suppress(ValueError):  # of a status that nobody has defined
            what = f"{what} {HTTPStatus(answer.status_code).phrase}"
        return Failure(what, retry_after(answer.headers.get("retry-after"), self._clock.now()))


def _why(exc: Exception) -> str:
    for kind, words in _NOTHING_SECRET.items():
        if isinstance(exc, kind):
            return words
    return f"the request failed ({type(exc).__name__})"
