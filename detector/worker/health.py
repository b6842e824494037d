"""Whether this worker can do its work, and why not."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field


@dataclass(slots=True)
class Health:
    """What is wrong just now; nothing is, when the worker is ready.

    The consumer's thread and the event loop both write here, each a single assignment at a time.

    Attributes:
        problems: By part (``group``, or a step of the protocol), what is wrong.
        partitions: What the worker reads; empty while it has joined and others have them all, none
            while it owns nothing for certain.
        now: A clock that never steps, s.
    """

    problems: dict[str, str] = field(default_factory=dict)
    partitions: tuple[int, ...] | None = None
    now: Callable[[], float] = time.monotonic
    _rebalance_began: float | None = None

    def fails(self, part: str, why: str) -> None:
        """Note that a part does not work."""
        self.problems[part] = why

    def works(self, part: str) -> bool:
        """Note that a part works; return whether it did not before."""
        return self.problems.pop(part, None) is not None

    def rebalances(self) -> None:
        """Note that the group shares out its partitions anew; one that is repeated goes on."""
        if self._rebalance_began is None:
            self._rebalance_began = self.now()
        self.partitions = None
        self.fails("group", "a rebalance goes on")

    def owns(self, partitions: Collection[int]) -> None:
        """Note that the worker has joined and reads these, or stands by when there are none."""
        self._rebalance_began = None
        self.partitions = tuple(sorted(partitions))
        self.works("group")

    def report(self) -> dict[str, str]:
        """Return what is wrong, and of a rebalance how long it has gone on."""
        found, began = dict(self.problems), self._rebalance_began
        if "group" in found and began is not None:
            found["group"] = f"a rebalance has gone on for {self.now() - began:.0f} s"
        return found
