"""How far the work on many series is, on standard error; and what it took."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from common.terminal.cli import error_console


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """Told what is done; the bar moves.

    Attributes:
        on_network: Told which network was trained last, how many are, and how many will be.
        on_series: Told each series that is done.
    """

    on_network: Callable[[str, int, int], None]
    on_series: Callable[[str], None]


@contextmanager
def progress(what: str, total: int, noun: str = "series") -> Iterator[Callable[[str], None]]:
    """Show how many of the series are done."""
    with _bar() as bar:
        task = bar.add_task(what, total=total, noun=noun, last="")
        yield lambda label: bar.update(task, advance=1, last=label)


@contextmanager
def study_progress(series: int) -> Iterator[StudyProgress]:
    """Show how many networks are trained, if any have to be, then how many series are scored."""
    with _bar() as bar:
        networks = bar.add_task("networks", total=None, noun="networks", last="", visible=False)
        scores = bar.add_task("scores", total=series, noun="series", last="")

        def on_network(last: str, done: int, total: int) -> None:
            bar.update(networks, completed=done, total=total, last=last, visible=True)

        yield StudyProgress(on_network, lambda last: bar.update(scores, advance=1, last=last))


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[noun]}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
        console=error_console(),
    )


class Cost:
    """What a command took, from when this was made: time, processors' time, memory."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def line(self) -> str:
        """Return such as ``took 4 min 10 s, 7 min 2 s of processors; memory 300 MB at most ...``.

        Processes that were started count once they have ended.
        """
        own, others = (
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        busy = sum(each.ru_utime + each.ru_stime for each in (own, others))
        peak = f"peak memory {_megabytes(own.ru_maxrss)} MB"
        if others.ru_maxrss:
            peak += f", and at most {_megabytes(others.ru_maxrss)} MB in each process it started"
        return (
            f"took {duration(time.monotonic() - self._began)}, {duration(busy)} of processor "
            f"time; {peak}"
        )


def duration(seconds: float) -> str:
    """Return a time as it is read.

    Example:
        >>> duration(9.4), duration(130)
        ('9 s', '2 min 10 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _megabytes(told: int) -> int:
    """Return a peak in megabytes; Linux tells it in kilobytes, macOS in bytes."""
    return round(told / (1e6 if sys.platform == "darwin" else 1e3))
