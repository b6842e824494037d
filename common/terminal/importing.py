"""Import a program without looking for garbage among its modules."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def imported(load: Callable[[], T]) -> T:
    """Return what ``load`` imports; the garbage collector passes over all that is there by then.

    Modules stay to the end. The collector would look through them again and again while more come,
    and once more when the process ends: more than a third of the processor time that the api takes
    to start and stop.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        return load()
    finally:
        if was_on:
            gc.enable()
        gc.freeze()
