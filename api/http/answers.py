"""Answers that may be large are made and written on a thread: others are served meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import Response
from pydantic import BaseModel


async def json_answer(make: Callable[[], BaseModel], *, only_what_is_set: bool = False) -> Response:
    """Return what ``make`` returns, as JSON.

    Args:
        make: Makes it.
        only_what_is_set: Leave out fields that were not given and have their default.
    """
    content = await asyncio.to_thread(
        lambda: make().model_dump_json(exclude_unset=only_what_is_set)
    )
    return Response(content, media_type="application/json")
