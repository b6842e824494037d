"""The operators' desk: looks an alarm up, decides, keeps what was done, and rings the bell."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from api.alarms import actions, maintenance
from api.alarms.actions import Request
from api.alarms.events import Action, ActionEvent, Draft
from api.alarms.lifecycle import Alarm, AlarmState
from api.alarms.maintenance import Window
from api.alarms.ports import AlarmStore
from common.clock import Clock
from common.errors import RequestRefusedError


class Outcome(StrEnum):
    """What became of one alarm of many."""

    ACKNOWLEDGED = "acknowledged"
    ALREADY = "already_acknowledged"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What became of one alarm of many.

    Attributes:
        alarm_id: Which.
        outcome: What became of it.
        alarm: How it stands now; none if there is no such alarm.
    """

    alarm_id: str
    outcome: Outcome
    alarm: Alarm | None


@dataclass(frozen=True, slots=True)
class AlarmDesk:
    """Carries out what operators ask for.

    Attributes:
        store: Where alarms and the log are kept.
        clock: What time it is.
        ring: Called after each change, so that streams look.
    """

    store: AlarmStore
    clock: Clock
    ring: Callable[[], None]

    async def find(self, alarm_id: str) -> Alarm:
        """Return the alarm as it stands.

        Raises:
            RequestRefusedError: 404, if there is none.
        """
        found = await self.store.find(alarm_id, self.clock.now())
        if found is None:
            raise _unknown(alarm_id)
        return found

    async def act(self, alarm_id: str, request: Request) -> Alarm:
        """Carry an action out on one alarm, and return it as it stands afterwards.

        A request that comes again under its id changes nothing and is answered in the same way.

        Raises:
            RequestRefusedError: 404 if there is no such alarm, 409 if it may not be.
        """
        now = self.clock.now()

        def on_alarm(alarm_id: str, alarm: Alarm | None, known: ActionEvent | None) -> Draft | None:
            if alarm is None:
                raise _unknown(alarm_id)
            if known is not None:
                actions.check_same(known, request)
                return None
            actions.check_version(alarm, request)
            return actions.decide(alarm, request, now)

        [alarm] = await self.store.act([alarm_id], on_alarm, now, request.request_id)
        if alarm is None:
            raise _unknown(alarm_id)
        self.ring()
        return alarm

    async def acknowledge_all(
        self, alarm_ids: Sequence[str], request: Request
    ) -> Sequence[BulkOutcome]:
        """Acknowledge many alarms with one note, in one transaction; each has its own outcome."""
        now = self.clock.now()
        outcomes: dict[str, Outcome] = {}

        def on_alarm(alarm_id: str, alarm: Alarm | None, known: ActionEvent | None) -> Draft | None:
            outcome, draft = _bulk(alarm, known, request, now)
            outcomes[alarm_id] = outcome
            return draft

        ids = list(dict.fromkeys(alarm_ids))
        alarms = await self.store.act(ids, on_alarm, now, request.request_id)
        self.ring()
        return [
            BulkOutcome(alarm_id, outcomes[alarm_id], alarm)
            for alarm_id, alarm in zip(ids, alarms, strict=True)
        ]

    async def plan(
        self,
        request: Request,
        *,
        asset_id: str | None,
        fleet: str | None,
        starts_at: datetime | None,
        ends_at: datetime,
    ) -> Window:
        """Plan a maintenance window, from now on unless ``starts_at`` says otherwise.

        With a request id, the same plan again is the same window.

        Raises:
            RequestRefusedError: 409, if the times cannot be.
        """
        now = self.clock.now()
        window_id = str(
            uuid.uuid4()
            if request.request_id is None
            else uuid.uuid5(uuid.NAMESPACE_URL, f"surgeline:maintenance:{request.request_id}")
        )
        plan = Draft(
            Action.MAINTENANCE_PLANNED,
            request.who,
            now,
            request.why,
            request_id=request.request_id,
            asset_id=asset_id,
            window_id=window_id,
            fleet=fleet,
            until=ends_at,
            starts_at=starts_at or now,
        )
        known = await self.store.window(window_id)
        if known is not None:
            return maintenance.same(known, plan)
        return await self._on_window(window_id, lambda _: maintenance.planned(plan, now))

    async def reschedule(self, window_id: str, ends_at: datetime, request: Request) -> Window:
        """Give a window another end.

        Raises:
            RequestRefusedError: 404 if there is none, 409 if it is over or the end cannot be.
        """
        now = self.clock.now()

        def decide(window: Window | None) -> Draft:
            return maintenance.changed(
                _known(window, window_id), ends_at, request.who, request.why, now
            )

        return await self._on_window(window_id, decide)

    async def end(self, window_id: str, request: Request) -> Window:
        """End a window now.

        Raises:
            RequestRefusedError: 404 if there is none, 409 if it is over.
        """
        now = self.clock.now()

        def decide(window: Window | None) -> Draft:
            return maintenance.ended(_known(window, window_id), request.who, request.why, now)

        return await self._on_window(window_id, decide)

    async def window(self, window_id: str) -> Window:
        """Return a window.

        Raises:
            RequestRefusedError: 404, if there is none.
        """
        return _known(await self.store.window(window_id), window_id)

    async def _on_window(self, window_id: str, decide: Callable[[Window | None], Draft]) -> Window:
        window = await self.store.act_on_window(window_id, decide)
        self.ring()
        return window


def _bulk(
    alarm: Alarm | None, known: ActionEvent | None, request: Request, now: datetime
) -> tuple[Outcome, Draft | None]:
    if alarm is None:
        return Outcome.UNKNOWN, None
    if known is not None:
        actions.check_same(known, request)
        return Outcome.ACKNOWLEDGED, None
    if alarm.state is AlarmState.CLOSED:
        return Outcome.CLOSED, None
    if alarm.acknowledgement is not None:
        return Outcome.ALREADY, None
    return Outcome.ACKNOWLEDGED, actions.decide(alarm, request, now)


def _known(window: Window | None, window_id: str) -> Window:
    if window is None:
        raise RequestRefusedError(
            404, "unknown_maintenance", f"There is no maintenance window {window_id!r}."
        )
    return window


def _unknown(alarm_id: str) -> RequestRefusedError:
    return RequestRefusedError(404, "unknown_alarm", f"There is no alarm {alarm_id!r}.")
