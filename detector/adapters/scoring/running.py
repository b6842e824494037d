"""A scoring process that runs, seen from the worker."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Final, cast

import numpy as np

from common.settings import without_settings
from detector.adapters.scoring.link import Answer, Asked, NotOpened, receive, send
from detector.ports import ToScore
from models.artifact.opening import recipe_of
from models.scoring.scorer import WindowScorer, WindowScores

GRACE_S: Final = 5.0
"""How long the kernel may take to end a process that was killed."""

MOST_BYTES: Final = 16 * 1024 * 1024
"""Of windows sent at once: twice a batch of a shipped model. Of machines with hundreds of channels
a batch is many times as much, and the process would hold it, the next, and what comes of them."""

Piece = list[tuple[int, ToScore]]
"""Parts of work, each with the number of what it is a part of."""


class ScoringEndedError(Exception):
    """A scoring process is no more, or of no use; the worker still has what it was asked."""


class ScoringProcess:
    """Scores windows elsewhere. Threads may ask side by side; they are answered in turn.

    While one call is scored the next one is on its way, so the process never waits for windows
    when there are some.

    Raises:
        OSError: If no process can be started.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        path = os.pathsep.join(filter(None, sys.path))
        with ours, theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "detector.adapters.scoring.child", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=without_settings(os.environ) | {"PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C is the worker's to hear
            )
            self._link = Connection(ours.detach())
        self._numbers: weakref.WeakKeyDictionary[WindowScorer, int] = weakref.WeakKeyDictionary()
        self._gone: deque[int] = deque()
        self._count = itertools.count()
        self._asking, self._hearing = threading.Lock(), threading.Lock()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def score(self, work: Sequence[ToScore]) -> Sequence[WindowScores]:
        """Return the scores of each, blocking until they are there.

        Args:
            work: Of scorers of which ``recipe_of`` knows how they are made.

        Raises:
            ScoringEndedError: If the process is gone, or goes meanwhile, or cannot open a model.
            Exception: What a scorer raised there.
        """
        shared = by_scorer(work)
        told: list[list[WindowScores]] = [[] for _ in shared]
        for piece in pieces([item for item, _ in shared]):
            scores = self._asked_and_heard([part for _, part in piece])
            for (number, _), part in zip(piece, scores, strict=True):
                told[number].append(part)
        found: dict[int, WindowScores] = {}
        for (_, shares), parts in zip(shared, told, strict=True):
            whole = WindowScores.joined(parts)
            found |= {number: whole[share] for number, share in shares.items()}
        return [found[number] for number in range(len(work))]

    def _asked_and_heard(self, work: Sequence[ToScore]) -> Sequence[WindowScores]:
        try:
            with self._asking:
                send(self._link, self._asked(work))
                self._hearing.acquire()  # before the next asks: answers come in order
            try:
                answer = cast(Answer, receive(self._link))
            finally:
                self._hearing.release()
        except (EOFError, OSError) as exc:
            raise ScoringEndedError(self._why()) from exc
        if isinstance(answer, NotOpened):
            raise ScoringEndedError(f"a model cannot be opened in it: {answer.why}")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """End it, whatever it does: it holds nothing. Whoever waits for it is told."""
        self._process.kill()
        self._process.wait(GRACE_S)
        with self._asking, self._hearing:
            self._link.close()

    def _asked(self, work: Sequence[ToScore]) -> Asked:
        opened = {}
        for item in work:
            if item.scorer not in self._numbers:
                recipe = recipe_of(item.scorer)
                if recipe is None:
                    raise TypeError(f"{item.scorer!r} cannot be opened elsewhere")
                number = self._numbers[item.scorer] = next(self._count)
                opened[number] = recipe
                weakref.finalize(item.scorer, self._gone.append, number).atexit = False
        gone = [self._gone.popleft() for _ in range(len(self._gone))]
        windows = [
            (self._numbers[item.scorer], np.ascontiguousarray(item.windows), item.trail)
            for item in work
        ]
        return Asked(windows, opened, gone)

    def _why(self) -> str:
        try:
            code = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return "it has closed its end, and runs on"
        return f"it ended with signal {-code}" if code < 0 else f"it ended with code {code}"


def by_scorer(work: Sequence[ToScore]) -> list[tuple[ToScore, dict[int, slice]]]:
    """Return work with the windows of each scorer as one: fleets may share a model.

    Returns:
        What is to be scored, and where in it each of ``work`` is, by its number.
    """
    alike: dict[tuple[int, bool], list[int]] = {}
    for number, item in enumerate(work):
        alike.setdefault((id(item.scorer), item.trail is None), []).append(number)
    found = []
    for numbers in alike.values():
        items = [work[number] for number in numbers]
        ends = list(itertools.accumulate(len(item.windows) for item in items))
        shares = {
            number: slice(end - len(item.windows), end)
            for number, item, end in zip(numbers, items, ends, strict=True)
        }
        found.append((_joined(items), shares))
    return found


def _joined(items: Sequence[ToScore]) -> ToScore:
    if len(items) == 1:
        return items[0]
    trails = [item.trail for item in items if item.trail is not None]
    return ToScore(
        items[0].scorer,
        np.concatenate([item.windows for item in items]),
        np.concatenate(trails) if trails else None,
    )


def pieces(work: Sequence[ToScore], most_bytes: int = MOST_BYTES) -> Iterator[Piece]:
    """Cut work into pieces of about so many bytes of windows each, in order, nothing left out.

    Args:
        work: What is to be scored; each of it comes once at least, also if it has no windows.
        most_bytes: At least one window is in a piece all the same.
    """
    piece: Piece = []
    room = most_bytes
    for number, item in enumerate(work):
        each = max(1, item.windows[:1].nbytes)
        first = 0
        while first < len(item.windows) or first == 0:
            some = slice(first, first + max(1, room // each))
            trail = None if item.trail is None else item.trail[some]
            piece.append((number, ToScore(item.scorer, item.windows[some], trail)))
            room -= item.windows[some].nbytes
            first = some.stop
            if room < each:
                yield piece
                piece, room = [], most_bytes
    if piece:
        yield piece
