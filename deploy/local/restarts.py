"""When a crashed child is started again, and when to give up. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How patient the supervisor is.

    Attributes:
        initial_s: Wait before the first new start, s; doubles with each quick crash.
        max_s: Longest wait, s.
        quick_s: A crash this soon after its start counts as quick, s.
        give_up_after: This many quick crashes in a row end the stack.
        grace_s: How long a child may take to end when asked, s.
        poll_s: Time between two health checks of a starting child, s.
    """

    initial_s: float = 0.5
    max_s: float = 10.0
    quick_s: float = 15.0
    give_up_after: int = 4
    grace_s: float = 10.0
    poll_s: float = 0.1


class CrashCount:
    """Counts quick crashes in a row."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._quick = 0

    def next_wait_s(self, lived_s: float) -> float | None:
        """Return how long to wait before the next start; none means give up.

        Args:
            lived_s: How long the crashed child had run.

        Example:
            >>> count = CrashCount(RestartPolicy(initial_s=1, max_s=3, give_up_after=4))
            >>> [count.next_wait_s(0.1) for _ in range(4)]
            [1.0, 2.0, 3, None]
            >>> count.next_wait_s(3600)
            1.0
        """
        self._quick = self._quick + 1 if lived_s < self._policy.quick_s else 1
        if self._quick >= self._policy.give_up_after and lived_s < self._policy.quick_s:
            return None
        return min(self._policy.initial_s * 2.0 ** (self._quick - 1), self._policy.max_s)
