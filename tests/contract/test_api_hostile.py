"""Whatever is asked of the api, it answers: never a 5xx, and always with what its schema says.

The same requests go to an api over fakes, over SQLite files, over PostgreSQL, and over InfluxDB.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from api.adapters.memory.access import MemoryAccessStore
from api.adapters.memory.alarms import MemoryAlarmStore
from api.adapters.memory.alerts import MemoryAlertHistory
from api.adapters.memory.evidence import MemoryEvidenceStore
from api.adapters.memory.replays import MemoryReplayRecords
from api.adapters.sql.access import SqlAccessStore
from api.adapters.sql.alarms.store import SqlAlarmStore
from api.adapters.sql.alerts.evidence import SqlEvidenceStore
from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import open_database
from api.adapters.sql.replay_records import SqlReplayRecords
from api.adapters.sql.silence import SqlSilenceStore
from api.app import Adapters, create_app
from api.http import cursors
from api.http.problems import MEDIA_TYPE, Problem
from api.http.queries import AlertsQuery, ScoresQuery
from common.records.verdicts import Level, Verdict
from common.scorestore.factory import open_score_store
from common.scorestore.memory import MemoryScoreStore
from common.scorestore.paging import Position, encode_cursor
from common.settings import ScoreStoreSettings, Settings
from tests.contract.test_alert_history import sql_settings
from tests.support.alerts import batch, make_alert
from tests.support.api import Fakes, Running, api_routes, score
from tests.support.servers.influx import influx_server

NESTED = base64.urlsafe_b64encode(b"[" * 1400 + b"]" * 1400).decode().rstrip("=")
SPECIALS = [
    "", " ", "\0", "a\0b", "%", "%00", "..", "../..", "a/b", "١٢", "²", "-1", "0", "1", "1e3",
    "0x10", "1_000", "9" * 30, "9" * 5000, "NaN", "Infinity", "null", "true", "[]", "{}", "'",
    '"', "\\", "\n", "\r\nX: y", "a" * 200, "a" * 3000, "\ufeff", "💥", "\u202e", "all", "raised",
    "scored", "critical", "warning", "newest", "oldest", "a", "run-1", "beginning", NESTED,
    NESTED[:1990], "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z",
    "2262-04-11T23:47:16Z", "2300-01-01T00:00:00Z", "1677-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z", "2026-01-01T00:00:60Z", "2026-02-30T00:00:00Z",
    "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00%2B23:59", "0000-01-01T00:00:00Z",
]  # fmt: skip
PARAMETERS = [
    "asset_id", "run_id", "alarm_id", "since", "until", "status", "min_level", "level", "state",
    "standing", "shelved", "acknowledged", "current", "sensor_id", "severity",
    "limit", "cursor", "order", "last_event_id", "replay", "", "nobody", "LIMIT", "\0",
]  # fmt: skip
PATHS = [
    "/", "/health", "/ready", "/info", "/metrics", "/docs", "/openapi.json", "/api/v1/assets",
    "/api/v1/scores", "/api/v1/alerts", "/api/v1/alerts/stream", "/api/v1/alerts/{}",
    "/api/v1/alarms", "/api/v1/alarms/stream",
    "/api/v1/alarms/{}", "/api/v1/alarms/{}/acknowledge", "/api/v1/alarms/{}/shelve",
    "/api/v1/alarms/{}/verdict", "/api/v1/alarms/acknowledge", "/api/v1/maintenance",
    "/api/v1/maintenance/{}", "/api/v1/maintenance/{}/end", "/api/v1/anomaly_events",
    "/api/v1/login", "/api/v1/logout", "/api/v1/session", "/api/v1/keys", "/api/v1/keys/{}",
    "/api/v1/audit",
    "/api/v1/detect", "/api/v1/detect/batch", "/api/v1/detect/csv", "/api/v1/predict",
    "/api/v1/whatif",
    "/api/v1/replays", "/api/v1/replays/{}", "/api/v1/machines", "/api/v1/machines/{}",
    "/api/v1/{}", "/{}",
]  # fmt: skip
METHODS = [
    "GET",
    "GET",
    "GET",
    "HEAD",
    "POST",
    "DELETE",
    "OPTIONS",
    "PUT",
    "PATCH",
    "TRACE",
    "BREW",
]
BODY = {
    "dataset": "SIM", "split": "test", "engines": "1-3", "speed": "60x", "cycle_interval_s": 1.0,
    "start": "2026-01-01T00:00:00Z", "run_id": "simulated-1", "seed": 3,
}  # fmt: skip

texts = st.sampled_from(SPECIALS) | st.text(max_size=30)


def forged_cursors() -> st.SearchStrategy[str]:
    """Return cursors of the plainest queries, naming any position, and what only looks like one."""
    marks = st.sampled_from(
        [cursors.query_mark(query) for query in (ScoresQuery(), AlertsQuery())] + ["", "x"]
    )
    numbers = st.integers(-(2**70), 2**70) | st.sampled_from(
        [-62_135_596_800_000_000, 253_402_300_799_999_999, 2**63 - 1, 2**63]
    )
    places = st.builds(
        lambda ts, asset, run, cycle: encode_cursor(Position(ts, asset, run, cycle)),
        numbers,
        st.text(st.characters(codec="utf-8"), max_size=5),
        st.text(st.characters(codec="utf-8"), max_size=5),
        numbers,
    )
    anything = st.recursive(
        st.none() | st.booleans() | st.floats() | numbers | st.text(max_size=5),
        st.lists,
        max_leaves=5,
    )
    return st.builds(cursors.encode, marks, places | anything)


queries = st.lists(
    st.tuples(st.sampled_from(PARAMETERS), texts)
    | st.tuples(st.just("cursor"), forged_cursors())
    | st.tuples(st.text(max_size=5), texts),
    max_size=4,
).map(lambda pairs: "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs))
raw_queries = st.sampled_from(
    [
        "%",
        "%zz=%",
        "limit=%FF",
        "cursor=%ED%A0%80",
        "a;b",
        "&&&",
        "=",
        "limit",
        "limit=1&limit=2",
        "?",
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
bodies = (
    st.dictionaries(st.sampled_from([*BODY, "\ud800", "x"]), json_values, max_size=3).map(
        lambda changes: json.dumps(BODY | changes).encode()
    )
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=50)
    | st.sampled_from(
        [b"", b"{", b"[" * 20_000, b'{"a":' * 5000, b"9" * 20_000, b"\xff\xfe{}", b"NaN",
         b"-Infinity",
         b'"\\ud800"', b'{"run_id": "\\ud800"}', b'{"\\ud800": 1}', b'{"cycle_interval_s": 1e999}',
         b'{"seed": ' + b"9" * 5000 + b"}", b" " * 70_000, b"\0"]
    )
)  # fmt: skip
headers = st.dictionaries(
    st.sampled_from(
        [
            "Last-Event-ID",
            "Content-Type",
            "Accept",
            "Origin",
            "Content-Length",
            "X-Request-ID",
            "Range",
        ]
    ),
    st.binary(max_size=20).filter(lambda value: not set(value) & set(b"\r\n\0"))
    | st.sampled_from(
        [b"application/json", b"text/plain", b"null", b"http://localhost", b"a" * 5000]
    ),
    max_size=3,
)


def _quoted(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"), safe="")


@pytest.fixture(params=["memory", "sqlite", "postgres", "influx"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    """An api with something in its stores, whose streams end at once."""
    fakes = Fakes()
    async with AsyncExitStack() as stack:
        if request.param == "influx":
            server = stack.enter_context(influx_server(tmp_path))
            scores = open_score_store(server.new_bucket())
        elif request.param == "sqlite":
            scores = open_score_store(ScoreStoreSettings(sqlite_path=tmp_path / "scores.db"))
        else:
            scores = MemoryScoreStore()
        await stack.enter_async_context(scores)
        history: Any = MemoryAlertHistory()
        evidence: Any = MemoryEvidenceStore(history)
        alarms: Any = MemoryAlarmStore(history)
        access: Any = MemoryAccessStore()
        silence: Any = fakes.silence
        records: Any = MemoryReplayRecords()
        if request.param in ("sqlite", "postgres"):
            database = await stack.enter_async_context(sql_settings(request, tmp_path))
            engine = await stack.enter_async_context(open_database(database))
            history, records = SqlAlertHistory(engine), SqlReplayRecords(engine)
            alarms, access = SqlAlarmStore(engine), SqlAccessStore(engine)
            silence = SqlSilenceStore(engine)
            evidence = SqlEvidenceStore(engine)
        await scores.write([score(cycle, level=Level.CRITICAL) for cycle in range(1, 4)])
        await scores.write([score(4, status=Verdict.WARMING_UP, asset_id="b")])
        await history.store(batch([make_alert(1), make_alert(2, asset_id="a")]))

        async def opened(given: Settings, inner: AsyncExitStack) -> Adapters:
            adapters = await fakes.opened(given, inner)
            return replace(
                adapters,
                scores=scores,
                history=history,
                alarms=alarms,
                access=access,
                silence=silence,
                evidence=evidence,
                records=records,
            )

        app = create_app(Settings(), opened)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        await stack.enter_async_context(app.router.lifespan_context(app))
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://localhost")
        )
        running = Running(app, fakes, client)
        running.services.changed.closed = True
        yield running


async def ask(
    api: Running, method: str, target: str, given: dict[str, bytes], content: bytes
) -> httpx.Response:
    url = httpx.URL("http://localhost").copy_with(raw_path=target.encode())
    length = {} if "Content-Length" in given else {"Content-Length": str(len(content)).encode()}
    return await api.client.send(
        httpx.Request(
            method,
            url,
            headers={"Host": b"localhost"} | length | given,  # type: ignore[arg-type]
            stream=httpx.ByteStream(content),
        )
    )


def check(method: str, answer: httpx.Response) -> None:
    """An answer is a success that fits its route, or a problem."""
    said = f"{method} {answer.request.url}: {answer.status_code} {answer.text[:500]}"
    assert answer.status_code < 500, said
    if method == "HEAD":
        assert answer.content == b"", said
        return
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == MEDIA_TYPE, said
        problem = Problem.model_validate_json(answer.content)
        assert problem.status == answer.status_code, said
        assert len(answer.content) < 50_000, said
    elif answer.headers.get("content-type") == "application/json" and answer.content:
        json.loads(answer.content, parse_constant=lambda name: pytest.fail(f"{name}: {said}"))
        model = _model_of(method, answer.request.url.path)
        if model is not None:
            TypeAdapter(model).validate_json(answer.content)


def _model_of(method: str, path: str) -> Any:
    for route in api_routes():
        if method in (route.methods or ()) and route.path_regex.match(path):
            return route.response_model
    return None


@given(
    method=st.sampled_from(METHODS),
    path=st.tuples(st.sampled_from(PATHS), texts).map(lambda it: it[0].format(_quoted(it[1]))),
    query=queries | raw_queries,
    given_headers=headers,
    content=st.just(b"") | bodies,
)
@example("GET", "/api/v1/scores", f"cursor={NESTED[:1990]}", {}, b"")
@example("GET", "/api/v1/alerts", f"cursor={NESTED[:1990]}", {}, b"")
@example("GET", "/api/v1/alerts/a%00b", "", {}, b"")
@example("GET", "/api/v1/alerts", "alarm_id=%00", {}, b"")
@example("GET", "/api/v1/alerts/stream", "last_event_id=%00", {}, b"")
@example("GET", "/api/v1/alerts/stream", "", {"Last-Event-ID": b"\xff\x01"}, b"")
@example(
    "POST", "/api/v1/replays", "", {"Content-Type": b"application/json"}, b'{"run_id": "\\ud800"}'
)
@example("GET", "/api/v1/alerts", "since=0001-01-01T00%3A00%3A00%2B23%3A59", {}, b"")
@example("GET", "/api/v1/scores", "since=9999-12-31T23%3A59%3A59-23%3A59", {}, b"")
@example("GET", "/api/v1/scores", "until=0001-01-01T00%3A00%3A00Z", {}, b"")
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=150,
)
async def test_whatever_is_asked_is_answered_without_fail(
    api: Running,
    method: str,
    path: str,
    query: str,
    given_headers: dict[str, bytes],
    content: bytes,
) -> None:
    target = f"{path}?{query}" if query else path

    answer = await ask(api, method, target, given_headers, content)

    check(method, answer)


@given(content=bodies)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
async def test_whatever_replay_is_asked_for_it_is_refused_or_can_be_read(
    api: Running, content: bytes
) -> None:
    answer = await ask(
        api, "POST", "/api/v1/replays", {"Content-Type": b"application/json"}, content
    )
    check("POST", answer)
    listed = await ask(api, "GET", "/api/v1/replays", {}, b"")
    check("GET", listed)
    assert listed.status_code == 200
    if answer.status_code == 202:
        place = answer.headers["location"]
        assert (await ask(api, "GET", place, {}, b"")).status_code == 200
        assert (await ask(api, "DELETE", place, {}, b"")).status_code == 200


@given(
    path=st.sampled_from(["/api/v1/scores", "/api/v1/alerts", "/api/v1/assets"]),
    since=texts, until=texts, cursor=forged_cursors(),
)  # fmt: skip
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100
)
async def test_any_bounds_and_any_forged_cursor_are_answered(
    api: Running, path: str, since: str, until: str, cursor: str
) -> None:
    for query in (
        f"since={_quoted(since)}",
        f"until={_quoted(until)}",
        f"since={_quoted(since)}&until={_quoted(until)}",
        f"cursor={_quoted(cursor)}",
        f"order=oldest&cursor={_quoted(cursor)}",
    ):
        check("GET", await ask(api, "GET", f"{path}?{query}", {}, b""))
