"""Leaving the consumer group, whatever becomes of it: the worker goes on to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from detector.app import _stopped


class App:
    """Stops as it is told to."""

    def __init__(self, stop: Callable[[], Awaitable[None]]) -> None:
        self.stop = stop


async def in_time() -> None:
    await asyncio.sleep(0)


async def fails() -> None:
    raise ConnectionError("the broker is gone")


async def is_cancelled() -> None:
    raise asyncio.CancelledError  # as a commit is whose thread has died


async def hangs() -> None:
    await asyncio.sleep(3600)


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        pytest.param(in_time, [], id="in time"),
        pytest.param(fails, ["the group may not be left"], id="it fails"),
        pytest.param(is_cancelled, ["the group may not be left"], id="it is cancelled"),
        pytest.param(hangs, ["the group is not left"], id="it hangs"),
    ],
)
async def test_a_worker_goes_on_to_its_end_whatever_becomes_of_leaving(
    stop: Callable[[], Awaitable[None]], said: list[str]
) -> None:
    with capture_logs() as logs:
        await _stopped(cast("Any", App(stop)), 0.1)

    assert [entry["event"] for entry in logs] == said
