"""Live alerts: each once, none missing, from wherever one resumes, at the reader's pace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.access.guard import make_key
from api.access.roles import Role
from api.adapters.memory.alerts import MemoryAlertHistory
from api.live.allowed import CHECK_S
from api.live.arriving import Arriving
from api.live.change_signal import ChangeSignal
from api.live.pages import KEPT, PAGE, StreamPages
from api.live.stream import BEGINNING, follow, starting_point
from api.ports import AlertFilter, StoredAlert
from common.errors import BackendUnavailableError, RequestRefusedError
from common.records.alerts import Alert, Transition
from common.records.verdicts import Level
from common.settings import ApiSettings
from tests.support.alerts import batch, make_alert
from tests.support.api import Fakes, Running, eventually, running, stream_events
from tests.support.clock import StillClock

STREAM = "/api/v1/alerts/stream"
ALERTS = [make_alert(cycle) for cycle in range(1, 13)]
IDS = [alert.alert_id for alert in ALERTS]


async def arrive(api: Running, alerts: Sequence[Alert]) -> None:
    """Let alerts come through the feed and the projection, as they do in life."""
    api.fakes.feed.put(batch(alerts))
    wanted = {alert.alert_id for alert in alerts}
    history = api.fakes.history

    def arrived() -> bool:
        return wanted <= history.ids()

    await eventually(arrived)


async def opened(api: Running, query: str = "", **headers: str) -> asyncio.Task[httpx.Response]:
    """Start reading a stream; the answer is there once the stream has ended."""
    before = subscribers(api)
    task = asyncio.create_task(api.client.get(f"{STREAM}{query}", headers=headers))
    await eventually(lambda: subscribers(api) > before or task.done())
    return task


def subscribers(api: Running) -> float:
    value = api.services.metrics.registry.get_sample_value("surgeline_api_sse_subscribers")
    assert value is not None
    return value


def sent(api: Running) -> float:
    value = api.services.metrics.registry.get_sample_value("surgeline_api_sse_events_total")
    assert value is not None
    return value


async def ended(api: Running, task: asyncio.Task[httpx.Response], events: int) -> list[str]:
    """End the app's streams once ``events`` were sent; return the ids of one stream's alerts."""
    await eventually(lambda: sent(api) >= events)
    api.services.changed.close()
    answer = await task
    return [event["id"] for event in stream_events(answer.text) if "data" in event]


async def test_an_event_is_the_alert_as_it_stood_on_the_topic() -> None:
    alert = make_alert(7, state=Transition.ESCALATED, onset_cycle=3, reason="°R rose")
    async with running() as api:
        task = await opened(api)
        await arrive(api, [alert])
        await ended(api, task, 1)

    answer = task.result()
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    start, event = stream_events(answer.text)
    assert start == {"id": BEGINNING}
    assert event["id"] == alert.alert_id
    assert event["event"] == "escalated"
    assert event["data"] == alert.to_json().decode()


async def test_only_new_alerts_come_unless_asked_otherwise() -> None:
    async with running() as api:
        await arrive(api, ALERTS[:5])
        task = await opened(api)
        await arrive(api, ALERTS[5:8])
        ids = await ended(api, task, 3)

    assert ids == IDS[5:8]
    assert stream_events(task.result().text)[0] == {"id": IDS[4]}


async def test_replay_all_begins_with_the_first() -> None:
    async with running() as api:
        await arrive(api, ALERTS[:5])
        task = await opened(api, "?replay=all")
        await arrive(api, ALERTS[5:])
        ids = await ended(api, task, 12)

    assert ids == IDS


@pytest.mark.parametrize("position", range(12))
async def test_resuming_goes_on_right_after_the_last_seen(position: int) -> None:
    async with running() as api:
        await arrive(api, ALERTS[:9])
        known = max(9, position + 1)
        await arrive(api, ALERTS[:known])
        task = await opened(api, **{"Last-Event-ID": IDS[position]})
        await arrive(api, ALERTS)
        ids = await ended(api, task, 11 - position)

    assert ids == IDS[position + 1 :]


@pytest.mark.parametrize(
    ("query", "header", "first"),
    [
        pytest.param(f"?last_event_id={IDS[3]}", None, 4, id="parameter"),
        pytest.param(f"?last_event_id={IDS[3]}", IDS[6], 7, id="header before parameter"),
        pytest.param(f"?replay=all&last_event_id={IDS[3]}", None, 4, id="id before replay"),
        pytest.param("", BEGINNING, 0, id="cut off before the first alert"),
    ],
)
async def test_where_a_stream_begins(query: str, header: str | None, first: int) -> None:
    headers = {} if header is None else {"Last-Event-ID": header}
    async with running() as api:
        await arrive(api, ALERTS)
        task = await opened(api, query, **headers)
        ids = await ended(api, task, 12 - first)

    assert ids == IDS[first:]


async def test_an_unknown_id_is_refused_before_the_stream_begins() -> None:
    async with running() as api:
        await arrive(api, ALERTS[:2])
        answer = await api.client.get(STREAM, headers={"Last-Event-ID": "nobody"})

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:surgeline:problem:unknown_event_id"
    assert "'nobody'" in answer.json()["detail"]


async def test_filters_and_resuming_go_together() -> None:
    alerts = [
        make_alert(
            cycle,
            asset_id="ab"[cycle % 2],
            level=Level.CRITICAL if cycle % 3 == 0 else Level.WARNING,
        )
        for cycle in range(1, 25)
    ]
    async with running() as api:
        await arrive(api, alerts[:10])
        query = f"?asset_id=a&min_level=critical&last_event_id={alerts[7].alert_id}"
        task = await opened(api, query)
        await arrive(api, alerts[10:])
        ids = await ended(api, task, 3)

    assert ids == [alert.alert_id for alert in alerts if alert.cycle in (12, 18, 24)]


async def test_redelivered_alerts_are_not_sent_again() -> None:
    async with running() as api:
        task = await opened(api)
        await arrive(api, ALERTS[:3])
        await arrive(api, ALERTS[:5])
        await arrive(api, ALERTS)
        ids = await ended(api, task, 12)

    assert ids == IDS


async def test_a_stream_whose_reader_leaves_is_no_longer_counted() -> None:
    async with running() as api:
        first, second = await opened(api), await opened(api)
        assert subscribers(api) == 2

        first.cancel()
        await eventually(lambda: subscribers(api) == 1)
        await arrive(api, ALERTS[:2])
        ids = await ended(api, second, 2)

    assert ids == IDS[:2]
    assert subscribers(api) == 0


async def test_stopping_the_app_ends_its_streams() -> None:
    async with running() as api:
        task = await opened(api)
    async with asyncio.timeout(30):
        answer = await task

    assert answer.status_code == 200


async def test_a_stream_whose_history_fails_ends_whole_and_is_resumed() -> None:
    async with running() as api:
        first = await opened(api, "?replay=all")
        await arrive(api, ALERTS[:2])
        await eventually(lambda: sent(api) == 2)
        api.fakes.history.failure = BackendUnavailableError("database is locked")
        api.services.changed.notify()
        seen = [event["id"] for event in stream_events((await first).text) if "data" in event]
        api.fakes.history.failure = None
        second = await opened(api, **{"Last-Event-ID": seen[-1]})
        await arrive(api, ALERTS[2:4])
        rest = await ended(api, second, 4)

    assert seen + rest == IDS[:4]


async def test_a_reader_that_stands_still_holds_nobody_up() -> None:
    history, changed = MemoryAlertHistory(), ChangeSignal()
    many = [make_alert(cycle) for cycle in range(1, 2 * PAGE + 8)]
    await history.store(batch(many[:1]))
    pages = StreamPages(history, changed)
    async with (
        aclosing(follow(pages, 0, AlertFilter())) as slow,
        aclosing(follow(pages, 0, AlertFilter())) as quick,
    ):
        assert (await anext(slow)).sequence == 1
        await history.store(batch(many))
        changed.notify()

        async with asyncio.timeout(30):
            seen = [(await anext(quick)).sequence for _ in many]
            late = [(await anext(slow)).sequence for _ in many[1:]]

    assert seen == list(range(1, len(many) + 1))
    assert late == list(range(2, len(many) + 1))


async def test_a_page_of_all_alerts_is_one_read_and_of_some_says_how_far_it_looked() -> None:
    class Counting(MemoryAlertHistory):
        asked = 0

        async def last(self) -> StoredAlert | None:
            self.asked += 1
            return await super().last()

    history = Counting()
    await history.store(batch(ALERTS[:3]))
    pages = StreamPages(history, ChangeSignal())

    every = await pages.read(AlertFilter(), 0, 0)
    behind = await pages.read(AlertFilter(), 3, 0)
    asked = history.asked
    others = await pages.read(AlertFilter(asset_id="nobody"), 0, 0)

    assert ([item.sequence for item in every.items], every.head) == ([1, 2, 3], 3)
    assert (behind.items, behind.head, asked) == ((), 3, 0)
    assert (others.items, others.head) == ((), 3)


async def test_a_ring_between_reading_and_waiting_is_not_missed() -> None:
    """The alert arrives after the stream has read its page, before it waits."""

    class Late(MemoryAlertHistory):
        async def page(self, *args: Any, **options: Any) -> Sequence[StoredAlert]:
            found = await super().page(*args, **options)
            if not found and await self.last() is None:
                await self.store(batch(ALERTS[:1]))
                changed.notify()
            return found

    history, changed = Late(), ChangeSignal()
    async with (
        aclosing(follow(StreamPages(history, changed), 0, AlertFilter())) as stream,
        asyncio.timeout(30),
    ):
        stored = await anext(stream)

    assert stored.body == ALERTS[0].to_json().decode()


async def test_an_alert_that_arrives_while_a_filtered_page_is_read_is_not_skipped() -> None:
    """The head is read before the page; read after it, the wanted alert would be jumped over."""
    other, wanted = make_alert(1, asset_id="b"), make_alert(2, asset_id="a")

    class Racing(MemoryAlertHistory):
        async def page(self, *args: Any, **options: Any) -> Sequence[StoredAlert]:
            found = await super().page(*args, **options)
            if await self.store(batch([other, wanted])):
                changed.notify()
            return found

    history, changed = Racing(), ChangeSignal()
    stream = follow(StreamPages(history, changed), 0, AlertFilter(asset_id="a"))
    async with aclosing(stream), asyncio.timeout(30):
        assert (await anext(stream)).event_id == wanted.alert_id


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("arrive"), st.integers(1, 4)),
            st.tuples(st.just("beside"), st.integers(1, 4)),
            st.tuples(st.just("again"), st.integers(0, 11)),
            st.tuples(st.just("read"), st.integers(1, 5)),
            st.tuples(st.just("reconnect"), st.just(0)),
        ),
        max_size=25,
    )
)
def test_whatever_the_timing_a_resuming_reader_sees_each_alert_once(
    steps: list[tuple[str, int]],
) -> None:
    async def live() -> tuple[list[str], int]:
        history, changed = MemoryAlertHistory(), ChangeSignal()
        seen: list[str] = []
        arrived = 0
        start, last_id = await starting_point(history, None, from_the_first=False)
        pages = StreamPages(history, changed)
        arriving = Arriving(history, pages)
        stream = follow(pages, start, AlertFilter())

        async def read(most: int) -> None:
            nonlocal last_id
            for _ in range(min(most, arrived - len(seen))):
                last_id = (await anext(stream)).event_id
                seen.append(last_id)

        async with asyncio.timeout(30):
            for what, number in steps:
                match what:
                    case "arrive":
                        new = ALERTS[arrived : arrived + number]
                        arrived += await arriving.store(batch(new))
                    case "beside":  # stored by something else: the watch over silent machines
                        new = ALERTS[arrived : arrived + number]
                        arrived += len(await history.store(batch(new)))
                        changed.notify()
                    case "again":
                        await arriving.store(batch(ALERTS[:arrived][number:]))
                    case "read":
                        await read(number)
                    case "reconnect":
                        await stream.aclose()
                        start, last_id = await starting_point(
                            history, last_id, from_the_first=False
                        )
                        stream = follow(pages, start, AlertFilter())
            await read(len(ALERTS))
            await stream.aclose()
        return seen, arrived

    seen, arrived = asyncio.run(live())

    assert seen == IDS[:arrived]


async def test_an_id_of_another_history_is_told_apart_from_none() -> None:
    with pytest.raises(RequestRefusedError, match="not known where to go on"):
        await starting_point(MemoryAlertHistory(), IDS[0], from_the_first=True)


async def test_data_is_json_on_one_line_even_when_it_holds_line_breaks() -> None:
    alert = make_alert(reason="one\ntwo\r\nthree")
    async with running() as api:
        task = await opened(api)
        await arrive(api, [alert])
        await ended(api, task, 1)

    (event,) = (item for item in stream_events(task.result().text) if "data" in item)
    assert json.loads(event["data"])["reason"] == "one\ntwo\r\nthree"


class CountedHistory(MemoryAlertHistory):
    """Counts its pages, and waits while a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def page(self, *args: Any, **options: Any) -> Sequence[StoredAlert]:
        self.reads += 1
        found = await super().page(*args, **options)
        await self.may_answer.wait()
        return found


