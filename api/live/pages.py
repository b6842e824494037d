"""Pages of a history as streams read them: few items, no more of each than is sent, shared.

Streams that stand at the same place and want the same read one page together: a new alert costs one
read of the history, however many clients wait for it, and no client has a copy of its own.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from api.alarms.events import ActionEvent
from api.alarms.ports import AlarmStore
from api.live.change_signal import ChangeSignal
from api.ports import AlertFilter, AlertHistory, StoredAlert

PAGE: Final = 50
"""Items read at a time: about 0.1 MB, all that a client that does not read can hold."""

ALL_ALERTS: Final = AlertFilter()

LATEST: Final = PAGE - 1
"""The last alerts that came, kept for streams that wait for them: less than a page."""

KEPT: Final = 32
"""Full pages kept for others that come by, for example after a restart: about 3 MB."""


@dataclass(frozen=True, slots=True)
class StreamItem:
    """What a stream sends of one alert, or of one action.

    Attributes:
        sequence: Its place in the order of arrival.
        event_id: Its id; an alert's is its ``alert_id``.
        event: What happened: an alert's transition, or an operator's action.
        body: What is sent; an alert's message as it stood on the topic.
    """

    sequence: int
    event_id: str
    event: str
    body: str


@dataclass(frozen=True, slots=True)
class StreamPage:
    """What one read brought.

    Attributes:
        items: The wanted ones beyond the place, in order.
        head: The last sequence of all, read before the items: what is at or below it is among them
            or unwanted, unless the page is full.
    """

    items: Sequence[StreamItem]
    head: int

    @property
    def is_full(self) -> bool:
        """Whether more may follow at once."""
        return len(self.items) == PAGE


Place: TypeAlias = tuple[AlertFilter, int]


class SharedPages(ABC):
    """Reads pages for all streams of one app.

    Attributes:
        changed: Told when the history has grown.
    """

    def __init__(self, changed: ChangeSignal) -> None:
        self.changed = changed
        self._reading: dict[tuple[Place, int], asyncio.Task[StreamPage]] = {}
        self._full: OrderedDict[Place, StreamPage] = OrderedDict()

    async def read(self, wanted: AlertFilter, after: int, count: int) -> StreamPage:
        """Return the page beyond sequence ``after``.

        Args:
            wanted: Which ones.
            after: The last sequence seen.
            count: How often the history had changed when the caller last looked. Only a read that
                began since is joined: what such a read may have missed is told to the caller, too.

        Raises:
            BackendError: If the history cannot be read.
        """
        place = (wanted, after)
        if (known := self._full.get(place)) is not None:
            self._full.move_to_end(place)
            return known
        key = (place, count)
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(self._read(place))
            task.add_done_callback(lambda done: self._note(key, done))
        return await asyncio.shield(task)  # a client that goes takes nothing from the others

    @abstractmethod
    async def _read(self, place: Place) -> StreamPage:
        """Read the page; the last sequence of all first."""

    def _note(self, key: tuple[Place, int], done: asyncio.Task[StreamPage]) -> None:
        """Keep a full page, which never changes; forget all else, so that the next look is new."""
        del self._reading[key]
        if done.cancelled() or done.exception() is not None or not done.result().is_full:
            return
        self._full[key[0]] = done.result()
        while len(self._full) > KEPT:
            self._full.popitem(last=False)


class StreamPages(SharedPages):
    """Pages of the alert history.

    Alerts that have just been stored go to waiting streams from memory, as long as the ring that
    told of them is the last one: after another ring, others may have been stored between them.
    """

    def __init__(self, history: AlertHistory, changed: ChangeSignal) -> None:
        super().__init__(changed)
        self._history = history
        self._latest: deque[StoredAlert] = deque(maxlen=LATEST)
        self._as_of = -1

    def came(self, new: Sequence[StoredAlert]) -> None:
        """Take note of alerts that are durable by now, in their order, and tell all streams."""
        if new and self._latest and new[0].sequence != self._latest[-1].sequence + 1:
            self._latest.clear()
        self._latest.extend(new)
        nothing_beside = bool(new) or self._as_of == self.changed.count
        self.changed.notify()
        self._as_of = self.changed.count if nothing_beside else -1

    async def read(self, wanted: AlertFilter, after: int, count: int) -> StreamPage:
        """Return the page beyond sequence ``after``; of the latest, without asking the history."""
        latest = self._latest
        is_whole = count == self._as_of == self.changed.count
        if is_whole and latest and latest[0].sequence - 1 <= after < latest[-1].sequence:
            return StreamPage(
                tuple(
                    _item(one)
                    for one in latest
                    if one.sequence > after and wanted.admits(one.alert)
                ),
                latest[-1].sequence,
            )
        return await super().read(wanted, after, count)

    async def _read(self, place: Place) -> StreamPage:
        wanted, after = place
        # of a stream that wants all alerts, the last one of the page is the last one of all
        last = await self._history.last() if wanted != ALL_ALERTS else None
        found = await self._history.page(wanted, PAGE, after=after)
        items = tuple(map(_item, found))
        head = last.sequence if last else max((one.sequence for one in items), default=after)
        return StreamPage(items, head)


def _item(stored: StoredAlert) -> StreamItem:
    alert = stored.alert
    return StreamItem(stored.sequence, alert.alert_id, alert.state.value, stored.body)


class ActionPages(SharedPages):
    """Pages of the log of what operators did.

    Args:
        store: Where the log is.
        changed: Told when it has grown.
        body: Makes what is sent of an event.
    """

    def __init__(
        self, store: AlarmStore, changed: ChangeSignal, body: Callable[[ActionEvent], str]
    ) -> None:
        super().__init__(changed)
        self._store = store
        self._body = body

    async def _read(self, place: Place) -> StreamPage:
        wanted, after = place
        head = await self._store.log_end()
        found = await self._store.log(wanted, PAGE, after=after)
        items = tuple(
            StreamItem(one.sequence, str(one.sequence), one.done.action.value, self._body(one))
            for one in found
        )
        return StreamPage(items, head)
