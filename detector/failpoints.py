"""The named points of a worker's life: where it may die, and where tests make it die."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from common.errors import SettingsError


class Point(StrEnum):
    """What has just been done, in the order of a worker's life.

    From ``received`` to ``states_written`` they repeat with every batch; the two of a rebuild come
    only where states were lost, ``publishing`` only where several messages are published at once.
    """

    STARTING = "starting"
    JOINED = "joined"
    RECEIVED = "received"
    DECODED = "decoded"
    REBUILDING = "rebuilding"
    REBUILT = "rebuilt"
    STATES_READ = "states_read"
    CLAIMED = "claimed"
    ASSEMBLED = "assembled"
    SCORED = "scored"
    CONCLUDED = "concluded"
    EVIDENCE_PUBLISHED = "evidence_published"
    SCORES_WRITTEN = "scores_written"
    INTENDED = "intended"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    STATES_WRITTEN = "states_written"
    REVOKED = "revoked"
    STOPPING = "stopping"


PointListener = Callable[[Point], None]
"""Told whenever a point is reached."""


def ignore_points(point: Point) -> None:
    """Do nothing: what production uses for a ``PointListener``."""


class KillAt:
    """Ends this process, as ``kill -9`` would, the n-th time it reaches a point. For tests.

    Args:
        spec: ``POINT:N``, such as ``scores_written:3``.

    Raises:
        SettingsError: If it is not of that form.
    """

    def __init__(self, spec: str) -> None:
        name, _, count = spec.partition(":")
        try:
            self._point, self._count = Point(name), int(count or "1")
        except ValueError as exc:
            raise SettingsError(
                f"SURGELINE_DETECTOR__TEST_KILL_AT is {spec!r}; expected POINT:N with POINT one of "
                f"{', '.join(Point)}"
            ) from exc
        self._seen: Counter[Point] = Counter()

    def __call__(self, point: Point) -> None:
        """Count, and die when it is time."""
        self._seen[point] += 1
        if point is self._point and self._seen[point] == self._count:
            os.kill(os.getpid(), signal.SIGKILL)
