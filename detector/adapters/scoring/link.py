"""What a worker and its scoring process send each other: objects, their arrays as they lie.

Both ends are of one program and one machine, over a pair of sockets nobody else has.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.artifact.opening import Recipe
from models.scoring.history import Trail
from models.scoring.scorer import WindowScores

WITH_BUFFERS: Final = 5
"""The protocol of pickle that lets arrays lie where they are."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be scored.

    Attributes:
        windows: By call: the model's number, windows as a scorer takes them, and their trail.
        opened: Models asked for the first time, by number.
        gone: Numbers of models nobody will ask for again.
    """

    windows: Sequence[tuple[int, NDArray[np.float32], Trail | None]]
    opened: Mapping[int, Recipe] = field(default_factory=dict)
    gone: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class NotOpened:
    """A model cannot be opened there, although it was opened here.

    Attributes:
        why: What was raised.
    """

    why: str


Answer = Sequence[WindowScores] | Exception | NotOpened
"""Scores in the order of the calls, or what a scorer raised."""


def send(link: Connection, value: object) -> None:
    """Send an object; returns when the other end has taken all but the last of it.

    Raises:
        OSError: If the other end is gone.
    """
    buffers: list[pickle.PickleBuffer] = []
    body = pickle.dumps(value, WITH_BUFFERS, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    link.send([view.nbytes for view in views])
    link.send_bytes(body)
    for view in views:
        link.send_bytes(view)


def receive(link: Connection) -> object:
    """Wait for an object, and return it.

    Raises:
        EOFError: If the other end is gone.
        OSError: If it went in the middle of one.
    """
    buffers = [np.empty(size, np.uint8) for size in link.recv()]
    body = link.recv_bytes()
    for buffer in buffers:
        link.recv_bytes_into(buffer.data)
    return pickle.loads(body, buffers=buffers)  # noqa: S301 - nobody else holds the other end
