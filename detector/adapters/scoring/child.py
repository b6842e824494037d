"""The scoring process: ``python -m detector.adapters.scoring.child SOCKET``, for a worker alone.

It scores what it is sent until the worker's end is closed, as it is too when the worker is killed.
Signals that end a group of processes are the worker's to answer: it may have a batch to finish.
"""

from __future__ import annotations

import signal
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection

from detector.adapters.scoring.link import Answer, Asked, receive, send
from detector.worker.heap import keep_heap_for_much
from models.artifact.opening import open_scorer
from models.scoring.scorer import WindowScorer


def main() -> None:
    """Score until the worker is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    keep_heap_for_much()  # it ends when there is little to do
    with Connection(int(sys.argv[1])) as link, suppress(EOFError, OSError):
        serve(link)


def serve(link: Connection) -> None:
    """Answer whoever is at the other end, in turn.

    What is asked next comes in, and what was answered goes out, while windows are scored: both wait
    for the other end, and that may wait for a processor.

    Raises:
        EOFError: When it is gone.
        OSError: When it went in the middle of something.
    """
    models: dict[int, WindowScorer] = {}
    with ThreadPoolExecutor(1) as coming, ThreadPoolExecutor(1) as going:
        comes = coming.submit(receive, link)
        goes: Future[None] | None = None
        while True:
            asked = comes.result()
            comes = coming.submit(receive, link)
            if not isinstance(asked, Asked):
                raise TypeError(f"{type(asked).__name__} came, where windows were expected")
            for number in asked.gone:
                models.pop(number, None)
            answer = _answer(models, asked)
            if goes is not None:
                goes.result()
            goes = going.submit(send, link, answer)


def _answer(models: dict[int, WindowScorer], asked: Asked) -> Answer:
    try:
        for number, recipe in asked.opened.items():
            models[number] = open_scorer(recipe.artifact, recipe.threads)
        return [models[number].score(windows, trail) for number, windows, trail in asked.windows]
    except Exception as exc:  # noqa: BLE001 - the worker raises it where it would have been raised
        return exc


if __name__ == "__main__":
    main()
