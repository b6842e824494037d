"""What is said to InfluxDB, word for word, and what is made of answers a real one rarely gives.

The real engine, whose answers decide what is right, is asked in ``test_score_store.py``.
"""

# ruff: noqa: S608 - InfluxQL of a test

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx import AsyncClient
from influxdb_client import InfluxDBClient
from pydantic import SecretStr

from common.errors import BackendRefusedError, BackendUnavailableError
from common.records.verdicts import Level, LifeLeft, ScoreRecord, SourcePosition, Verdict
from common.scorestore.influx.errors import split_address
from common.scorestore.influx.lines import ARRIVED_FIELD
from common.scorestore.influx.store import InfluxScoreStore
from common.scorestore.paging import Position, encode_cursor
from common.scorestore.port import RunSummary, ScoreQuery
from common.settings import ScoreStoreSettings

START = datetime(2026, 1, 1, tzinfo=UTC)
START_US = 1_767_225_600_000_000
TOKEN = "t0ken-9c2f"  # noqa: S105 - of nothing
COLUMNS = [
    "time", "asset_id", "critical_threshold", "cycle", "detail", "level", "model", "run_id",
    "score", "share_T24", "share_T30", "status", "thousand", "ts_us", "warning_threshold",
]  # fmt: skip


@dataclass
class Heard:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    token: str | None
    body: str

    @property
    def statements(self) -> list[str]:
        return self.query["q"].split("; ")


@dataclass
class Script:
    """What the server answers next, and what it has heard."""

    answers: list[tuple[int, str]] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    url: str = ""

    def will_answer(self, *results: object, status: int = 200) -> None:
        """Answer the next request with these results, one for each of its statements."""
        self.answers.append((status, json.dumps({"results": results})))

    def will_say(self, status: int, body: str) -> None:
        self.answers.append((status, body))

    def store(self, **fields: object) -> InfluxScoreStore:
        given: dict[str, object] = {
            "backend": "influx",
            "influx_url": f"{self.url}/",
            "influx_org": "works",
            "influx_bucket": "plant 1",
            "influx_token": SecretStr(TOKEN),
        }
        return InfluxScoreStore(ScoreStoreSettings.model_validate(given | fields))


@pytest.fixture
def influx() -> Iterator[Script]:
    script = Script()

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path not in ("/query", "/api/v2/write"):
                self.send_error(404)  # somebody who looks for a server that had this port before
                return
            size = int(self.headers.get("Content-Length", 0))
            script.heard.append(
                Heard(
                    self.command,
                    url.path,
                    {name: values[0] for name, values in parse_qs(url.query).items()},
                    self.headers.get("Authorization"),
                    self.rfile.read(size).decode(),
                )
            )
            status, body = script.answers.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        script.url = f"http://127.0.0.1:{server.server_port}"
        yield script
        server.shutdown()
        thread.join()
    assert script.answers == [], "fewer requests came than were expected"


def row(cycle: int, second: float | None = None, **fields: object) -> list[object]:
    """Return a row as InfluxDB answers it, of a scored reading unless told otherwise."""
    at_us = START_US + int((cycle if second is None else second) * 1e6)
    given: dict[str, object] = {
        "time": at_us * 1000 + cycle,
        "asset_id": "engine-1",
        "run_id": "run-1",
        "model": "m@1",
        "cycle": cycle,
        "status": "scored",
        "level": "warning",
        "detail": "",
        "score": 2,
        "warning_threshold": 1,
        "critical_threshold": 3,
        "share_T24": 1,
        "share_T30": None,
    }
    return [(given | fields).get(column) for column in COLUMNS]


def rows(*values: Sequence[object]) -> dict[str, Any]:
    return {"series": [{"name": "score", "columns": COLUMNS, "values": list(values)}]}


def scored(cycle: int, second: float | None = None, **fields: Any) -> ScoreRecord:
    """Return the record of :func:`row`."""
    given: dict[str, Any] = {
        "asset_id": "engine-1",
        "run_id": "run-1",
        "cycle": cycle,
        "ts": START + timedelta(seconds=cycle if second is None else second),
        "status": Verdict.SCORED,
        "model": "m@1",
        "score": 2.0,
        "warning_threshold": 1.0,
        "critical_threshold": 3.0,
        "level": Level.WARNING,
        "shares": {"T24": 1.0},
    }
    return ScoreRecord(**(given | fields))


