"""HEAD for every GET: the same answer without its body."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: asks for a GET, and lets only its head through.

    A body without end is not waited for: once the head is out, the app is told that the client has
    gone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on as a GET if it is a HEAD."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        began = asyncio.Event()
        asked = False

        async def head_receive() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await began.wait()
            return {"type": "http.disconnect"}

        async def head_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                began.set()

        scope["method"] = "GET"
        await self._app(scope, head_receive, head_send)
