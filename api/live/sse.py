"""A stream over Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent

from api.live.pages import StreamItem
from common.errors import BackendError, RequestRefusedError

STOP_GRACE_S: Final = 2.0
"""How long a stream has to end by itself when the api stops, before it is cut, s."""


def event_source(
    items: AsyncGenerator[StreamItem, None], heartbeat_s: float
) -> EventSourceResponse:
    """Return the answer that sends these items, with heartbeats, until they end."""
    return EventSourceResponse(
        _events(items),
        ping=heartbeat_s,
        ping_message_factory=lambda: ServerSentEvent(comment="heartbeat"),
        shutdown_grace_period=STOP_GRACE_S,
    )


async def _events(
    items: AsyncGenerator[StreamItem, None],
) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield events; of one without a body clients keep the id, and dispatch nothing."""
    try:
        async for item in items:
            if item.body:
                yield ServerSentEvent(id=item.event_id, event=item.event, data=item.body)
            else:
                yield ServerSentEvent(id=item.event_id)
    except (BackendError, RequestRefusedError):
        return  # the log has it; who may not go on is told so when it resumes
    finally:
        await items.aclose()
