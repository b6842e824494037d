"""Connections over TLS say goodbye before they close; a loop must not end meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio


@pytest_asyncio.fixture(autouse=True)
async def goodbyes() -> AsyncIterator[None]:
    """Leave the loop to connections that close: over TLS they say goodbye first.

    Drivers do not wait for them where they give a connection up, and what is still open when a
    loop ends makes a warning, in whichever test its garbage is found. Whoever imports this has it.
    """
    yield
    selector: Any = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]  # no other way
    async with asyncio.timeout(30):
        while len(selector.get_map()) > 1:  # noqa: ASYNC110 - one is the loop's own
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)
