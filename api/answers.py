"""Answers that may be large are made and written on a thread: others are served meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import Response
from pydantic import BaseModel


async def json_answer(make: Callable[[], BaseModel]) -> Response:
    """Return what ``make`` returns, as JSON."""
    content = await asyncio.to_thread(lambda: make().model_dump_json())
    return Response(content, media_type="application/json")
