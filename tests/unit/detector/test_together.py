"""Two steps at once: they fail as one, and leave nothing under way."""

from __future__ import annotations

import asyncio

import pytest

from common.errors import BackendRefusedError
from detector.delivery.together import together


async def returns(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def refuses() -> int:
    await asyncio.sleep(0)
    raise BackendRefusedError("no")


async def waits(ended: list[str]) -> int:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        ended.append("given up")
    return 0


async def test_both_are_done() -> None:
    assert await together(returns(1), returns(2)) == (1, 2)


@pytest.mark.parametrize("is_first", [True, False])
async def test_when_one_fails_the_other_is_given_up_and_the_error_is_its_own(
    is_first: bool,
) -> None:
    ended: list[str] = []
    works = (refuses(), waits(ended)) if is_first else (waits(ended), refuses())

    with pytest.raises(BackendRefusedError, match="no"):
        await together(*works)

    assert ended == ["given up"]


async def test_when_it_is_given_up_both_are() -> None:
    ended: list[str] = []
    task = asyncio.create_task(together(waits(ended), waits(ended)))
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert ended == ["given up"] * 2
