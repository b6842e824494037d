"""What the watch needs from the outside: where it remembers whom it heard, and whose turn it is.

The fake is ``adapters/memory/silence.py``; ``tests/contract/test_silence.py`` holds it and the real
adapter to the same promises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from api.ports import WireAlert
from api.silence.rule import Watched


@dataclass(frozen=True, slots=True)
class Claim:
    """It is this process that judges.

    Attributes:
        is_new: Whether another one did before, or none: what is remembered must be read anew.
        judged_from: Since when all that was sent has been heard in time.
    """

    is_new: bool
    judged_from: datetime


class Numbers(NamedTuple):
    """How many assets of a fleet."""

    watched: int
    silent: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a look has found.

    Attributes:
        kept: Assets to remember as they are now.
        forgotten: Assets to remember no more.
        alerts: What began and what ended.
        judged_from: Since when all that was sent has been heard in time.
    """

    kept: Sequence[Watched]
    forgotten: Sequence[str]
    alerts: Sequence[WireAlert]
    judged_from: datetime


class SilenceStore(Protocol):
    """Whom the watch has heard, beside the alert history. Raises ``BackendError``."""

    async def claim(self, holder: str, now: datetime, every: timedelta) -> Claim | None:
        """Say who judges: the one who did before, or another once that has not for three looks.

        After more than three looks without anybody, ``judged_from`` is ``now``.

        Args:
            holder: This process.
            now: The time.
            every: The time between two looks.

        Returns:
            None where it is another's turn.
        """

    async def watched(self) -> Sequence[Watched]:
        """Return all that is remembered."""

    async def keep(self, holder: str, outcome: Outcome, now: datetime) -> bool:
        """Keep what a look has found and add its alerts to the history, all in one transaction.

        Returns:
            Whether it was kept: nothing is, once another process has claimed the watch.
        """

    async def numbers(self) -> Mapping[str, Numbers]:
        """Return how many assets are remembered, by fleet, and how many of them are silent."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is.

    Attributes:
        holder: The process that judged last.
        looked_at: When it did.
        judged_from: Since when all that was sent has been heard in time.
    """

    holder: str
    looked_at: datetime
    judged_from: datetime


MISSED_LOOKS: Final = 3
"""After so many the watch is another's; what was sent meanwhile may have been heard late."""


def taken(
    turn: Turn | None, holder: str, now: datetime, every: timedelta
) -> tuple[Turn, Claim] | None:
    """Return whose turn it is now, and what the claimant is told; none where it is another's."""
    if turn is None:
        return Turn(holder, now, now), Claim(True, now)
    away = abs(now - turn.looked_at) > MISSED_LOOKS * every
    if turn.holder != holder and not away:
        return None
    judged_from = now if away else turn.judged_from
    return Turn(holder, now, judged_from), Claim(turn.holder != holder, judged_from)
