"""Delivers what is in the outbox: one loop for each receiver, and one that tidies up.

A note is taken under a lease, told, and settled:

1. take notes that are due; until the lease ends no other api takes them;
2. tell the receiver, under the alert's own id;
3. settle: delivered, or due again later. What is too old the other loop gives up.

Dying between 1 and 3 leaves the notes as they are: after the lease they are taken again, and a
receiver that knows the id drops what it has had. So each note is told at least once, and is not
told twice at the same time.

Notes that a defect of ours keeps from being told together are told one a round; the one at fault
waits longer each time, as after any failure, and keeps no other from being told.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from api.metrics import ApiMetrics
from api.notifications.ports import Bell, Failure, Note, Outbox, Settled, Way
from api.notifications.retries import wait_after
from api.notifications.rules import NoteState
from api.notifications.words import Told
from api.ports import FleetCatalogue
from common.clock import Clock
from common.errors import BackendError
from common.logs import get_logger
from common.records.alerts import Alert
from common.retry import Backoff, retrying
from common.settings import NotifySettings

LOOK_AGAIN_S: Final = 5.0
"""An alert that another api has put into the outbox rings no bell here."""

TIDY_EVERY_S: Final = 20.0
TIDY_ROWS: Final = 1000
REMEMBERED: Final = timedelta(days=7)
"""How long what was settled stays to be looked at."""

LEASE_TO_SPARE_S: Final = 1.0
"""Beyond twice what telling takes at most: for the database, and for clocks that differ.

Twice, since after a defect one note is told again alone."""

DEFECT: Final = "a defect of Surgeline; the api's log says more"

OUTBOX_DOWN: Final = Backoff(initial_s=0.2, max_s=5.0)

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a note is tried, and how often.

    Attributes:
        initial_s: Wait after the first failed try, s.
        longest_s: Longest wait between tries, s.
        give_up: How long after an alert was noted nothing is tried any more.
    """

    initial_s: float
    longest_s: float
    give_up: timedelta


