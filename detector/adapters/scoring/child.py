"""The scoring process: ``python -m detector.adapters.scoring.child SOCKET``, for a worker alone.

It scores what it is sent until the worker's end is closed, as it is too when the worker is killed.
Signals that end a group of processes are the worker's to answer: it may have a batch to finish.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection

from detector.adapters.scoring.link import Answer, Asked, NotOpened, receive, send
from detector.worker.heap import keep_heap_for_much
from models.artifact.opening import open_scorer
from models.scoring.scorer import WindowScorer


def main() -> None:
    """Score until the worker is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    keep_heap_for_much()  # it ends when there is little to do
    code = 0
    try:
        serve(Connection(int(sys.argv[1])))
    except (EOFError, OSError):
        pass
    except Exception:  # noqa: BLE001 - whatever it is, the worker goes on without this process
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)  # a thread may wait for the other end, and would be waited for


def serve(link: Connection) -> None:
    """Answer whoever is at the other end, in turn.

    What is asked next comes in, and what was answered goes out, while windows are scored: both wait
    for the other end, and that may wait for a processor.

    Raises:
        EOFError: When it is gone.
        OSError: When it went in the middle of something.
    """
    models: dict[int, WindowScorer] = {}
    coming, going = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
    try:
        comes = coming.submit(receive, link)
        goes: Future[None] | None = None
        while True:
            asked = comes.result()
            comes = coming.submit(receive, link)
            if not isinstance(asked, Asked):
                raise TypeError(f"{type(asked).__name__} came, where windows were expected")
            answer = _answer(models, asked)
            if goes is not None:
                goes.result()
            goes = going.submit(send, link, answer)
    finally:
        coming.shutdown(wait=False)
        going.shutdown(wait=False)


def _answer(models: dict[int, WindowScorer], asked: Asked) -> Answer:
    for number in asked.gone:
        models.pop(number, None)
    try:
        for number, recipe in asked.opened.items():
            models[number] = open_scorer(recipe.artifact, recipe.threads)
    except Exception as exc:  # noqa: BLE001 - the worker scores by its own, which it has opened
        return NotOpened(repr(exc))
    try:
        return [models[number].score(windows, trail) for number, windows, trail in asked.windows]
    except Exception as exc:  # noqa: BLE001 - the worker raises it where it would have been raised
        return exc if _travels(exc) else RuntimeError(f"{type(exc).__name__}: {exc}")


def _travels(exc: Exception) -> bool:
    """Return whether an exception is itself again at the other end."""
    try:
        return type(pickle.loads(pickle.dumps(exc))) is type(exc)  # noqa: S301 - our own
    except Exception:  # noqa: BLE001 - whatever its class makes of it
        return False


if __name__ == "__main__":
    main()