REPEAT = ScoreRecord(
    "engine-1", "run-1", 1, START, Verdict.LATE, "m@1",
    source=SourcePosition("t", 3, 7), published_ts_ms=START_US // 1000,
)  # fmt: skip
EVERYTHING = "time >= -9223372036854775000 AND time < 9223372036854775000"
SELECT = 'SELECT * FROM "score" WHERE'


async def test_a_write_is_lines_to_the_bucket_with_the_token(influx: Script) -> None:
    influx.will_say(204, "")

    async with influx.store() as store:
        await store.write([scored(7), REPEAT])

    assert influx.heard == [
        Heard(
            "POST",
            "/api/v2/write",
            {"org": "works", "bucket": "plant 1", "precision": "ns"},
            f"Token {TOKEN}",
            'score,asset_id=engine-1,model=m@1,run_id=run-1 cycle=7i,level="warning",'
            'status="scored",detail="",score=2.0,warning_threshold=1.0,critical_threshold=3.0,'
            "share_T24=1.0 1767225607000000007\n"
            "repeat,asset_id=engine-1,model=m@1,run_id=run-1,partition=3,status=late "
            'cycle=1i,topic="t",offset=7i,detail="" 1767225600000000007',
        )
    ]


async def test_a_large_write_is_cut_into_requests_and_nothing_is_none(influx: Script) -> None:
    for _ in range(3):
        influx.will_say(204, "")

    async with influx.store() as store:
        await store.write([scored(cycle) for cycle in range(1, 10_002)])
        await store.write([])

    assert [heard.body.count("\n") + 1 for heard in influx.heard] == [5000, 5000, 1]
    sent = [line for heard in influx.heard for line in heard.body.splitlines()]
    assert len(set(sent)) == 10_001


async def test_a_first_page_asks_for_one_row_more_and_for_the_moment_at_its_edge(
    influx: Script,
) -> None:
    influx.will_answer(rows(row(1), row(2), row(3)))
    influx.will_answer(rows(row(3), row(4, 3)))

    async with influx.store() as store:
        page = await store.query(ScoreQuery(limit=2))

    assert page.records == [scored(1), scored(2)]
    assert page.next_cursor == encode_cursor(Position(START_US + 2_000_000, "engine-1", "run-1", 2))
    assert [(heard.method, heard.path, heard.token) for heard in influx.heard] == [
        ("GET", "/query", f"Token {TOKEN}")
    ] * 2
    assert [(heard.query["db"], heard.query["epoch"]) for heard in influx.heard] == [
        ("plant 1", "ns")
    ] * 2
    assert [heard.query["q"] for heard in influx.heard] == [
        f"{SELECT} {EVERYTHING} ORDER BY time ASC LIMIT 3",
        f"{SELECT} time >= 1767225603000000000 AND time < 1767225603001000000",
    ]


async def test_rows_of_one_moment_are_sorted_here_and_the_walk_goes_on_behind_it(
    influx: Script,
) -> None:
    """Three rows of one microsecond, cut by the limit; a page of one, then the next."""
    moment = rows(row(3, 1), row(1, 1), row(2, 1))
    cursor = encode_cursor(Position(START_US + 1_000_000, "engine-1", "run-1", 1))
    influx.will_answer(moment)

    async with influx.store() as store:
        page = await store.query(ScoreQuery(limit=1, cursor=cursor))

        influx.will_answer(moment)
        influx.will_answer(rows(row(9)))
        rest = await store.query(ScoreQuery(limit=2, cursor=cursor))

    assert page.records == [scored(2, 1)]
    assert page.next_cursor is not None
    assert rest.records == [scored(2, 1), scored(3, 1)]
    assert rest.next_cursor is not None
    assert influx.heard[2].query["q"] == (
        f"{SELECT} time >= 1767225601001000000 AND time < 9223372036854775000 "
        "ORDER BY time ASC LIMIT 3"
    )


async def test_newest_first_goes_back_behind_the_cursor(influx: Script) -> None:
    cursor = encode_cursor(Position(START_US + 1_000_000, "engine-1", "run-1", 2))
    influx.will_answer(rows(row(3, 1), row(1, 1), row(2, 1)))
    influx.will_answer({})

    async with influx.store() as store:
        page = await store.query(ScoreQuery(limit=5, cursor=cursor, newest_first=True))

    assert page.records == [scored(1, 1)]
    assert page.next_cursor is None
    assert influx.heard[1].query["q"] == (
        f"{SELECT} time >= -9223372036854775000 AND time < 1767225601000000000 "
        "ORDER BY time DESC LIMIT 6"
    )