@pytest.mark.parametrize("how", ["expires", "is revoked"])
async def test_an_open_stream_ends_when_its_key_does(how: str) -> None:
    clock = StillClock()
    fakes = Fakes(clock=clock)
    lifetime = timedelta(seconds=2 * CHECK_S) if how == "expires" else None
    secret, key = await make_key(fakes.access, "anna", Role.VIEWER, clock.now(), lifetime)
    async with running(fakes, ApiSettings(keys="on")) as api:
        task = await opened(api, **{"X-API-Key": secret})
        clock.elapsed_s += CHECK_S
        await arrive(api, ALERTS[:1])  # it is still valid
        await eventually(lambda: sent(api) >= 1)
        assert not task.done()
        if how == "is revoked":
            await fakes.access.revoke(key.prefix, clock.now())
        clock.elapsed_s += CHECK_S
        await arrive(api, ALERTS[1:2])
        answer = await asyncio.wait_for(task, 30)
        again = await api.client.get(STREAM, headers={"X-API-Key": secret})

    # one may have been read before the key was looked up again
    told = [event["id"] for event in stream_events(answer.text) if "data" in event]
    assert told in (IDS[:1], IDS[:2])
    assert again.status_code == 401


async def test_many_streams_at_one_place_read_one_page_and_share_it() -> None:
    history, changed = CountedHistory(), ChangeSignal()
    pages = StreamPages(history, changed)
    await history.store(batch([make_alert(cycle) for cycle in range(1, PAGE + 1)]))
    streams = [follow(pages, 0, AlertFilter()) for _ in range(200)]

    first = [await anext(stream) for stream in streams]

    assert history.reads == 1
    assert len({id(item) for item in first}) == 1
    for stream in streams:
        await stream.aclose()


