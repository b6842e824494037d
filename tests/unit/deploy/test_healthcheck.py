"""What a container engine is told by its health check."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from deploy.healthcheck import main


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"ready": false, "problems": {"broker": "gone"}}'
        self.send_response(200 if self.path == "/good" else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_one_page_that_answers_is_enough(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # which has no business here

    assert main(["http://127.0.0.1:1/ready", f"{url}/good"]) == 0
    assert capsys.readouterr().out == f"{url}/good: 200\n"


def test_a_page_that_refuses_is_quoted(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{url}/bad"]) == 1

    said = capsys.readouterr().out
    assert "503" in said
    assert '"broker": "gone"' in said


@pytest.mark.parametrize("urls", [[], ["http://127.0.0.1:1/"], ["nonsense"]])
def test_whatever_cannot_be_asked_is_not_healthy(
    urls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(urls) == 1
    assert capsys.readouterr().out.strip()