def patience(settings: NotifySettings) -> Patience:
    """Return what the settings say."""
    return Patience(
        settings.retry_initial_s, settings.retry_max_s, timedelta(hours=settings.give_up_hours)
    )


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """The loops.

    Attributes:
        outbox: Where notes wait.
        ways: The way to each receiver, by its name.
        catalogue: What machines report, for words.
        patience: How long to try.
        bell: Rings when something is new.
        metrics: Counts.
        clock: What time it is.
        chance: Scatters retries: a number from 0 to below 1.
    """

    outbox: Outbox
    ways: Mapping[str, Way]
    catalogue: FleetCatalogue
    patience: Patience
    bell: Bell
    metrics: ApiMetrics
    clock: Clock
    chance: Callable[[], float] = random.random

    async def run(self) -> None:
        """Deliver until cancelled, or until the bell is closed."""
        for name in self.ways:  # there at 0, so that the first failure is seen as a rise
            self.metrics.notes_delivered.labels(name)
            self.metrics.note_failures.labels(name)
        async with asyncio.TaskGroup() as tasks:
            for name in self.ways:
                tasks.create_task(self._serve(name), name=f"notify-{name}")
            tasks.create_task(self._tidy(), name="notify-tidy")

    async def _serve(self, name: str) -> None:
        """Tell one receiver. While it takes nothing it is asked less and less, with one note."""
        in_vain, way = 0, self.ways[name]
        while not self.bell.closed:
            count = self.bell.count
            try:
                found = await self._round(name, 1 if in_vain else way.most)
                if found is None:
                    await self._wait(name, count)
                    continue
            except BackendError as exc:
                _log.warning("the outbox does not answer", receiver=name, why=str(exc))
                await self.clock.sleep(OUTBOX_DOWN.max_s)
            except Exception:  # noqa: BLE001 - a defect must not silence a receiver until a restart
                _log.exception("telling a receiver failed", receiver=name)
                await self.clock.sleep(OUTBOX_DOWN.max_s)
            else:
                failures = [each for each in found if each is not None]
                in_vain = in_vain + 1 if len(failures) == len(found) else 0
                await self.clock.sleep(self._rest_s(way, in_vain, failures))

    async def _wait(self, name: str, count: int) -> None:
        due_at = await self.outbox.next_due(name)
        wait_s = LOOK_AGAIN_S
        if due_at is not None:
            wait_s = min(wait_s, (due_at - self.clock.now()).total_seconds())
        await self.bell.wait_beyond(count, max(wait_s, 0.005))

    def _rest_s(self, way: Way, in_vain: int, failures: Sequence[Failure]) -> float:
        if not in_vain:
            return way.rest_s
        wait = self._wait_after(in_vain)
        asked = [each.retry_after for each in failures if each.retry_after is not None]
        return max([wait, *asked]).total_seconds()

    def _wait_after(self, attempts: int) -> timedelta:
        patience = self.patience
        return wait_after(attempts, patience.initial_s, patience.longest_s, self.chance())

    async def _round(self, name: str, most: int) -> Sequence[Failure | None] | None:
        """Tell what is due, and return what came of each note; none if nothing is due."""
        way = self.ways[name]
        lease = timedelta(seconds=2 * way.longest_s + LEASE_TO_SPARE_S)
        notes = await self.outbox.claim(name, most, self.clock.now(), lease)
        if not notes:
            return None
        told, settled = await self._readable(notes)
        found = await self._tell(way, [each for _, each in told])
        for (note, _), failure in zip(told, found, strict=False):
            settled.append(self._settled(note, failure))
        back = [Settled(note, NoteState.WAITING) for note, _ in told[len(found) :]]
        await retrying(
            lambda: self.outbox.settle([*settled, *back], self.clock.now()),
            OUTBOX_DOWN,
            self.clock,
            lambda exc, _: _log.warning("the outbox takes nothing", why=str(exc)),
        )
        self._count(name, settled)
        return found

    async def _tell(self, way: Way, told: Sequence[Told]) -> Sequence[Failure | None]:
        """Tell all; where a defect hinders it, only the first, and nothing comes of the others."""
        for some in (told, told[:1]):
            try:
                return await way.tell(some) if some else []
            except Exception:  # noqa: BLE001 - it would keep all others from being told, again and again
                ids = [each.alert.alert_id for each in some]
                _log.exception("telling a receiver failed", alert_ids=ids[:10], alerts=len(ids))
        return [Failure(DEFECT)]

    async def _readable(
        self, notes: Sequence[Note]
    ) -> tuple[list[tuple[Note, Told]], list[Settled]]:
        """Return what can be told; a note that cannot be read harms only itself."""
        fleets = await self.catalogue.fleets()
        told, unreadable = [], []
        for note in notes:
            try:
                alert = Alert.model_validate_json(note.body)
            except ValidationError as exc:
                why = f"cannot be read: {str(exc).splitlines()[0]}"
                unreadable.append(Settled(note, NoteState.GIVEN_UP, why))
            else:
                told.append((note, Told(alert, note.noted_at, fleets.machine(alert.fleet))))
        return told, unreadable

    def _settled(self, note: Note, failure: Failure | None) -> Settled:
        if failure is None:
            return Settled(note, NoteState.DELIVERED)
        wait = max(self._wait_after(note.attempts), failure.retry_after or timedelta(0))
        return Settled(note, NoteState.WAITING, failure.why, self.clock.now() + wait)

    def _count(self, name: str, settled: Sequence[Settled]) -> None:
        for each in settled:
            if each.state is NoteState.DELIVERED:
                self.metrics.notes_delivered.labels(name).inc()
                continue
            self.metrics.note_failures.labels(name).inc()
            _log.warning(
                "a receiver took no alert",
                receiver=name,
                alert_id=each.note.alert_id,
                attempts=each.note.attempts,
                why=each.why,
            )

    async def _tidy(self) -> None:
        """Give up what is too old, forget what is long settled, and show how notes stand."""
        while not self.bell.closed:
            now = self.clock.now()
            try:
                if given_up := await self.outbox.give_up(now - self.patience.give_up, now):
                    _log.warning("alerts were given up", alerts=given_up)
                await self.outbox.trim(now - REMEMBERED, TIDY_ROWS)
                for each in await self.outbox.standings():
                    if each.receiver in self.ways:
                        self.metrics.notes_waiting.labels(each.receiver).set(each.waiting)
                        self.metrics.notes_given_up.labels(each.receiver).set(each.given_up)
            except BackendError as exc:
                _log.warning("the outbox does not answer", why=str(exc))
            except Exception:  # noqa: BLE001 - as above: it would end the other loops too
                _log.exception("tidying the outbox failed")
            await self.clock.sleep(TIDY_EVERY_S)
