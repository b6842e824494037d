"""Forged cursors: each is as the api makes them in every respect but the one in its name."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from common.scorestore.paging import MAX_CYCLE, MAX_TS_US, MIN_TS_US
from tests.support.alerts import batch, make_alert
from tests.support.api import Running, running, score

ALERTS = "/api/v1/alerts"
SCORES = "/api/v1/scores"


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running() as started:
        yield started


def opened(cursor: str) -> list[Any]:
    found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    assert isinstance(found, list)
    return found


def sealed(parts: object) -> str:
    """Return the cursor of an answer with these parts."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def sealed_position(parts: object) -> str:
    """Return the score store's own cursor, which is inside."""
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


async def next_cursor(api: Running, path: str) -> str:
    await api.fakes.history.store(batch([make_alert(cycle, asset_id="a") for cycle in (1, 2, 3)]))
    await api.fakes.scores.write([score(cycle) for cycle in (1, 2, 3)])
    cursor = (await api.client.get(f"{path}?limit=1&asset_id=a")).json()["next_cursor"]
    assert isinstance(cursor, str)
    return cursor


async def answer_to(api: Running, path: str, cursor: str) -> Mapping[str, Any]:
    query = {"limit": "1", "asset_id": "a", "cursor": cursor}
    answer = await api.client.get(path, params=query)
    body: Mapping[str, Any] = answer.json()
    if answer.status_code == 422:
        assert body["errors"][0]["field"] == "cursor"
    else:
        assert answer.status_code == 200, body
    return body


@pytest.mark.parametrize("path", [ALERTS, SCORES])
async def test_a_cursor_that_is_made_as_ours_are_is_taken(api: Running, path: str) -> None:
    cursor = await next_cursor(api, path)
    parts = opened(cursor)
    if path == SCORES:
        assert sealed_position(opened(parts[1])) == parts[1]

    assert sealed(parts) == cursor
    assert [item["cycle"] for item in (await answer_to(api, path, sealed(parts)))["items"]] == [2]


@pytest.mark.parametrize("path", [ALERTS, SCORES])
@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda mark, position: [mark[:-1] + "z", position], id="another query's mark"),
        pytest.param(lambda mark, position: [7, position], id="a number for a mark"),
        pytest.param(lambda mark, position: [None, position], id="no mark"),
        pytest.param(lambda mark, position: [position, mark], id="the wrong way round"),
        pytest.param(lambda mark, position: [mark], id="too short"),
        pytest.param(lambda mark, position: [mark, position, position], id="too long"),
        pytest.param(lambda mark, position: {"mark": mark, "position": position}, id="an object"),
        pytest.param(lambda mark, position: mark, id="a text"),
        pytest.param(lambda mark, position: 7, id="a number"),
        pytest.param(lambda mark, position: [mark, None], id="no position"),
        pytest.param(lambda mark, position: [mark, [position]], id="a list for a position"),
        pytest.param(lambda mark, position: [mark, 1.5], id="a fraction for a position"),
        pytest.param(lambda mark, position: [mark, "1"], id="a text for a position"),
        pytest.param(lambda mark, position: [mark, -1], id="a negative position"),
        pytest.param(lambda mark, position: [mark, 2**64], id="a position beyond any store"),
    ],
)
async def test_a_cursor_with_one_thing_wrong_is_refused(
    api: Running, path: str, forge: Callable[[str, object], object]
) -> None:
    mark, position = opened(await next_cursor(api, path))

    body = await answer_to(api, path, sealed(forge(mark, position)))

    assert body["status"] == 422


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda at: at[:3], id="too short"),
        pytest.param(lambda at: [*at, 1], id="too long"),
        pytest.param(lambda at: [str(at[0]), *at[1:]], id="a text for the time"),
        pytest.param(lambda at: [at[0] + 0.5, *at[1:]], id="a fraction for the time"),
        pytest.param(lambda at: [True, *at[1:]], id="a truth for the time"),
        pytest.param(lambda at: [MAX_TS_US + 1, *at[1:]], id="a time after all times"),
        pytest.param(lambda at: [MIN_TS_US - 1, *at[1:]], id="a time before all times"),
        pytest.param(lambda at: [at[0], None, *at[2:]], id="no asset"),
        pytest.param(lambda at: [*at[:2], 7, at[3]], id="a number for the run"),
        pytest.param(lambda at: [*at[:3], str(at[3])], id="a text for the cycle"),
        pytest.param(lambda at: [*at[:3], -1], id="a negative cycle"),
        pytest.param(lambda at: [*at[:3], MAX_CYCLE + 1], id="a cycle beyond SQLite"),
    ],
)
async def test_a_position_with_one_thing_wrong_is_refused(
    api: Running, forge: Callable[[list[Any]], list[Any]]
) -> None:
    mark, position = opened(await next_cursor(api, SCORES))

    body = await answer_to(api, SCORES, sealed([mark, sealed_position(forge(opened(position)))]))

    assert body["status"] == 422


@pytest.mark.parametrize("path", [ALERTS, SCORES])
async def test_a_cursor_nested_beyond_reason_is_refused(api: Running, path: str) -> None:
    mark, _ = opened(await next_cursor(api, path))
    depth = 1000
    deep = f'["{mark}", ' + "[" * depth + "]" * depth + "]"
    cursor = base64.urlsafe_b64encode(deep.encode()).decode().rstrip("=")

    assert (await answer_to(api, path, cursor))["status"] == 422