async def test_a_read_from_before_a_ring_is_not_joined_after_it() -> None:
    """It may have looked before the alert was there; who came after the ring must look again."""
    history, changed = CountedHistory(), ChangeSignal()
    pages = StreamPages(history, changed)
    history.may_answer.clear()
    early = asyncio.create_task(pages.read(AlertFilter(), 0, changed.count))
    await eventually(lambda: history.reads == 1)
    await history.store(batch(ALERTS[:1]))
    changed.notify()
    late = asyncio.create_task(pages.read(AlertFilter(), 0, changed.count))
    await eventually(lambda: history.reads == 2)
    history.may_answer.set()

    assert (await early).items == ()
    assert [item.event_id for item in (await late).items] == IDS[:1]


async def test_what_has_just_been_stored_is_told_without_asking_the_history() -> None:
    history, changed = CountedHistory(), ChangeSignal()
    pages = StreamPages(history, changed)
    arriving = Arriving(history, pages)
    await history.store(batch(ALERTS[:1]))
    await arriving.store(batch(ALERTS[:3]))

    told = await pages.read(AlertFilter(), 1, changed.count)
    some = await pages.read(AlertFilter(alarm_id=ALERTS[2].alarm_id), 1, changed.count)

    assert ([item.event_id for item in told.items], told.head) == (IDS[1:3], 3)
    assert [item.event_id for item in some.items] == [IDS[2]]
    assert history.reads == 0
    before = await pages.read(AlertFilter(), 0, changed.count)
    assert ([item.event_id for item in before.items], history.reads) == (IDS[:3], 1)


