"""The list of assets: the order of urgency, filters, pages, and how far windows have come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from api.alarms.urgency import AssetState
from api.known_fleets import KnownFleet, KnownFleets, KnownModel
from common.machines.turbofan import TURBOFAN
from common.records.alerts import ModelRef, Transition
from common.records.verdicts import Level, LifeLeft, ScoreRecord, SourcePosition, Verdict
from tests.support.alerts import batch, make_alert
from tests.support.api import Fakes, Running, running, score

ASSETS = "/api/v1/assets"
REF = ModelRef(name="fd001", version="1", sha256="")
FLEET = KnownFleet("default", "fd001", KnownModel(REF, TURBOFAN, 1, 2))
KNOWN = KnownFleets({"default": FLEET})


def scored(asset_id: str, severity: float, cycle: int = 40, run_id: str = "run-1") -> ScoreRecord:
    return structs.replace(score(cycle, asset_id=asset_id, run_id=run_id), severity=severity)


def unscored(asset_id: str, cycles: int, status: Verdict = Verdict.WARMING_UP) -> list[ScoreRecord]:
    return [score(cycle, asset_id=asset_id, status=status) for cycle in range(1, cycles + 1)]


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    fakes = Fakes()
    fakes.catalogue.known = KNOWN
    async with running(fakes) as started:
        await fill(started)
        yield started


async def fill(api: Running) -> None:
    """Let there be an asset of every kind; their names say their place."""
    alerts = [
        make_alert(10, asset_id=name)
        for name in ("2-warning-high", "3-warning-low", "4-seen", "5-shelved", "6-maintained")
    ]
    alerts += [make_alert(10, asset_id=name) for name in ("1-critical", "7-cleared")]
    alerts += [
        make_alert(
            14,
            asset_id="1-critical",
            state=Transition.ESCALATED,
            level=Level.CRITICAL,
            onset_cycle=10,
        ),
        make_alert(14, asset_id="7-cleared", state=Transition.CLEARED, onset_cycle=10),
    ]
    await api.fakes.history.store(batch(alerts))
    refused = structs.replace(
        score(1, asset_id="9-refused", status=Verdict.REJECTED),
        published_ts_ms=1,
        source=SourcePosition("t", 0, 1),
        fleet="pumps",
    )
    await api.fakes.scores.write(
        [
            scored("1-critical", 1.1),
            scored("2-warning-high", 2.0),
            scored("3-warning-low", 1.2),
            scored("4-seen", 9.0),
            scored("5-shelved", 8.0),
            scored("6-maintained", 7.0),
            scored("7-cleared", 0.1),
            *unscored("8-cold", 12),
            refused,
            scored("A-quiet-high", 0.8),
            scored("B-quiet-low", 0.2),
            scored("C-quiet-low", 0.2),
        ]
    )
    by_asset = {alert.asset_id: alert.alarm_id for alert in alerts}
    for name, action, body in (
        ("4-seen", "acknowledge", {"note": "seen"}),
        ("5-shelved", "shelve", {"reason": "later"}),
    ):
        done = await api.client.post(f"/api/v1/alarms/{by_asset[name]}/{action}", json=body)
        assert done.is_success, done.text
    now = api.services.clock.now()
    planned = await api.client.post(
        "/api/v1/maintenance",
        json={
            "asset_id": "6-maintained",
            "starts_at": now.isoformat(),
            "ends_at": (now + timedelta(days=2)).isoformat(),
            "reason": "overhaul",
        },
    )
    assert planned.is_success, planned.text


async def listed(api: Running, **query: Any) -> list[dict[str, Any]]:
    """Return all assets of all pages."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await api.client.get(ASSETS, params=query | cursor)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}


async def names(api: Running, **query: Any) -> list[str]:
    return [item["asset_id"] for item in await listed(api, **query)]


@pytest.mark.parametrize("limit", [1, 2, 5, 200])
async def test_the_most_urgent_comes_first_page_after_page(api: Running, limit: int) -> None:
    found = await names(api, order="urgency", limit=limit)

    assert found == sorted(found)
    assert len(found) == 12
    assert await names(api, limit=limit) == found


async def test_what_is_said_of_how_assets_stand(api: Running) -> None:
    said = {item["asset_id"]: item for item in await listed(api, order="urgency")}

    assert {name: (item["state"], item["level"], item["asks"]) for name, item in said.items()} == {
        "1-critical": ("active", "critical", True),
        "2-warning-high": ("active", "warning", True),
        "3-warning-low": ("active", "warning", True),
        "4-seen": ("active", "warning", False),
        "5-shelved": ("active", "warning", False),
        "6-maintained": ("active", "warning", False),
        "7-cleared": ("cleared", None, True),
        "8-cold": ("not_scored", None, False),
        "9-refused": ("not_scored", None, False),
        "A-quiet-high": ("quiet", None, False),
        "B-quiet-low": ("quiet", None, False),
        "C-quiet-low": ("quiet", None, False),
    }
    assert said["5-shelved"]["standing"]["shelved"]
    assert said["6-maintained"]["standing"]["out_of_service"]
    assert said["9-refused"]["verdicts"] == {"rejected": 1}
    by_name = {item["asset_id"]: item for item in await listed(api)}
    assert said == by_name