async def test_pages_are_read_on_until_there_are_enough_rows_of_two_models(influx: Script) -> None:
    """Rows of two models at one place count once: what is missing then is asked for."""
    influx.will_answer(rows(row(1), row(1, model="m@2", score=5)))
    influx.will_answer(rows(row(1), row(1, model="m@2", score=5)))
    influx.will_answer(rows(row(2)))

    async with influx.store() as store:
        page = await store.query(ScoreQuery(limit=1))

    assert page.records == [scored(1, model="m@2", score=5.0)]
    assert page.next_cursor is not None
    assert influx.heard[2].query["q"] == (
        f"{SELECT} time >= 1767225601001000000 AND time < 9223372036854775000 "
        "ORDER BY time ASC LIMIT 2"
    )


async def test_filters_are_told_quoted(influx: Script) -> None:
    influx.will_answer({})

    async with influx.store() as store:
        await store.query(
            ScoreQuery(
                asset_id="it's",
                run_id="b\\",
                since=START,
                until=START + timedelta(seconds=1),
                status=Verdict.GAP,
                min_level=Level.WARNING,
                limit=10_000,
            )
        )

    assert influx.heard[0].query["q"] == (
        f"{SELECT} \"asset_id\" = 'it\\'s' AND \"run_id\" = 'b\\\\' AND "
        "time >= 1767225600000000000 AND time < 1767225601000000000 AND \"status\" = 'gap' AND "
        "(\"level\" = 'warning' OR \"level\" = 'critical') ORDER BY time ASC LIMIT 10001"
    )


async def test_the_lowest_level_is_no_filter_and_the_highest_is_one_alone(influx: Script) -> None:
    influx.will_answer({})
    influx.will_answer({})

    async with influx.store() as store:
        await store.query(ScoreQuery(min_level=Level.NONE, limit=1))
        await store.query(ScoreQuery(min_level=Level.CRITICAL, limit=1))

    assert '"level"' not in influx.heard[0].query["q"]
    assert "AND (\"level\" = 'critical') ORDER" in influx.heard[1].query["q"]


async def test_what_is_left_of_a_rewritten_score_is_not_shown(influx: Script) -> None:
    influx.will_answer(rows(row(1, status="gap", level="none", detail="1 cycle missing")))

    async with influx.store() as store:
        page = await store.query(ScoreQuery())

    assert page.records == [
        ScoreRecord(
            "engine-1",
            "run-1",
            1,
            START + timedelta(seconds=1),
            Verdict.GAP,
            "m@1",
            detail="1 cycle missing",
        )
    ]


async def test_a_score_without_thresholds_has_none(influx: Script) -> None:
    influx.will_answer(rows(row(1, warning_threshold=None, critical_threshold=None)))

    async with influx.store() as store:
        page = await store.query(ScoreQuery())

    assert page.records == [scored(1, warning_threshold=None, critical_threshold=None)]


def by_run(*values: object, run_id: str = "run-1", **tags: str) -> dict[str, Any]:
    return {
        "tags": {"asset_id": "engine-1", "run_id": run_id, **tags},
        "columns": [],
        "values": [list(values)],
    }


GROUPED = ' GROUP BY "asset_id", "run_id", "fleet"'
LAST = '"score", "level", "severity", "life", "life_low", "life_high"'
OF_RUN = "\"asset_id\" = 'engine-1' AND \"run_id\" = 'run-1'"


