"""Whether this worker can do its work, and why not."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Health:
    """What is wrong just now; nothing is, when the worker is ready.

    Attributes:
        problems: By part (``group``, or a step of the protocol), what is wrong.
    """

    problems: dict[str, str] = field(default_factory=dict)

    def fails(self, part: str, why: str) -> None:
        """Note that a part does not work."""
        self.problems[part] = why

    def works(self, part: str) -> bool:
        """Note that a part works; return whether it did not before."""
        return self.problems.pop(part, None) is not None