async def test_what_was_stored_beside_the_latest_alerts_is_not_jumped_over() -> None:
    """The other alert is stored before the latest is told of, and its own ring comes after."""
    history, changed = CountedHistory(), ChangeSignal()
    pages = StreamPages(history, changed)
    latest = await history.store(batch(ALERTS[:1]))
    await history.store(batch(ALERTS[1:2]))
    pages.came(latest)
    changed.notify()

    found = await pages.read(AlertFilter(), 0, changed.count)
    pages.came(await history.store(batch(ALERTS[2:3])))
    later = await pages.read(AlertFilter(), 1, changed.count)
    await history.store(batch(ALERTS[3:4]))
    changed.notify()
    pages.came([])  # a batch that was known
    last = await pages.read(AlertFilter(), 2, changed.count)

    assert [item.event_id for item in found.items] == IDS[:2]
    assert [item.event_id for item in later.items] == IDS[1:3]
    assert [item.event_id for item in last.items] == IDS[2:4]


async def test_a_client_that_goes_takes_the_page_from_nobody() -> None:
    history, changed = CountedHistory(), ChangeSignal()
    await history.store(batch(ALERTS[:1]))
    pages = StreamPages(history, changed)
    history.may_answer.clear()
    going, staying = (
        asyncio.create_task(pages.read(AlertFilter(), 0, changed.count)) for _ in range(2)
    )
    await eventually(lambda: history.reads == 1)
    going.cancel()
    await eventually(going.done)
    history.may_answer.set()

    assert len((await staying).items) == 1
    assert history.reads == 1


async def test_what_is_kept_for_others_is_bounded_and_a_failure_is_not_kept() -> None:
    history, changed = CountedHistory(), ChangeSignal()
    await history.store(batch([make_alert(cycle) for cycle in range(1, PAGE * (KEPT + 10))]))
    pages = StreamPages(history, changed)
    history.failure = BackendUnavailableError("gone")
    with pytest.raises(BackendUnavailableError):
        await pages.read(AlertFilter(), 0, 0)
    history.failure = None

    for after in range(0, PAGE * (KEPT + 8), PAGE):
        assert (await pages.read(AlertFilter(), after, 0)).is_full

    assert len(pages._full) == KEPT
    assert not pages._reading
