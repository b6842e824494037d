"""How a worker ends: politely if it can, but always, and soon (docs/decisions/0007).

Whatever makes it end, the same happens: it leaves the consumer group, so that others serve its
partitions at once, and closes what it has open, all within a deadline. A thread of its own watches
the deadline. When it has passed, the process ends where it stands, whatever hangs: an adapter that
does not close, a thread in a lock, a blocked event loop. That is as safe as ``kill -9`` is
(docs/failures.md), and the broker gives its partitions away after the session timeout.

Exit codes: 0, it was asked to stop and stopped in time; 2, a person must mend something before it
can start; 1, anything else.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from common.errors import SurgelineError, UserError
from common.logs import get_logger
from common.terminal.cli import FAILURE_EXIT, USER_ERROR_EXIT
from common.tracebacks import one_line

LEAVE_S = 8.0
"""Longest wait for leaving the group, s. It takes about one; a loaded machine may need several."""

CLOSE_S = 2.0
"""Time after that for closing the adapters, s."""

LAST_WORDS_S: Final = 1.0
"""Longest wait for the last line of the log, s: whoever reads the log may have stopped reading."""

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

logger = get_logger(__name__)

Asked = Callable[[int], None]
"""Told how often the worker has been asked to stop. Called from the watching thread."""


class Ending:
    """Why this process ends, with which exit code, and by when at the latest.

    Args:
        grace_s: How long a worker that is asked to stop may go on with its batch, s.
        end: Ends the process at once; tests give another.
    """

    def __init__(self, grace_s: float, end: Callable[[int], object] = os._exit) -> None:
        self._grace_s = grace_s
        self._end = end
        self._deadline = float("inf")
        self._times_asked = 0
        self._why = ""
        self._code = 0
        self._serving = False
        self._listener: Asked = lambda _: None
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    @property
    def failed(self) -> bool:
        """Whether it ends because something failed."""
        return self._code != 0

    def watch(self) -> None:
        """Listen for SIGTERM and SIGINT, and watch the deadline. Main thread only.

        A signal wakes the watching thread from within the interpreter's own handler, so that it is
        heard while the main thread is busy or hangs.
        """
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="ending", daemon=True).start()

    def listen(self, listener: Asked) -> None:
        """Have ``listener`` told, also of what was asked before."""
        self._listener = listener
        if self._times_asked:
            listener(self._times_asked)

    def serving(self) -> None:
        """Note that the worker has started; what fails now is no mistake in its settings."""
        self._serving = True

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note what the block raises, and let it pass: whoever unwinds may take too long."""
        try:
            yield
        except BaseException as exc:
            self.fails(exc)
            raise

    def fails(self, exc: BaseException) -> None:
        """End because of ``exc``. The first failure is the one that counts."""
        if self.failed:
            return
        mistake = isinstance(exc, UserError) and not self._serving
        self._code = USER_ERROR_EXIT if mistake else FAILURE_EXIT
        self._why = one_line(exc)
        expected = isinstance(exc, SurgelineError)
        logger.error(
            "the worker fails, and ends", why=self._why, exc_info=None if expected else exc
        )
        self._end_within(LEAVE_S + CLOSE_S)

    def run(self, main: Callable[[], Coroutine[None, None, None]]) -> int:
        """Run a worker to its end; return the exit code. The last line of the log says the same.

        The deadline stays: it also covers threads that would keep the interpreter from ending.
        """
        # noted and logged, and the exit code tells; nobody cancels a worker but what failed in it
        with suppress(Exception, asyncio.CancelledError), self.noting():
            asyncio.run(main())
        self._say("the worker has ended")
        return self._code

    def _end_within(self, seconds: float) -> None:
        self._deadline = min(self._deadline, time.monotonic() + seconds)
        self._writer.send(b"\0")  # wakes the watching thread

    def _watch(self) -> None:
        while True:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                self._force()
                return
            wait_s = None if left_s == float("inf") else left_s
            if select.select([self._reader], [], [], wait_s)[0]:
                for number in self._reader.recv(4096):
                    if number in SIGNALS:
                        self._asked(signal.Signals(number))

    def _asked(self, number: signal.Signals) -> None:
        self._times_asked += 1
        if not self.failed:
            self._why = f"asked to stop ({number.name})"
        grace_s = self._grace_s if self._times_asked == 1 else 0.0
        self._end_within(grace_s + LEAVE_S + CLOSE_S)
        with suppress(RuntimeError):  # the loop that would hear it has ended
            self._listener(self._times_asked)

    def _force(self) -> None:
        if not self.failed:
            self._code = FAILURE_EXIT
            self._why += " and did not stop in time"
        words = threading.Thread(
            target=self._say, args=("the worker did not end by itself",), daemon=True
        )
        words.start()
        words.join(LAST_WORDS_S)
        self._end(self._code)

    def _say(self, event: str) -> None:
        log = logger.error if self._code else logger.info
        log(event, why=self._why, exit_code=self._code)
