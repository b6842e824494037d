"""Serves the console's files: compressed, checked anew at each visit, and unable to load others."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONSOLE_PATH: Final = "/console"
STATIC: Final = Path(__file__).parent / "static"
LEAST_COMPRESSED_BYTES: Final = 500

POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
"""What the pages may load: files from here, and nothing that stands inside a page."""

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    # an upgrade must not leave a browser with half of the old pages: it asks, and gets a 304
    "Cache-Control": "no-cache",
}


def console_files() -> ASGIApp:
    """Return what serves the console's files."""
    return _Guarded(GZipMiddleware(StaticFiles(directory=STATIC), LEAST_COMPRESSED_BYTES))


def console_page() -> FileResponse:
    """Return the page that all of the console begins with."""
    return FileResponse(STATIC / "index.html", headers=HEADERS)


class _Guarded:
    """ASGI middleware that says with each file what its page may load."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)
