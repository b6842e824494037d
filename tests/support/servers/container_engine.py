"""A container engine of make-believe: it speaks Docker's HTTP API, and starts nothing.

It notes what it is asked for, which is what a real one would do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Engine:
    """What was asked of it.

    Attributes:
        url: For ``DOCKER_HOST``.
        created: What each container was to be.
        calls: Method and path of every request on a container, without version and query.
        executed: Commands that were to be run inside.
        exec_codes: How commands inside end, one after the other; the last one stays.
    """

    url: str = ""
    created: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    exec_codes: list[int] = field(default_factory=lambda: [0])
    executed: list[list[str]] = field(default_factory=list)


VERSION = {"ApiVersion": "1.44", "MinAPIVersion": "1.24", "Version": "25.0.0"}
INSPECTED = {
    "Id": "c1",
    "Name": "/c1",
    "Config": {"Image": "i", "Labels": {}, "Tty": False},
    "State": {"Status": "running", "Running": True, "ExitCode": 0},
    "HostConfig": {"NetworkMode": "default"},
    "NetworkSettings": {"Networks": {}, "Ports": {}},
}


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: Engine

    def do_GET(self) -> None:
        self._answered("GET")

    def do_POST(self) -> None:
        self._answered("POST")

    def do_DELETE(self) -> None:
        self._answered("DELETE")

    def _answered(self, method: str) -> None:
        length = int(self.headers.get("Content-Length", 0))
        sent = self.rfile.read(length)
        body: dict[str, Any] = json.loads(sent) if sent else {}
        path = re.sub(r"^/v[0-9.]+", "", self.path.partition("?")[0])
        engine = self.engine
        if path.startswith("/containers/"):
            engine.calls.append(f"{method} {path}")
        match method, path.split("/")[1:]:
            case _, ["version"]:
                self._json(200, VERSION)
            case _, ["_ping"]:
                self._bytes(200, b"OK")
            case "GET", ["images", *_]:
                self._json(200, {"Id": "sha256:0", "RepoTags": [], "Os": "linux"})
            case "POST", ["containers", "create"]:
                engine.created.append(body)
                self._json(201, {"Id": "c1", "Warnings": []})
            case "POST", ["containers", "c1", "exec"]:
                engine.executed.append(body["Cmd"])
                self._json(201, {"Id": "e1"})
            case "POST", ["exec", "e1", "start"]:
                self.close_connection = True  # what a command says ends with its connection
                self._bytes(200, b"")
            case "GET", ["exec", "e1", "json"]:
                codes = engine.exec_codes
                self._json(200, {"ExitCode": codes.pop(0) if len(codes) > 1 else codes[0]})
            case "GET", ["containers", "c1", "json"]:
                self._json(200, INSPECTED)
            case _, ["containers", "c1", *_]:
                self._bytes(204, b"")
            case _:
                self._json(404, {"message": f"not known here: {method} {path}"})

    def _json(self, status: int, value: object) -> None:
        self._bytes(status, json.dumps(value).encode())

    def _bytes(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def pretended_engine() -> Iterator[Engine]:
    """Run it until the block ends."""
    engine = Engine()
    api = type("Api", (_Api,), {"engine": engine})
    with ThreadingHTTPServer(("127.0.0.1", 0), api) as server:
        server.daemon_threads = True
        engine.url = f"tcp://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, name="container-engine", daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()
