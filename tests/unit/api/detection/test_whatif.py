"""What-if at the api: stored verdicts, read up to a bound, through another rule."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from msgspec import structs

from api.known_fleets import KnownFleets
from common.records.verdicts import Evidence, Level, LifeLeft, ScoreRecord, Verdict
from common.settings import AlarmSettings, ApiSettings
from tests.support.api import Fakes, Running, running, score
from tests.support.clock import StillClock
from tests.support.detection import toy_fleets, toy_scoring

WHATIF = "/api/v1/whatif"


def verdict(cycle: int, severity: float, **changes: Any) -> ScoreRecord:
    """Return a verdict of the toy fleet, whose warning is at 1 and critical at 2."""
    level = Level.CRITICAL if severity >= 2 else Level.WARNING if severity >= 1 else Level.NONE
    return structs.replace(
        score(cycle), fleet="toy", score=severity, severity=severity, level=level,
        evidence=Evidence.DEGRADATION, warning_threshold=1.0, critical_threshold=2.0, **changes,
    )  # fmt: skip


COURSE = [0.1, 1.1, 1.2, 1.3, 1.4, 0.1, 0.1, 0.1]


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    fakes = Fakes(clock=StillClock(), scoring=toy_scoring())
    fakes.catalogue.known = toy_fleets()
    async with running(fakes, ApiSettings(whatif_max_rows=20)) as started:
        rows = [verdict(cycle, each) for cycle, each in enumerate(COURSE, start=1)]
        await started.fakes.scores.write(rows)
        yield started


async def ask(api: Running, **body: Any) -> httpx.Response:
    return await api.client.post(WHATIF, json={"fleet": "toy"} | body)


async def found(api: Running, **body: Any) -> dict[str, Any]:
    answer = await ask(api, **body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_longer_delay_moves_the_alarm_and_says_by_how_much(api: Running) -> None:
    body = await found(api, alarm={"on_delay_cycles": 4})

    rule = {
        "on_delay_cycles": 2, "on_window_cycles": 0, "off_delay_cycles": 2, "min_length_cycles": 0,
        "merge_gap_cycles": 0, "deadband": 0.05,
    }  # fmt: skip
    thresholds = {"warning": 1.0, "critical": 2.0, "life": None}
    raised = {"state": "raised", "level": "warning", "onset_cycle": 2}
    assert body == {
        "fleet": "toy", "run_id": None, "asset_id": None, "since": None, "until": None,
        "before": {"thresholds": thresholds, "alarm": rule},
        "after": {"thresholds": thresholds, "alarm": rule | {"on_delay_cycles": 4}},
        "alarms_before": 1, "alarms_after": 1,
        "gained": [], "lost": [],
        "moved": [
            {
                "asset_id": "a", "run_id": "run-1", "by_cycles": 2,
                "before": raised | {"cycle": 3}, "after": raised | {"cycle": 5},
            }
        ],
        "counts": {"gained": 0, "lost": 0, "moved": 1, "same": 1},
        "rows": 8, "runs": 1, "uncertain_rows": 0, "complete": True, "cut_off": None,
        "processing_time_ms": 0.0,
    }  # fmt: skip


async def test_a_higher_threshold_loses_the_alarm_and_says_what_is_uncertain(api: Running) -> None:
    body = await found(api, thresholds={"warning": 1.35, "critical": 3.0})

    assert [each["state"] for each in body["lost"]] == ["raised", "cleared"]
    assert body["alarms_after"] == 0
    assert body["uncertain_rows"] == 3
    assert body["after"]["thresholds"]["warning"] == 1.35


async def test_a_lower_threshold_gains_one(api: Running) -> None:
    await api.fakes.scores.write([verdict(cycle, 0.6, asset_id="b") for cycle in (1, 2, 3)])

    body = await found(api, thresholds={"warning": 0.5}, asset_id="b")

    assert [(each["asset_id"], each["cycle"]) for each in body["gained"]] == [("b", 2)]
    assert body["rows"] == 3


async def test_other_fleets_runs_and_times_are_left_out(api: Running) -> None:
    await api.fakes.scores.write(
        [structs.replace(verdict(cycle, 1.5), fleet="gone", asset_id="x") for cycle in (1, 2, 3)]
    )
    change = {"alarm": {"on_delay_cycles": 1}}

    assert (await found(api, **change))["rows"] == 8
    assert (await found(api, run_id="another", **change))["rows"] == 0
    since = await found(api, since="2026-01-01T00:00:05Z", until="2026-01-01T00:00:07Z", **change)
    assert since["rows"] == 2


async def test_verdicts_without_a_score_break_rows_and_repeats_do_not_count(api: Running) -> None:
    rows = [
        verdict(1, 1.5, asset_id="b"),
        structs.replace(score(2, asset_id="b", status=Verdict.GAP), fleet="toy"),
        verdict(3, 1.5, asset_id="b"),
        structs.replace(score(3, asset_id="b", status=Verdict.LATE), fleet="toy"),
        verdict(4, 1.5, asset_id="b"),
    ]
    await api.fakes.scores.write(rows)

    body = await found(api, asset_id="b", alarm={"on_delay_cycles": 3})

    assert (body["alarms_before"], body["alarms_after"]) == (1, 0)


async def test_what_was_cut_off_by_the_bound_is_told(api: Running) -> None:
    await api.fakes.scores.write([verdict(cycle, 0.1) for cycle in range(9, 21)])
    whole = await found(api, alarm={"on_delay_cycles": 1})
    await api.fakes.scores.write([verdict(cycle, 0.1) for cycle in range(21, 31)])

    cut = await found(api, alarm={"on_delay_cycles": 1})

    assert (whole["rows"], whole["complete"], whole["cut_off"]) == (20, True, None)
    assert (cut["rows"], cut["complete"]) == (20, False)
    assert cut["cut_off"] == "2026-01-01T00:00:21Z"


async def test_life_decides_where_the_model_knows_it(api: Running) -> None:
    known = toy_fleets().fleets["toy"]
    assert known.model is not None
    lives = replace(known, model=replace(known.model, life=10.0))
    api.fakes.catalogue.known = KnownFleets({"toy": lives})
    rows = [
        structs.replace(verdict(cycle, 1.2, asset_id="b"), critical_threshold=None,
                life=LifeLeft(20.0, 10.0, 30.0))
        for cycle in (1, 2, 3)
    ]  # fmt: skip
    await api.fakes.scores.write(rows)

    body = await found(api, asset_id="b", thresholds={"life": 25.0})
    refused = await ask(api, thresholds={"critical": 5.0})

    assert body["moved"][0]["after"]["level"] == "critical"
    assert body["before"]["thresholds"] == {"warning": 1.0, "critical": None, "life": 10.0}
    assert refused.json()["errors"][0]["field"] == "thresholds.critical"


async def test_single_assets_keep_rules_of_their_own(api: Running) -> None:
    known = toy_fleets().fleets["toy"]
    own = replace(known, own_alarms={"a": AlarmSettings(on_delay_cycles=1, off_delay_cycles=2)})
    api.fakes.catalogue.known = KnownFleets({"toy": own})

    body = await found(api, alarm={"off_delay_cycles": 1})

    assert body["moved"][0]["before"]["state"] == "cleared"
    assert body["counts"]["same"] == 1  # raised at the first anomalous reading, on both sides


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        pytest.param({}, "body", "nothing to change", id="nothing"),
        pytest.param({"alarm": {}}, "body", "nothing to change", id="empty"),
        pytest.param({"fleet": "tyo", "alarm": {"on_delay_cycles": 1}}, "fleet", "toy", id="fleet"),
        pytest.param({"alarm": {"on_delay_cycles": 0}}, "alarm.on_delay_cycles", "1", id="low"),
        pytest.param({"alarm": {"on_delay": 3}}, "alarm.on_delay", "no such field", id="misspelt"),
        pytest.param(
            {"alarm": {"on_window_cycles": 1}}, "alarm.on_window_cycles", "among", id="window"
        ),
        pytest.param({"thresholds": {"warning": 3.0}}, "thresholds.warning", "above", id="crossed"),
        pytest.param({"thresholds": {"life": 3.0}}, "thresholds.life", "leave it out", id="life"),
        pytest.param(
            {"thresholds": {"channel": 3.0}}, "thresholds.channel", "no such field", id="channel"
        ),
        pytest.param(
            {"alarm": {"deadband": 0.1}, "since": "2026-01-02T00:00:00Z",
             "until": "2026-01-01T00:00:00Z"},
            "until", "before", id="times",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_compared_is_named(
    api: Running, body: dict[str, Any], field: str, message: str
) -> None:
    answer = await ask(api, **body)

    assert answer.status_code == 422, answer.text
    error = answer.json()["errors"][0]
    assert error["field"] == field
    assert message in error["message"]


async def test_infinite_numbers_are_refused(api: Running) -> None:
    content = b'{"fleet": "toy", "thresholds": {"warning": 1e999}}'
    answer = await api.client.post(
        WHATIF, content=content, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 422
