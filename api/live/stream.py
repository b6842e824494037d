"""The live part of the api: alerts from a given place onwards, each once, none missing.

A stream reads nothing but the history, page after page, each page beyond the last sequence it has
sent; when there is nothing more it waits for the next change. What has just been stored is handed
on from memory, at its place in the history (``pages.py``): there is no second, live source whose
seam could drop or double an alert. Each stream goes at its reader's pace, and shares what it reads
with those at the same place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final

from api.live.allowed import Check, anybody
from api.live.pages import StreamItem, StreamPages
from api.metrics import ApiMetrics
from api.ports import AlertFilter, AlertHistory
from common.errors import BackendError, RequestRefusedError
from common.logs import get_logger

LOOK_AGAIN_S: Final = 15.0
"""A stream looks into the history this often even unrung: another process may have written."""

BEGINNING: Final = "beginning"
"""Stands for the id of the alert before the first one."""

_log = get_logger(__name__)


async def starting_point(
    history: AlertHistory, last_event_id: str | None, *, from_the_first: bool
) -> tuple[int, str]:
    """Return the sequence after which a stream begins, and the id that stands for it.

    Args:
        history: Where to look the id up.
        last_event_id: The last alert the client has seen; it goes before ``from_the_first``.
        from_the_first: Begin with the first alert of all; else with new alerts only.

    Raises:
        RequestRefusedError: 404, if the id is unknown.
    """
    if last_event_id == BEGINNING or (last_event_id is None and from_the_first):
        return 0, BEGINNING
    if last_event_id is None:
        last = await history.last()
        return (last.sequence, last.alert.alert_id) if last else (0, BEGINNING)
    seen = await history.find(last_event_id)
    if seen is None:
        raise unknown_event_id(last_event_id, await history.removed_until())
    return seen.sequence, last_event_id


def unknown_event_id(given: str, removed_until: datetime | None = None) -> RequestRefusedError:
    """Return the refusal of an id from which nobody could say what was missed."""
    return RequestRefusedError(
        404,
        "unknown_event_id",
        f"No alert has the id {given!r}{removed_words(removed_until)}, so it is not known where to "
        "go on. Leave Last-Event-ID out for new alerts only, or ask for ?replay=all.",
    )


def removed_words(removed_until: datetime | None) -> str:
    """Return what to add where an alert is not found: that it may have been removed."""
    if removed_until is None:
        return ""
    return f" (alerts of readings up to {removed_until:%Y-%m-%dT%H:%M:%SZ} have been removed)"


async def follow(
    pages: StreamPages, after: int, wanted: AlertFilter, may_go_on: Check = anybody
) -> AsyncGenerator[StreamItem, None]:
    """Yield the wanted alerts beyond sequence ``after``, in order, until the signal is closed.

    Raises:
        RequestRefusedError: Once who reads them may not any more.
    """
    changed = pages.changed
    while not changed.closed:
        await may_go_on()
        count = changed.count
        page = await pages.read(wanted, after, count)
        for item in page.items:
            yield item
            after = item.sequence
        if page.is_full:
            continue
        after = max(after, page.head)
        await changed.wait_beyond(count, LOOK_AGAIN_S)


async def told(
    items: AsyncGenerator[StreamItem, None], start_id: str, metrics: ApiMetrics
) -> AsyncGenerator[StreamItem, None]:
    """Yield what a client is sent, over whatever transport, and count it.

    The first has an id and no body: the place where the client came in. One that is cut off before
    the first alert resumes from there.

    Raises:
        BackendError: If the history cannot be read. The answer has begun, so no status can say it.
            The client resumes by id once it is cut.
    """
    metrics.sse_subscribers.inc()
    try:
        yield StreamItem(0, start_id, "", "")
        async for item in items:
            yield item
            metrics.sse_events.inc()
            # A write that does not have to wait lets nobody else run, not even who would tell that
            # the reader has gone: each further write to it would be a warning in the log.
            await asyncio.sleep(0)
    except BackendError as exc:
        _log.warning("a stream ended early", why=str(exc))
        raise
    finally:
        metrics.sse_subscribers.dec()
        await items.aclose()
