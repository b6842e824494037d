"""Headers that tell browsers how little a page of ours may do, and others what they may not."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.gate import ANSWER_BEGINS, ANSWERED

POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
"""Nothing from elsewhere, nothing inline, in nobody's frame."""

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
NO_STORE: Final = ("/api/", "/info", "/metrics")
"""What no cache may keep: it depends on who asks."""

DOCS: Final = "/docs"
_INLINE: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class SecurityHeaders:
    """ASGI middleware: puts the headers on every answer that has none of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on; the head of its answer gets the headers."""
        if scope["type"] not in ANSWERED:
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        held: Message | None = None

        async def guarded_send(message: Message) -> None:
            nonlocal held
            if message["type"] in ANSWER_BEGINS:
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", POLICY)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if path.startswith(NO_STORE):
                    headers.setdefault("Cache-Control", "no-store")
                if path.rstrip("/") == DOCS:
                    held = message  # its policy names the script that its body holds
                    return
            elif held is not None:
                policy = docs_policy(message.get("body", b""))
                MutableHeaders(scope=held)["Content-Security-Policy"] = policy
                await send(held)
                held = None
            await send(message)

        await self._app(scope, receive, guarded_send)


def docs_policy(page: bytes) -> str:
    """Return the policy of the documentation: its own inline scripts, by digest, and no others.

    Swagger UI sets styles in line, and draws small pictures from data of its own.
    """
    digests = (hashlib.sha256(script).digest() for script in _INLINE.findall(page))
    scripts = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in digests)
    return (
        f"{POLICY}; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:"
    )
