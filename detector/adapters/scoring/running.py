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
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Final, cast

import numpy as np

from common.settings import without_settings
from detector.adapters.scoring.link import Answer, Asked, receive, send
from detector.ports import ToScore
from models.artifact.opening import recipe_of
from models.scoring.scorer import WindowScorer, WindowScores

GRACE_S: Final = 5.0
"""How long the kernel may take to end a process that was killed."""


class ScoringEndedError(Exception):
    """A scoring process is no more; what it was asked is not lost, the worker still has it."""


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
            ScoringEndedError: If the process is gone, or goes meanwhile.
            Exception: What a scorer raised there.
        """
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