async def test_a_summary_is_asked_in_one_request_and_read_from_eleven_answers(
    influx: Script,
) -> None:
    influx.will_answer(
        {"series": [by_run(0, 3)]},
        {"series": [by_run((START_US + 5) * 1000 + 9, 9, None)]},
        {"series": [by_run(0, 8, 2, "warning", 1.5, 41, 28.5, 60)]},
        {"series": [by_run(0, 4)]},
        {"series": [by_run(0, 2.5)]},
        {"series": [by_run(0, 1_767_225_600_123)]},
        {"series": [by_run(0, 5)]},
        {"series": [by_run(0, 29)]},
        {},
        {},
        {"series": [by_run(0, 2, status="late"), by_run(0, 1, run_id="run-2", status="rejected")]},
    )

    async with influx.store() as store:
        found = await store.runs(asset_id="engine-1", run_id="run-1")

    only_rejected, whole = found
    assert (only_rejected.run_id, only_rejected.last_cycle) == ("run-2", None)
    assert only_rejected.verdicts == {Verdict.REJECTED: 1}
    assert [whole] == [
        RunSummary(
            asset_id="engine-1",
            run_id="run-1",
            fleet="default",
            first_cycle=3,
            last_cycle=9,
            last_ts=START + timedelta(microseconds=5),
            verdicts={Verdict.SCORED: 5, Verdict.WARMING_UP: 29, Verdict.LATE: 2},
            last_score=2.0,
            last_level=Level.WARNING,
            peak_score=4.0,
            last_severity=1.5,
            peak_severity=2.5,
            last_life=LifeLeft(41.0, 28.5, 60.0),
            last_scored_cycle=8,
            arrived_ms=1_767_225_600_123,
        )
    ]
    assert isinstance(whole.last_score, float)
    assert isinstance(whole.peak_score, float)
    assert influx.heard[0].statements == [
        f'SELECT MIN("cycle") FROM "score" WHERE {OF_RUN}{GROUPED}',
        f'SELECT MAX("cycle"), "ts_us" FROM "score" WHERE {OF_RUN}{GROUPED}',
        f'SELECT MAX("cycle"), {LAST} FROM "score" WHERE {OF_RUN} AND '
        f"\"status\" = 'scored'{GROUPED}",
        f'SELECT MAX("score") FROM "score" WHERE {OF_RUN} AND "status" = \'scored\'{GROUPED}',
        f'SELECT MAX("severity") FROM "score" WHERE {OF_RUN} AND "status" = \'scored\'{GROUPED}',
        f'SELECT MAX("{ARRIVED_FIELD}") FROM "score" WHERE {OF_RUN}{GROUPED}',
        *(
            f'SELECT COUNT(DISTINCT("cycle")) FROM "score" WHERE {OF_RUN} AND '
            f"\"status\" = '{status}'{GROUPED}"
            for status in ("scored", "warming_up", "gap", "unknown_regime")
        ),
        f'SELECT COUNT("offset") FROM "repeat" WHERE {OF_RUN}{GROUPED}, "status"',
    ]


async def test_counts_are_summed_over_runs(influx: Script) -> None:
    influx.will_answer(
        {"series": [by_run(0, 5), by_run(0, 6, run_id="run-2")]},
        {},
        {"series": [by_run(0, 1)]},
        {},
        {"series": [by_run(0, 2, status="late"), by_run(0, 3, run_id="run-2", status="late")]},
    )

    async with influx.store() as store:
        counts = await store.verdict_counts()

    assert counts == {Verdict.SCORED: 11, Verdict.GAP: 1, Verdict.LATE: 5}
    assert influx.heard[0].statements[0] == (
        'SELECT COUNT(DISTINCT("cycle")) FROM "score" WHERE "status" = \'scored\'' + GROUPED
    )
    assert (
        influx.heard[0].statements[-1] == f'SELECT COUNT("offset") FROM "repeat"{GROUPED}, "status"'
    )


async def test_runs_are_ordered_by_asset_time_and_run(influx: Script) -> None:
    lowest = [by_run(0, 1, run_id=run_id) for run_id in ("c", "b", "a")]
    highest = [
        by_run(START_US * 1000 + second * 10**9, 1, None, run_id=run_id)
        for run_id, second in (("c", 1), ("b", 1), ("a", 2))
    ]
    influx.will_answer({"series": lowest}, {"series": highest}, *[{}] * 9)

    async with influx.store() as store:
        found = await store.runs()

    assert [run.run_id for run in found] == ["b", "c", "a"]
    assert [(run.last_score, run.last_level, run.peak_score) for run in found] == [
        (None, Level.NONE, None)
    ] * 3


async def test_a_ping_asks_for_no_row_of_the_bucket(influx: Script) -> None:
    influx.will_answer({})

    async with influx.store() as store:
        await store.ping()

    assert influx.heard[0].query == {
        "db": "plant 1",
        "epoch": "ns",
        "q": 'SELECT "cycle" FROM "score" WHERE "asset_id" = \'\'',
    }


