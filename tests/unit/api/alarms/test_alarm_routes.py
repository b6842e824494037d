"""Alarms over HTTP: what is listed, what may be done, how it is refused, who is said to have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.views.alarms.requests import MOST_AT_ONCE
from common.records.alerts import Transition
from common.records.verdicts import Level
from tests.support.alarms import CLEARED, ESCALATED, RAISED
from tests.support.alerts import batch, make_alert
from tests.support.api import Fakes, Running, running
from tests.support.clock import StillClock

ALARMS = "/api/v1/alarms"
ONE = f"{ALARMS}/{RAISED.alarm_id}"
ASSET = RAISED.asset_id


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    fakes = Fakes(clock=StillClock())
    await fakes.history.store(batch([RAISED, make_alert(3, asset_id="b")]), fakes.clock.now())
    async with running(fakes) as started:
        yield started


async def post(api: Running, path: str, **body: Any) -> dict[str, Any]:
    answer = await api.client.post(path, json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(api: Running, query: str = "") -> list[str]:
    answer = await api.client.get(f"{ALARMS}{query}")
    assert answer.status_code == 200, answer.text
    return [item["asset_id"] for item in answer.json()["items"]]


async def test_an_alarm_says_what_is_wrong_and_where_it_stands(api: Running) -> None:
    await api.fakes.history.store(batch([ESCALATED, CLEARED]))

    alarm = (await api.client.get(ONE)).json()

    assert alarm["level"] == "critical"
    assert (alarm["state"], alarm["standing"], alarm["acknowledged"]) == ("cleared", True, False)
    assert (alarm["alert_id"], alarm["cycle"]) == (ESCALATED.alert_id, 14)
    assert (alarm["raised_ts"], alarm["cleared_cycle"]) == ("2026-01-01T00:00:10Z", 30)
    assert [item["state"] for item in alarm["alerts"]] == ["raised", "escalated", "cleared"]
    assert (alarm["arrived_at"], alarm["events"]) == ("2026-01-01T00:00:00Z", [])


async def test_the_story_of_an_alarm_is_told_with_who_and_why(api: Running) -> None:
    await post(api, f"{ONE}/acknowledge", note="oil sample ordered", operator="anna")
    await post(api, f"{ONE}/comment", comment="booked", operator="bo")
    await post(api, f"{ONE}/verdict", verdict="true_alarm", found="worn blades")
    await post(api, f"{ONE}/close", note="exchanged")

    alarm = (await api.client.get(ONE)).json()

    assert alarm["acknowledgement"] == {
        "who": "anna",
        "at": "2026-01-01T00:00:00Z",
        "why": "oil sample ordered",
    }
    assert (alarm["state"], alarm["closed"]["who"], alarm["closed"]["why"]) == (
        "closed", "local", "exchanged",
    )  # fmt: skip
    assert (alarm["verdict"]["verdict"], alarm["verdict"]["why"]) == ("true_alarm", "worn blades")
    assert [(item["action"], item["who"]) for item in alarm["events"]] == [
        ("acknowledged", "anna"), ("commented", "bo"), ("judged", "local"), ("closed", "local"),
    ]  # fmt: skip
    assert alarm["version"] == 5


async def test_a_shelf_is_listed_with_the_time_left_and_ends_by_itself(api: Running) -> None:
    assert (await post(api, f"{ONE}/shelve", reason="sensor"))["shelved"]["left_s"] == 3600
    api.fakes.clock.elapsed_s += 600  # type: ignore[attr-defined]  # the clock of this test

    [item] = (await api.client.get(f"{ALARMS}?shelved=true")).json()["items"]
    assert (item["asset_id"], item["shelved"]["left_s"]) == (ASSET, 3000)
    assert len(await listed(api)) == 2
    api.fakes.clock.elapsed_s += 3000  # type: ignore[attr-defined]  # the clock of this test
    assert await listed(api, "?shelved=true") == []


async def test_the_same_request_again_is_answered_the_same(api: Running) -> None:
    body = {"note": "seen", "request_id": "r1"}
    first = await post(api, f"{ONE}/acknowledge", **body)

    assert await post(api, f"{ONE}/acknowledge", **body) == first


async def test_who_is_late_is_told(api: Running) -> None:
    await post(api, f"{ONE}/acknowledge", operator="bo", expected_version=1)

    answer = await api.client.post(f"{ONE}/acknowledge", json={"expected_version": 1})

    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:surgeline:problem:alarm_changed"
    assert "bo" in answer.json()["detail"]


async def test_many_at_once(api: Running) -> None:
    other = make_alert(3, asset_id="b").alarm_id
    await post(api, f"{ONE}/acknowledge")

    result = await post(
        api, f"{ALARMS}/acknowledge", alarm_ids=[RAISED.alarm_id, other, "x"], note="storm"
    )

    assert [item["outcome"] for item in result["items"]] == [
        "already_acknowledged", "acknowledged", "unknown",
    ]  # fmt: skip
    assert result["acknowledged"] == 1
    assert await listed(api, "?acknowledged=false") == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("shelve", {}, "reason"),
        ("shelve", {"reason": "  "}, "reason"),
        ("shelve", {"reason": "x", "duration_s": 30 * 86_400 + 1}, "duration_s"),
        ("shelve", {"reason": "x", "duration_s": 0}, "duration_s"),
        ("close", {}, "note"),
        ("comment", {"comment": "a\0b"}, "comment"),
        ("comment", {"comment": "\ud800"}, "comment"),
        ("comment", {"comment": "x" * 2001}, "comment"),
        ("verdict", {"verdict": "maybe"}, "verdict"),
        ("acknowledge", {"operator": " "}, "operator"),
        ("acknowledge", {"operator": "a\nb\x07"}, "operator"),
        ("acknowledge", {"request_id": "a b"}, "request_id"),
        ("acknowledge", {"unheard_of": 1}, "unheard_of"),
    ],
)
async def test_what_is_not_sound_is_refused_and_changes_nothing(
    api: Running, path: str, body: dict[str, Any], field: str
) -> None:
    content = str(body).replace("'", '"').replace("\\x00", "\\u0000").replace("\\x07", "\\u0007")
    answer = await api.client.post(
        f"{ONE}/{path}", content=content, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert await api.fakes.alarms.log_end() == 0


@pytest.mark.parametrize("ids", [[], ["x"] * (MOST_AT_ONCE + 1)])
async def test_none_and_too_many_are_refused(api: Running, ids: list[str]) -> None:
    answer = await api.client.post(f"{ALARMS}/acknowledge", json={"alarm_ids": ids})

    assert answer.status_code == 422


async def test_there_is_no_such_alarm(api: Running) -> None:
    for method, path in (("GET", "/nobody"), ("POST", "/nobody/acknowledge")):
        answer = await api.client.request(method, f"{ALARMS}{path}", json={})
        assert (answer.status_code, answer.json()["type"]) == (
            404, "urn:surgeline:problem:unknown_alarm",
        )  # fmt: skip


async def test_pages_go_on_and_forged_cursors_are_refused(api: Running) -> None:
    await api.fakes.history.store(
        batch([make_alert(cycle, asset_id=f"m{cycle}") for cycle in range(20, 27)])
    )
    everything = await listed(api)

    paged, query = [], "?limit=2"
    while True:
        page = (await api.client.get(f"{ALARMS}{query}")).json()
        paged += [item["asset_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query = f"?limit=2&cursor={page['next_cursor']}"
        last = page["next_cursor"]

    assert paged == everything
    assert len(everything) == 9
    for forged in ("x", last + "x", f"{last}&level=critical"):
        answer = await api.client.get(f"{ALARMS}?cursor={forged}")
        assert answer.status_code == 422


async def test_maintenance_is_planned_runs_and_ends(api: Running) -> None:
    answer = await api.client.post(
        "/api/v1/maintenance",
        json={"fleet": "default", "ends_at": "2026-01-02T00:00:00Z", "reason": "wash"},
    )
    assert answer.status_code == 201
    place = answer.headers["location"]
    [first, _] = (await api.client.get(ALARMS)).json()["items"]
    assert (first["out_of_service"]["reason"], first["out_of_service"]["left_s"]) == ("wash", 86400)

    changed = await api.client.patch(place, json={"ends_at": "2026-01-01T12:00:00Z"})
    assert changed.json()["ends_at"] == "2026-01-01T12:00:00Z"
    ended = await post(api, f"{place}/end", operator="bo")

    assert (ended["state"], [item["who"] for item in ended["events"]]) == (
        "cancelled", ["local", "local", "bo"],
    )  # fmt: skip
    assert (await api.client.get("/api/v1/maintenance?current=true")).json()["items"] == []
    assert len((await api.client.get("/api/v1/maintenance")).json()["items"]) == 1
    again = await api.client.post(f"{place}/end", json={})
    assert (again.status_code, again.json()["type"]) == (
        409, "urn:surgeline:problem:maintenance_over",
    )  # fmt: skip


@pytest.mark.parametrize(
    "body", [{}, {"asset_id": "a", "fleet": "f"}, {"asset_id": "a b"}, {"fleet": "f"}]
)
async def test_a_plan_names_an_asset_or_a_fleet_and_a_reason(
    api: Running, body: dict[str, str]
) -> None:
    times = {"ends_at": "2026-01-02T00:00:00Z"}
    answer = await api.client.post("/api/v1/maintenance", json=times | body)

    assert answer.status_code == 422


async def test_alarms_as_flat_rows(api: Running) -> None:
    await post(api, f"{ONE}/acknowledge", operator="anna")
    await api.fakes.history.store(
        batch([make_alert(9, asset_id="b", state=Transition.CLEARED, onset_cycle=3)])
    )

    rows = (await api.client.get("/api/v1/anomaly_events?limit=1")).json()
    more = await api.client.get(f"/api/v1/anomaly_events?limit=1&cursor={rows['next_cursor']}")

    assert [row["sensor_id"] for row in rows["items"] + more.json()["items"]] == ["b", ASSET]
    assert rows["items"][0]["status"] == "resolved"
    assert more.json()["items"][0] == {
        "id": RAISED.alarm_id, "sensor_id": ASSET, "timestamp": "2026-01-01T00:00:10Z",
        "anomaly_score": 0.51, "threshold": 0.5, "severity": Level.WARNING, "status":
        "acknowledged", "acknowledged_by": "anna", "acknowledged_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip


async def test_every_refusal_of_an_action_is_described_with_an_example(api: Running) -> None:
    paths = (await api.client.get("/openapi.json")).json()["paths"]
    actions = [path for path in paths if path.startswith(f"{ALARMS}/{{alarm_id}}/")]

    assert len(actions) == 6
    for path in actions:
        answers = paths[path]["post"]["responses"]
        assert {"200", "404", "409", "422"} <= set(answers)
        for status in ("404", "409"):
            examples = answers[status]["content"]["application/problem+json"]["examples"]
            assert all(one["value"]["status"] == int(status) for one in examples.values())
