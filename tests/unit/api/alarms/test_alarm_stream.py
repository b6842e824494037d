"""The stream of alerts and actions: each once, none missing, no action before its alert."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import pytest

from api.alarms.events import Action
from api.live.alarm_stream import alarm_place, follow_alarms
from api.live.pages import PAGE
from api.ports import AlertFilter
from common.errors import RequestRefusedError
from tests.support.alarms import RAISED
from tests.support.alerts import batch, make_alert, wire
from tests.support.api import Fakes, Running, eventually, running, stream_events

STREAM = "/api/v1/alarms/stream"


async def acted(api: Running, path: str, **body: Any) -> None:
    assert (await api.client.post(f"/api/v1/alarms/{path}", json=body)).is_success


async def told(api: Running, query: str, count: int, **headers: str) -> list[dict[str, str]]:
    """Return the events of a stream once it has sent so many."""
    metrics = api.services.metrics.registry
    before = metrics.get_sample_value("surgeline_api_sse_events_total") or 0
    task = asyncio.create_task(api.client.get(f"{STREAM}{query}", headers=headers))
    await eventually(
        lambda: (metrics.get_sample_value("surgeline_api_sse_events_total") or 0) >= before + count
    )
    api.services.changed.close()
    events = stream_events((await task).text)
    api.services.changed.closed = False
    return events


async def test_it_sends_alerts_word_for_word_and_what_was_done() -> None:
    async with running() as api:
        await api.fakes.history.store(batch([RAISED]))
        await acted(api, f"{RAISED.alarm_id}/acknowledge", note="°R", operator="anna")

        start, alert, action = await told(api, "?replay=all", 2)

    assert start == {"id": "beginning~0"}
    assert (alert["event"], alert["data"]) == ("raised", wire(RAISED).body)
    assert alert["id"] == f"{RAISED.alert_id}~0"
    assert (action["event"], action["id"]) == ("acknowledged", f"{RAISED.alert_id}~1")
    done = json.loads(action["data"])
    assert (done["who"], done["why"], done["alarm_id"]) == ("anna", "°R", RAISED.alarm_id)


async def test_the_stream_of_alerts_has_none_of_it() -> None:
    async with running() as api:
        await api.fakes.history.store(batch([RAISED]))
        await acted(api, f"{RAISED.alarm_id}/acknowledge")
        task = asyncio.create_task(api.client.get("/api/v1/alerts/stream?replay=all"))
        await eventually(
            lambda: (
                api.services.metrics.registry.get_sample_value("surgeline_api_sse_events_total")
                == 1
            )
        )
        api.services.changed.close()

        events = stream_events((await task).text)

    assert [event.get("event") for event in events] == [None, "raised"]
    assert events[1]["data"] == wire(RAISED).body


async def test_an_action_wakes_a_stream_that_waits() -> None:
    async with running() as api:
        await api.fakes.history.store(batch([RAISED]))
        place = await alarm_place(api.fakes.history, api.fakes.alarms, None, from_the_first=False)
        stream = follow_alarms(api.services.pages, api.services.action_pages, place, AlertFilter())
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        await acted(api, f"{RAISED.alarm_id}/comment", comment="x")

        item = await asyncio.wait_for(waiting, 30)

        assert (item.event, item.sequence) == ("commented", 1)
        await stream.aclose()


@pytest.mark.parametrize("seed", range(5))
async def test_cut_anywhere_it_goes_on_with_each_once_and_in_order(seed: int) -> None:
    dice = Random(seed)
    async with running() as api:
        names = [f"m{number}" for number in range(PAGE + 20)]
        waiting = [make_alert(1, asset_id=name) for name in names]
        got: list[tuple[str, str]] = []
        last: str | None = None
        while waiting or len(got) < 2 * len(names):
            for alert in [waiting.pop(0) for _ in range(min(dice.randrange(30), len(waiting)))]:
                await api.fakes.history.store(batch([alert]))
                await acted(api, f"{alert.alarm_id}/comment", comment=alert.asset_id)
            place = await alarm_place(
                api.fakes.history, api.fakes.alarms, last, from_the_first=True
            )
            assert last in (None, place.event_id)
            stream = follow_alarms(
                api.services.pages, api.services.action_pages, place, AlertFilter()
            )
            for _ in range(dice.randrange(12)):
                try:
                    item = await asyncio.wait_for(anext(stream), 0.05)
                except TimeoutError:
                    break
                last = item.event_id
                got.append((item.event, json.loads(item.body)["alarm_id"]))
            await stream.aclose()

    for event in ("raised", "commented"):
        assert [alarm for kind, alarm in got if kind == event] == [
            make_alert(1, asset_id=name).alarm_id for name in names
        ]
    for name in names:
        alarm = make_alert(1, asset_id=name).alarm_id
        assert got.index(("raised", alarm)) < got.index((Action.COMMENTED.value, alarm))


@pytest.mark.parametrize(
    "unknown",
    ["nobody~0", "beginning~9", "beginning", "~0", "beginning~-1", "beginning~²", "x" * 99],
)
async def test_an_id_of_another_stream_is_unknown(unknown: str) -> None:
    fakes = Fakes()

    with pytest.raises(RequestRefusedError, match="not known where to go on") as refused:
        await alarm_place(fakes.history, fakes.alarms, unknown, from_the_first=False)

    assert (refused.value.status, refused.value.code) == (404, "unknown_event_id")


async def test_no_action_overtakes_its_alert_in_a_long_history() -> None:
    alerts = [make_alert(1, asset_id=f"m{number}") for number in range(2 * PAGE + 5)]
    async with running() as api:
        await api.fakes.history.store(batch(alerts))
        await acted(api, f"{alerts[-1].alarm_id}/comment", comment="x")

        events = await told(api, "?replay=all", len(alerts) + 1)

    assert [event["event"] for event in events[1:]] == ["raised"] * len(alerts) + ["commented"]
