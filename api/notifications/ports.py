"""What notifications need from the outside: the outbox, the ways out, a bell.

The outbox's fake is ``adapters/memory/outbox.py``; ``tests/contract/test_outbox.py`` holds it and
the real one to the same promises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from api.notifications.rules import NoteState
from api.notifications.words import Told


@dataclass(frozen=True, slots=True)
class Note:
    """A note that one api has taken out of the outbox to deliver.

    Attributes:
        receiver: Whom it is for.
        alert_id: Of which alert.
        body: The alert, as it stood on the topic.
        noted_at: When it was put into the outbox, UTC.
        attempts: Tries so far, this one included.
        lease: Whose it is until the lease ends.
    """

    receiver: str
    alert_id: str
    body: str
    noted_at: datetime
    attempts: int
    lease: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a note.

    Attributes:
        note: Which.
        state: Delivered or given up; waiting if it is to be tried again.
        why: What went wrong; empty if nothing did.
        due_at: When it is to be tried again, UTC; none if it is not.
    """

    note: Note
    state: NoteState
    why: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a receiver's notes stand.

    Attributes:
        receiver: Whose.
        since: When it was first seen, UTC.
        waiting: How many wait.
        oldest: When the oldest of them was noted, UTC; none if none waits.
        delivered: How many were delivered, of those that are remembered.
        given_up: How many were given up, of those that are remembered.
        held: How many were held, of those that are remembered.
        problem: What went wrong with the one that was tried last and still waits, or was given up
            last; empty if nothing did.
    """

    receiver: str
    since: datetime
    waiting: int = 0
    oldest: datetime | None = None
    delivered: int = 0
    given_up: int = 0
    held: int = 0
    problem: str = ""


class Outbox(Protocol):
    """Notes to receivers, one for each receiver and alert at most, beside the alert history.

    The history fills it, in the transaction that adds the alerts. Safe from several processes at
    once. Raises, from every method: ``BackendError``.
    """

    async def register(self, receivers: Sequence[str], now: datetime) -> None:
        """Note when receivers were first seen; those that are known stay as they are."""

    async def claim(
        self, receiver: str, most: int, now: datetime, lease: timedelta
    ) -> Sequence[Note]:
        """Take waiting notes that are due, the oldest alerts first; nobody else gets them.

        Not beyond the lease's end: who has not settled them by then may have died, and they are
        taken again.

        Args:
            receiver: Whose.
            most: Most notes, at least 1.
            now: The time.
            lease: How long they are ours.
        """

    async def next_due(self, receiver: str) -> datetime | None:
        """Return when a waiting note of this receiver may be taken; none if none waits."""

    async def settle(self, settled: Sequence[Settled], now: datetime) -> None:
        """Note what came of notes that were taken.

        A delivery counts whoever has the note by now. Anything else is left alone unless the note
        is still ours: another may just be delivering it.
        """

    async def give_up(self, noted_before: datetime, now: datetime) -> int:
        """Give up what waits since before then and nobody has, of whichever receiver.

        Returns:
            How many.
        """

    async def trim(self, settled_before: datetime, most_rows: int) -> int:
        """Remove notes that were settled before then; returns how many, ``most_rows`` at most."""

    async def standings(self) -> Sequence[Standing]:
        """Return how the notes of each receiver that was ever seen stand, by name."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a receiver did not take a note.

    Attributes:
        why: In a sentence, without anything secret.
        retry_after: How long the receiver wants to be left alone; none if it did not say.
    """

    why: str
    retry_after: timedelta | None = None


class Way(Protocol):
    """A way to one receiver. Raises nothing but what is a defect."""

    @property
    def most(self) -> int:
        """How many notes go at once."""

    @property
    def rest_s(self) -> float:
        """How long it rests after it has told something, so that what comes gathers, s."""

    @property
    def longest_s(self) -> float:
        """What :meth:`tell` takes at most, s."""

    async def tell(self, told: Sequence[Told]) -> Sequence[Failure | None]:
        """Tell the receiver, and return what came of each; none where it took the note."""

    async def test(self) -> str | Failure:
        """Send a test; return what the receiver said, for a person."""


class Bell(Protocol):
    """Rings when the outbox may have something new."""

    @property
    def count(self) -> int:
        """How often it rang."""

    @property
    def closed(self) -> bool:
        """Whether waiting has no more sense."""

    async def wait_beyond(self, count: int, timeout_s: float) -> None:
        """Return once it rang more often than ``count``, or ``timeout_s`` passed."""