async def test_without_a_token_none_is_sent(influx: Script) -> None:
    influx.will_answer({})

    async with influx.store(influx_token="") as store:
        await store.ping()

    assert influx.heard[0].token is None


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        pytest.param(401, " ", BackendRefusedError, "401: no message; check .*TOKEN", id="token"),
        pytest.param(403, "{}", BackendRefusedError, "403.*rights of .*TOKEN", id="rights"),
        pytest.param(
            404, '{"message":"gone"}', BackendRefusedError, "404: gone; .*BUCKET.*ORG", id="bucket"
        ),
        pytest.param(413, "[1]", BackendRefusedError, "413: .*MAX_BATCH_ROWS", id="too large"),
        pytest.param(400, '{"error":"no"}', BackendRefusedError, r"400: no\.$", id="old"),
        pytest.param(408, "x", BackendUnavailableError, "408: x", id="time out"),
        pytest.param(425, "x", BackendUnavailableError, "425: x", id="too early"),
        pytest.param(429, "x", BackendUnavailableError, "429: x", id="too many"),
        pytest.param(499, "x", BackendRefusedError, "499: x", id="the last that is our fault"),
        pytest.param(500, "x", BackendUnavailableError, "500: x", id="the first that is not"),
        pytest.param(503, "x" * 600, BackendUnavailableError, r"503: x{500}\.$", id="long"),
    ],
)
async def test_an_answer_that_is_no_success_says_whether_to_try_again(
    influx: Script, status: int, body: str, error: type[Exception], words: str
) -> None:
    influx.will_say(status, body)
    influx.will_say(status, body)

    async with influx.store() as store:
        with pytest.raises(error, match=f"InfluxDB at {influx.url} answered {words}"):
            await store.ping()
        with pytest.raises(error, match=f"InfluxDB at {influx.url} answered {words}"):
            await store.write([scored(1)])


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("database not found: plant 1", BackendRefusedError),
        ("error parsing query", BackendRefusedError),
        ("query timeout reached", BackendUnavailableError),
        ("request timed out", BackendUnavailableError),
        ("query interrupted", BackendUnavailableError),
        ("max-select-series limit exceeded: 1", BackendUnavailableError),
        ("engine is closed", BackendUnavailableError),
        ("Query Timeout", BackendUnavailableError),
    ],
)
async def test_an_error_inside_a_success_says_whether_to_try_again(
    influx: Script, message: str, error: type[Exception]
) -> None:
    influx.will_answer({"error": message})

    async with influx.store() as store:
        with pytest.raises(error, match=rf"could not run a query: {message}\.( |$)") as caught:
            await store.ping()

    assert ("BUCKET" in str(caught.value)) is ("not found" in message)


async def test_of_several_statements_that_fail_the_first_is_asked_again_for_its_reason(
    influx: Script,
) -> None:
    influx.will_answer(*[{"error": "not executed"}] * 5)
    influx.will_answer({"error": "database not found: plant 1"})

    async with influx.store() as store:
        with pytest.raises(BackendRefusedError, match="database not found"):
            await store.verdict_counts()

    assert len(influx.heard[0].statements) == 5
    assert influx.heard[1].statements == influx.heard[0].statements[:1]


@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_an_address_loses_the_slashes_at_its_end_and_nothing_else(slashes: str) -> None:
    assert split_address(f"https://box/influx{slashes}") == ("https://box/influx", "")
    assert split_address(f"http://box:8086{slashes}") == ("http://box:8086", "")


async def test_leaving_closes_both_clients(influx: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[object] = []
    monkeypatch.setattr(InfluxDBClient, "close", lambda client: closed.append(client))
    monkeypatch.setattr(AsyncClient, "aclose", _noting(closed))

    async with influx.store():
        assert closed == []

    assert {type(client) for client in closed} == {InfluxDBClient, AsyncClient}


def _noting(closed: list[object]) -> Callable[[object], Awaitable[None]]:
    async def close(client: object) -> None:
        closed.append(client)

    return close


async def test_whatever_else_answers_is_told_apart(influx: Script) -> None:
    influx.will_say(200, "<html>")

    async with influx.store() as store:
        with pytest.raises(BackendRefusedError, match=r"INFLUX_URL is .*what answers there is not"):
            await store.ping()
