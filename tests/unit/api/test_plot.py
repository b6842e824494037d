"""Scores for plots: what the route answers; which points are chosen, the store's tests say."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec import structs

from common.records.verdicts import FinalScore, Level, Verdict
from tests.support.api import Running, running, score

PLOT = "/api/v1/scores/plot"


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running() as started:
        rows = [structs.replace(score(cycle), severity=cycle / 100) for cycle in range(1, 101)]
        rows[49] = score(50, status=Verdict.GAP)
        rows[69] = structs.replace(rows[69], severity=7.5, level=Level.CRITICAL)
        other = structs.replace(score(3, run_id="run-0"), severity=0.5, published_ts_ms=0)
        await started.fakes.scores.write([other])
        await started.fakes.scores.write([structs.replace(row, published_ts_ms=5) for row in rows])
        yield started


async def test_all_readings_are_points_where_they_fit(api: Running) -> None:
    body = (await api.client.get(PLOT, params={"asset_id": "a"})).json()

    points = body.pop("points")
    assert body == {
        "asset_id": "a",
        "run_id": "run-1",
        "fleet": "default",
        "simulated": False,
        "scored": 99,
        "gaps": 1,
        "level_changes": 2,
        "bucket_s": None,
        "finals": [],
        "removed_until": None,
    }
    assert len(points) == 99
    assert points[68] == {
        "ts": "2026-01-01T00:01:10Z",
        "cycle": 70,
        "severity": 7.5,
        "level": "critical",
        "gap_before": False,
    }
    assert [point["cycle"] for point in points if point["gap_before"]] == [51]


async def test_final_scores_are_there_with_their_peak_and_their_gaps(api: Running) -> None:
    finals = [
        FinalScore(
            "a", "run-1", cycle, score(cycle).ts, 9.5 if cycle == 33 else cycle / 1000, "fd001@1"
        )
        for cycle in range(1, 91)
        if cycle not in range(60, 66)
    ]
    await api.fakes.scores.write([], finals)

    every = (await api.client.get(PLOT, params={"asset_id": "a"})).json()["finals"]
    few = (await api.client.get(PLOT, params={"asset_id": "a", "points": 16})).json()["finals"]

    assert [point["cycle"] for point in every] == [final.cycle for final in finals]
    assert every[32] == {
        "ts": "2026-01-01T00:00:33Z", "cycle": 33, "final_score": 9.5, "gap_before": False,
    }  # fmt: skip
    assert [point["cycle"] for point in every if point["gap_before"]] == [66]
    assert len(few) <= 16
    assert {1, 33, 90} <= {point["cycle"] for point in few}


async def test_in_few_points_the_peak_and_both_ends_are_there(api: Running) -> None:
    body = (await api.client.get(PLOT, params={"asset_id": "a", "points": 16})).json()

    cycles = [point["cycle"] for point in body["points"]]
    assert len(cycles) <= 16
    assert {1, 70, 100} <= set(cycles)
    assert body["bucket_s"] > 0
    assert sum(point["gap_before"] for point in body["points"]) == 1


async def test_one_run_and_a_time(api: Running) -> None:
    of_run = (await api.client.get(PLOT, params={"asset_id": "a", "run_id": "run-0"})).json()
    some = await api.client.get(
        PLOT,
        params={
            "asset_id": "a", "since": "2026-01-01T00:00:10Z", "until": "2026-01-01T00:00:20Z",
        },
    )  # fmt: skip

    assert (of_run["run_id"], [point["cycle"] for point in of_run["points"]]) == ("run-0", [3])
    assert [point["cycle"] for point in some.json()["points"]] == list(range(10, 20))


@pytest.mark.parametrize("query", [{"asset_id": "nobody"}, {"asset_id": "a", "run_id": "nobody"}])
async def test_what_is_not_known_has_no_points(api: Running, query: dict[str, str]) -> None:
    body = (await api.client.get(PLOT, params=query)).json()

    assert (body["run_id"], body["fleet"], body["points"]) == (None, None, [])


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"asset_id": "a", "points": "15"},
        {"asset_id": "a", "points": "5001"},
        {"asset_id": "a", "limit": "10"},
        {"asset_id": "a", "since": "2026-01-01T00:00:20Z", "until": "2026-01-01T00:00:10Z"},
        {"asset_id": "a\n"},
    ],
)
async def test_a_question_that_is_none_is_refused(api: Running, query: dict[str, str]) -> None:
    assert (await api.client.get(PLOT, params=query)).status_code == 422
