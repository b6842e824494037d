"""Work for the processor: a little where one stands, much of it in a thread."""

from __future__ import annotations

import threading

import pytest

from detector.delivery.aside import aside


def thread_of(_: object) -> int:
    return threading.get_ident()


def fails(given: str) -> None:
    raise ValueError(given)


async def test_a_little_is_done_at_once_and_much_in_a_thread() -> None:
    assert await aside(thread_of, None, is_small=True) == threading.get_ident()
    assert await aside(thread_of, None, is_small=False) != threading.get_ident()


@pytest.mark.parametrize("is_small", [True, False])
async def test_what_it_raises_is_raised(is_small: bool) -> None:
    with pytest.raises(ValueError, match="a window of text"):
        await aside(fails, "a window of text", is_small=is_small)
