"""A demo over detectors that run already: how they are found, waited for and read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from common.errors import StackError
from common.settings import ApiSettings, Settings
from deploy.demo.latency import counted_since, quantile_s
from deploy.demo.running import metrics_pages, until_ready
from tests.support.clock import FakeClock


class _Detector(BaseHTTPRequestHandler):
    not_yet = 0

    def do_GET(self) -> None:
        cls = type(self)
        busy = self.path == "/ready" and cls.not_yet > 0
        cls.not_yet -= busy
        body = b"surgeline_batches_in_hand 0.0\n"
        self.send_response(503 if busy else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def detector() -> Iterator[tuple[type[_Detector], str]]:
    handler = type("Detector", (_Detector,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield handler, f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def settings(url: str) -> Settings:
    return Settings(api=ApiSettings(detector_url=url))


async def test_detectors_are_waited_for(detector: tuple[type[_Detector], str]) -> None:
    handler, url = detector
    handler.not_yet = 3
    clock = FakeClock()

    await until_ready(settings(url), clock, wait_s=60)

    assert handler.not_yet == 0
    assert clock.monotonic() > 0


async def test_waiting_ends_and_says_what_was_answered(
    detector: tuple[type[_Detector], str],
) -> None:
    handler, url = detector
    handler.not_yet = 1000

    with pytest.raises(StackError, match="503"):
        await until_ready(settings(url), FakeClock(), wait_s=5)


async def test_the_page_of_each_address_is_read_once(
    detector: tuple[type[_Detector], str],
) -> None:
    _, url = detector

    assert await metrics_pages(httpx.URL(url)) == ["surgeline_batches_in_hand 0.0\n"]


async def test_a_detector_that_is_not_there_is_named() -> None:
    with pytest.raises(StackError, match=r"127\.0\.0\.1:1/metrics does not answer"):
        await metrics_pages(httpx.URL("http://127.0.0.1:1"))


def test_what_was_counted_before_does_not_count() -> None:
    before = {0.1: 100.0, 1.0: 100.0, math.inf: 100.0}
    after = {0.1: 100.0, 1.0: 150.0, math.inf: 150.0}

    assert quantile_s(after, 0.5) == pytest.approx(0.075)
    assert quantile_s(counted_since(before, after), 0.5) == pytest.approx(0.55)
    assert min(counted_since(after, before).values()) == 0.0  # the worker had restarted
