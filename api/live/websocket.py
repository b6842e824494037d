"""A stream over a WebSocket: the same items as Server-Sent Events, each one JSON text.

The connection only sends. Whatever a client sends ends it, with a code and a reason that say why;
so nothing that strangers send is kept, and a client that does not read is written nothing more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing, suppress
from typing import Final, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from api.live.pages import StreamItem
from common.errors import BackendError, RequestRefusedError

HEARTBEAT: Final = '{"event":"heartbeat"}'
CLOSE_TIMEOUT_S: Final = 2.0
"""How long to wait for a client that does not read to be told why it is cut, s."""

MAX_MESSAGE_BYTES: Final = 4096
"""The longest that is read of what a client sends; what is longer is closed with 1009."""


class Ending(NamedTuple):
    """Why a connection ends: the code and the reason of RFC 6455."""

    code: int
    reason: str


STOPPED: Final = Ending(1012, "the api stops: resume with the last id")
NO_HISTORY: Final = Ending(1013, "the history does not answer: resume with the last id, later")
KEY_ENDED: Final = Ending(1008, "the key or session of this stream has ended")
BYTES: Final = Ending(1003, "this stream takes no messages, and no bytes at all")
MESSAGE: Final = Ending(1008, "this stream takes no messages: resume with last_event_id")


async def serve_socket(
    socket: WebSocket, items: AsyncGenerator[StreamItem, None], heartbeat_s: float
) -> None:
    """Accept a connection and send these items, with heartbeats, until they or the client end."""
    async with aclosing(items):
        await socket.accept()
        ending = await _first_of(
            _sending(socket, items), _listening(socket), _beating(socket, heartbeat_s)
        )
    if ending is not None:
        # a client that is gone needs no telling, and one that does not read hears nothing
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await socket.close(ending.code, ending.reason)


def message_of(item: StreamItem) -> str:
    """Return an item as it is sent. A body is JSON already, and goes out byte for byte.

    Example:
        >>> message_of(StreamItem(1, "b", "raised", '{"x": 1}'))
        '{"id":"b","event":"raised","data":{"x": 1}}'
    """
    place = f'{{"id":{json.dumps(item.event_id)}'
    if not item.body:
        return place + "}"
    return f'{place},"event":{json.dumps(item.event)},"data":{item.body}}}'


async def _first_of(*works: Coroutine[None, None, Ending | None]) -> Ending | None:
    """Return what the first to end returns; the others are cancelled, and waited for."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return next(task for task in tasks if task in done).result()


async def _sending(socket: WebSocket, items: AsyncGenerator[StreamItem, None]) -> Ending | None:
    try:
        async for item in items:
            await socket.send_text(message_of(item))
    except BackendError:
        return NO_HISTORY
    except RequestRefusedError:
        return KEY_ENDED
    except WebSocketDisconnect:
        return None
    return STOPPED


async def _listening(socket: WebSocket) -> Ending | None:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    return MESSAGE if message.get("bytes") is None else BYTES


async def _beating(socket: WebSocket, every_s: float) -> Ending | None:
    """Keep the line open, and let clients tell one that is dead."""
    try:
        while True:
            await asyncio.sleep(every_s)
            await socket.send_text(HEARTBEAT)
    except WebSocketDisconnect:
        return None
