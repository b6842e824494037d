"""Making a bucket by InfluxDB 2's API, against a stand-in that follows its documented answers.

The same against the real engine of 1.x: ``tests/integration/test_provision.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from common.errors import BackendRefusedError
from common.scorestore.influx.bucket import DAY_S, ensure_bucket
from common.settings import ScoreStoreSettings

ORGS = {"surgeline": "0123456789abcdef"}


class Buckets:
    """What the stand-in holds, and which changes it was asked for."""

    def __init__(self) -> None:
        self.by_name: dict[str, dict[str, Any]] = {}
        self.changes: list[str] = []
        self.may_write = True


class _Server(BaseHTTPRequestHandler):
    buckets: Buckets

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/api/v2/orgs":
            found = [{"id": i, "name": n} for n, i in ORGS.items() if n == given.get("org", n)]
            self._answer(200, {"orgs": found})
        else:
            names = [given["name"]] if "name" in given else list(self.buckets.by_name)
            found = [self.buckets.by_name[name] for name in names if name in self.buckets.by_name]
            self._answer(200, {"buckets": found})

    def do_POST(self) -> None:
        self._change("made", self._body())

    def do_PATCH(self) -> None:
        self._change("changed", self._body())

    def _change(self, what: str, body: dict[str, Any]) -> None:
        if not self.buckets.may_write:
            self._answer(403, {"code": "forbidden", "message": "write:buckets is unauthorized"})
            return
        self.buckets.changes.append(what)
        self.buckets.by_name[body["name"]] = {"id": "fedcba9876543210", **body}
        self._answer(201 if what == "made" else 200, self.buckets.by_name[body["name"]])

    def _body(self) -> dict[str, Any]:
        return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def buckets() -> Buckets:
    return Buckets()


@pytest.fixture
def settings(buckets: Buckets) -> Iterator[ScoreStoreSettings]:
    handler = type("Server", (_Server,), {"buckets": buckets})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield ScoreStoreSettings.model_validate(
            {
                "backend": "influx",
                "influx_url": f"http://127.0.0.1:{server.server_port}",
                "influx_bucket": "plant",
                "influx_token": "t",
            }
        )
        server.shutdown()
        thread.join()


def kept_s(buckets: Buckets) -> int:
    (rule,) = buckets.by_name["plant"]["retentionRules"]
    return int(rule["everySeconds"])


def test_a_bucket_is_made_once(settings: ScoreStoreSettings, buckets: Buckets) -> None:
    first = ensure_bucket(settings, 90)
    second = ensure_bucket(settings, 90)

    assert (first, second) == (
        "bucket plant was made, kept for 90 days",
        "bucket plant is there, kept for 90 days",
    )
    assert buckets.changes == ["made"]
    assert kept_s(buckets) == 90 * DAY_S


def test_retention_changes_only_when_it_is_told_to(
    settings: ScoreStoreSettings, buckets: Buckets
) -> None:
    ensure_bucket(settings, 90)
    untold = ensure_bucket(settings, None), kept_s(buckets)
    told = ensure_bucket(settings, 7), kept_s(buckets)

    assert untold == ("bucket plant is there", 90 * DAY_S)
    assert told == ("bucket plant is now kept for 7 days", 7 * DAY_S)
    assert buckets.changes == ["made", "changed"]


def test_for_ever_is_said_so(settings: ScoreStoreSettings, buckets: Buckets) -> None:
    assert ensure_bucket(settings, 0) == "bucket plant was made, kept for ever"
    assert kept_s(buckets) == 0
    assert ensure_bucket(settings, 0) == "bucket plant is there, kept for ever"


def test_a_token_without_the_right_is_refused_with_advice(
    settings: ScoreStoreSettings, buckets: Buckets
) -> None:
    buckets.may_write = False

    with pytest.raises(BackendRefusedError, match="check the rights of SURGELINE_SCORES__INFLUX"):
        ensure_bucket(settings, None)
