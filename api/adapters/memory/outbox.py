"""The outbox of notifications in memory, filled by the history in memory."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from api.adapters.memory.alarms import MemoryAlarmStore
from api.adapters.memory.alerts import MemoryAlertHistory
from api.notifications.ports import Note, Settled, Standing
from api.notifications.receivers import Receiver
from api.notifications.rules import Arrived, Draft, NoteState, drafts_of
from common.errors import BackendError


@dataclass(slots=True)
class _Kept:
    draft: Draft
    noted_at: datetime
    due_at: datetime
    state: NoteState
    why: str
    settled_at: datetime | None
    attempts: int = 0
    lease: str | None = None


class MemoryOutbox:
    """Notes in a dictionary.

    Args:
        history: Fills it.
        alarms: Know what is shelved.
        receivers: Who is told.

    Attributes:
        failure: When set, every call raises it.
    """

    def __init__(
        self,
        history: MemoryAlertHistory,
        alarms: MemoryAlarmStore,
        receivers: Sequence[Receiver] = (),
    ) -> None:
        self.failure: BackendError | None = None
        self._alarms, self._receivers = alarms, receivers
        self._since: dict[str, datetime] = {}
        self._notes: dict[tuple[str, str], _Kept] = {}
        history.on_new = self._fill

    async def register(self, receivers: Sequence[str], now: datetime) -> None:
        """Note when receivers were first seen; those that are known stay as they are."""
        self._check()
        for name in receivers:
            self._since.setdefault(name, now)

    async def claim(
        self, receiver: str, most: int, now: datetime, lease: timedelta
    ) -> Sequence[Note]:
        """Take waiting notes that are due, the oldest alerts first."""
        self._check()
        ours, notes = str(uuid.uuid4()), []
        for kept in [each for each in self._waiting(receiver) if each.due_at <= now][:most]:
            kept.lease, kept.due_at, kept.attempts = ours, now + lease, kept.attempts + 1
            stored = kept.draft.stored
            notes.append(
                Note(
                    receiver,
                    stored.alert.alert_id,
                    stored.body,
                    kept.noted_at,
                    kept.attempts,
                    ours,
                )
            )
        return notes

    async def next_due(self, receiver: str) -> datetime | None:
        """Return when a waiting note of this receiver may be taken; none if none waits."""
        self._check()
        return min((each.due_at for each in self._waiting(receiver)), default=None)

    async def settle(self, settled: Sequence[Settled], now: datetime) -> None:
        """Note what came of notes that were taken; see the port."""
        self._check()
        for each in settled:
            kept = self._notes.get((each.note.receiver, each.note.alert_id))
            ours = kept is not None and kept.lease == each.note.lease
            if kept is None or not (ours or each.state is NoteState.DELIVERED):
                continue
            kept.state, kept.why, kept.lease = each.state, each.why, None
            kept.due_at = each.due_at or now
            kept.settled_at = None if each.state is NoteState.WAITING else now

    async def give_up(self, noted_before: datetime, now: datetime) -> int:
        """Give up what waits since before then and nobody has."""
        self._check()
        old = [
            each
            for each in self._waiting()
            if each.noted_at < noted_before and (each.lease is None or each.due_at <= now)
        ]
        for kept in old:
            kept.state, kept.settled_at, kept.lease = NoteState.GIVEN_UP, now, None
        return len(old)

    async def trim(self, settled_before: datetime, most_rows: int) -> int:
        """Remove notes that were settled before then."""
        self._check()
        old = [
            key
            for key, each in self._notes.items()
            if each.settled_at is not None and each.settled_at < settled_before
        ][:most_rows]
        for key in old:
            del self._notes[key]
        return len(old)

    async def standings(self) -> Sequence[Standing]:
        """Return how the notes of each receiver stand."""
        self._check()
        return [self._standing(name) for name in sorted(self._since)]

    def _standing(self, name: str) -> Standing:
        notes = [each for each in self._notes.values() if each.draft.receiver == name]
        troubled = [
            each
            for each in notes
            if each.state in (NoteState.WAITING, NoteState.GIVEN_UP) and each.why
        ]
        troubled.sort(
            key=lambda each: (each.state is NoteState.WAITING, each.draft.stored.sequence)
        )

        def count(state: NoteState) -> int:
            return sum(each.state is state for each in notes)

        return Standing(
            name,
            self._since[name],
            count(NoteState.WAITING),
            min((each.noted_at for each in notes if each.state is NoteState.WAITING), default=None),
            count(NoteState.DELIVERED),
            count(NoteState.GIVEN_UP),
            count(NoteState.HELD),
            troubled[-1].why if troubled else "",
        )

    def _waiting(self, receiver: str | None = None) -> list[_Kept]:
        found = [
            each
            for each in self._notes.values()
            if each.state is NoteState.WAITING and receiver in (None, each.draft.receiver)
        ]
        return sorted(found, key=lambda each: each.draft.stored.sequence)

    async def _fill(self, arrived: Sequence[Arrived], now: datetime) -> None:
        if not self._receivers:
            return
        judged = [
            replace(each, held=await self._alarms.held(each.stored.alert.alarm_id, now))
            for each in arrived
        ]
        for draft in drafts_of(judged, self._receivers, self._since):
            waits = draft.state is NoteState.WAITING
            kept = _Kept(draft, now, now, draft.state, draft.why, None if waits else now)
            self._notes.setdefault((draft.receiver, draft.stored.alert.alert_id), kept)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