@pytest.mark.parametrize("order", ["name", "urgency"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "active"}, "123456"),
        ({"state": "cleared"}, "7"),
        ({"state": "not_scored"}, "89"),
        ({"state": "quiet"}, "ABC"),
        ({"level": "critical"}, "1"),
        ({"level": "warning"}, "23456"),
        ({"level": "warning", "state": "cleared"}, ""),
        ({"fleet": "pumps"}, "9"),
        ({"fleet": "pumps", "state": "active"}, ""),
        ({"asset_id": "4-seen", "state": "active"}, "4"),
        ({"run_id": "run-2"}, ""),
        ({"run_id": "run-1", "level": "critical"}, "1"),
    ],
)
async def test_filters(api: Running, query: dict[str, str], order: str, expected: str) -> None:
    found = await names(api, order=order, limit=2, **query)

    assert "".join(name[0] for name in found) == expected


def test_every_state_can_be_asked_for() -> None:
    assert {state.value for state in AssetState} == {"active", "cleared", "quiet", "not_scored"}


@pytest.mark.parametrize("gone", [5, 11])
async def test_an_asset_that_comes_while_one_pages_shifts_nothing(api: Running, gone: int) -> None:
    before = (await api.client.get(ASSETS, params={"order": "urgency", "limit": gone})).json()
    await api.fakes.scores.write([scored("0-new", 99.0), scored("A-new", 0.7)])

    rest = await api.client.get(
        ASSETS, params={"order": "urgency", "cursor": before["next_cursor"], "limit": 100}
    )

    shown = [item["asset_id"] for page in (before, rest.json()) for item in page["items"]]
    assert [name for name in shown if "new" not in name] == sorted(
        name for name in shown if "new" not in name
    )
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize("cursor", ["x", "WyIiLDFd"])
@pytest.mark.parametrize("order", ["name", "urgency"])
async def test_a_strange_cursor_is_refused(api: Running, cursor: str, order: str) -> None:
    answer = await api.client.get(ASSETS, params={"order": order, "cursor": cursor})

    assert answer.status_code == 422
    assert "cursor" in answer.json()["detail"]


async def test_a_cursor_of_another_order_is_refused(api: Running) -> None:
    cursor = (await api.client.get(ASSETS, params={"limit": 1})).json()["next_cursor"]

    answer = await api.client.get(ASSETS, params={"order": "urgency", "cursor": cursor})

    assert answer.status_code == 422
    assert "other parameters" in answer.json()["detail"]


async def test_an_alarm_of_an_earlier_run_counts_unless_the_latest_has_one(api: Running) -> None:
    worse = make_alert(3, asset_id="two", run_id="old", level=Level.CRITICAL)
    await api.fakes.history.store(batch([worse]))
    await api.fakes.scores.write([scored("two", 0.1, run_id="new")])
    (item,) = await listed(api, asset_id="two")
    assert (item["state"], item["level"], item["standing"]["run_id"]) == (
        "active",
        "critical",
        "old",
    )
    assert item["alarm"] is None

    await api.fakes.history.store(batch([make_alert(5, asset_id="two", run_id="new")]))

    (item,) = await listed(api, asset_id="two")
    assert (item["level"], item["standing"]["run_id"]) == ("warning", "new")


async def test_how_far_the_window_has_come(api: Running) -> None:
    again = [scored("again", 0.1, cycle=40)]
    again += [
        score(cycle, asset_id="again", status=Verdict.GAP if cycle == 60 else Verdict.WARMING_UP)
        for cycle in range(60, 65)
    ]
    other = [structs.replace(row, fleet="unheard") for row in unscored("stranger", 3)]
    await api.fakes.scores.write([*again, *other])

    said = {item["asset_id"]: item["warm_up"] for item in await listed(api, order="urgency")}

    assert said["8-cold"] == {"seen": 12, "needed": 30}
    assert said["again"] == {"seen": 5, "needed": 30}
    assert said["A-quiet-high"] is None
    assert said["stranger"] is None  # nobody knows how long its window is


async def test_a_shelf_that_has_run_out_holds_no_more(api: Running) -> None:
    found = await api.fakes.alarms.standing(api.services.clock.now() + timedelta(days=1))

    assert [alarm.shelved for alarm in found if alarm.asset_id == "5-shelved"] == [False]


async def test_every_run_of_an_asset_is_there_the_last_to_arrive_first() -> None:
    async with running() as api:
        await api.fakes.scores.write(
            [
                structs.replace(
                    scored("a", 0.2, run_id="first"),
                    published_ts_ms=3000,
                    life=LifeLeft(41.5, 28.0, 60.5),
                ),
                structs.replace(scored("a", 0.5, 70, run_id="second"), published_ts_ms=1000),
                structs.replace(scored("a", 0.1, run_id="third"), published_ts_ms=2000),
                scored("b", 3.0, run_id="other"),
            ]
        )
        runs: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        for _ in range(3):
            page = (await api.client.get(f"{ASSETS}/a/runs", params={"limit": 1, **cursor})).json()
            runs += page["items"]
            cursor = {"cursor": page["next_cursor"]}
        whole = (await api.client.get(f"{ASSETS}/a/runs")).json()
        mixed = await api.client.get(f"{ASSETS}/a/runs?limit=1")
        foreign = await api.client.get(
            f"{ASSETS}/b/runs", params={"cursor": mixed.json()["next_cursor"]}
        )
        unknown = await api.client.get(f"{ASSETS}/nobody/runs")

    assert cursor == {"cursor": None}
    assert whole == {"items": runs, "next_cursor": None}
    assert [(run["run_id"], run["last_cycle"], run["peak_severity"]) for run in runs] == [
        ("first", 40, 0.2), ("third", 40, 0.1), ("second", 70, 0.5),
    ]  # fmt: skip
    assert [run["last_life"] for run in runs] == [
        {"expected": 41.5, "low": 28.0, "high": 60.5}, None, None,
    ]  # fmt: skip
    assert (foreign.status_code, unknown.status_code) == (422, 404)
