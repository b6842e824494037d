"""How a replay names a run that nobody gave a name, and what such a name tells."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

RENEWED: Final = re.compile(r":from-\d+-\d+$")
"""What a worker adds to the name of a run that it opened by rule."""

_NAMED: Final = re.compile(
    r"(?P<dataset>.+)-(?P<split>train|test)-[0-9]{8}T[0-9]{6}(?:[0-9]{3})?Z(?:-[0-9a-f]{4})?"
)


class Replayed(NamedTuple):
    """What a run's name says it is a replay of."""

    dataset: str
    split: str


def replay_run_id(dataset: str, split: str, mark: str) -> str:
    """Return the name of a new run of a data set.

    Args:
        dataset: Such as ``FD001``.
        split: ``train`` or ``test``; ``csv`` for files of one's own.
        mark: A moment in UTC such as ``20260701T123000Z``, also with milliseconds, or with four
            hexadecimal digits after a dash.
    """
    return f"{dataset}-{split}-{mark}"


def source_run(run_id: str) -> str:
    """Return what the source calls a run that a worker may have opened by rule.

    Example:
        >>> source_run("run-1:from-3-120"), source_run("run-1")
        ('run-1', 'run-1')
    """
    return RENEWED.sub("", run_id)


def replayed(run_id: str) -> Replayed | None:
    """Return what a run is a replay of, by the name that a replay gave it; else none.

    A name that somebody chose tells nothing, whatever it is like.

    Example:
        >>> replayed(replay_run_id("SMAP", "test", "20260701T123000000Z"))
        Replayed(dataset='SMAP', split='test')
        >>> replayed("SMAP-test-mine")
    """
    found = _NAMED.fullmatch(source_run(run_id))
    return None if found is None else Replayed(found["dataset"], found["split"])
