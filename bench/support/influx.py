"""A real InfluxDB engine of one's own, behind the 2.x write address.

Debian's `influxdb` is 1.6.7, which lacks ``/api/v2/write`` (it came with 1.8). So a small HTTP
front stands before it: it checks the token, maps ``/api/v2/write?org&bucket&precision`` to
``/write?db&precision``, and hands everything else through as it is. Storage, line protocol parsing,
InfluxQL and all answers but those to a wrong token are the real engine's; the token check and the
2.x address are the front's. Without its engine the front hangs up.
"""

from __future__ import annotations

import http.client
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from bench.support.processes import program
from common.errors import BackendMissingError
from common.settings import ScoreStoreSettings
from deploy.local.programs import free_port

TOKEN: Final = "bench-token"  # noqa: S105 - of a server that lives as long as the benchmark

CONFIG: Final = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"""


class Front(BaseHTTPRequestHandler):
    """Hands requests to the engine, and its answers back."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet: two would wait for an acknowledgement, 40 ms
    token: ClassVar[str] = TOKEN
    engine_port: ClassVar[int]
    engine_is_2: ClassVar[bool] = False

    def do_GET(self) -> None:
        """Hand it on."""
        self._hand_on(self.path, b"")

    def do_POST(self) -> None:
        """Hand it on; a write of 2.x goes to the address of 1.x."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        if url.path != "/api/v2/write" or self.engine_is_2:
            self._hand_on(self.path, body)
            return
        given = {name: values[0] for name, values in parse_qs(url.query).items()}
        mapped = {"db": given["bucket"], "precision": given["precision"]}
        self._hand_on(f"/write?{urlencode(mapped)}", body)

    def takes(self) -> bool:
        """Return whether the engine is to hear of a request; else it has been answered."""
        return True

    def tells(self) -> bool:
        """Return whether the engine's answer goes back."""
        return True

    def answer(self, status: int, body: bytes, version: str = "") -> None:
        """Answer."""
        self.send_response(status)
        self.send_header("X-Influxdb-Version", version)
        if status != http.HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hand_on(self, path: str, body: bytes) -> None:
        if self.headers.get("Authorization") != f"Token {self.token}":
            self.answer(401, b'{"code":"unauthorized","message":"unauthorized access"}')
            return
        if not self.takes():
            return
        engine = http.client.HTTPConnection("127.0.0.1", self.engine_port, timeout=60)
        try:
            engine.request(self.command, path, body, self._headers())
            answer = engine.getresponse()
            status, content = answer.status, answer.read()
            version = answer.getheader("X-Influxdb-Version", "")
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        else:
            if self.tells():
                self.answer(status, content, version)
        finally:
            engine.close()

    def _headers(self) -> dict[str, str]:
        """What an engine of version 2 needs; that of 1.x asks nobody who they are."""
        if not self.engine_is_2:
            return {}
        kind = self.headers.get("Content-Type", "text/plain; charset=utf-8")
        return {"Authorization": f"Token {self.token}", "Content-Type": kind}

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class InfluxServer:
    """A running engine and its front.

    Attributes:
        url: Where the front listens.
        engine_url: Where the engine itself does, and asks for no token.
        pid: The engine's process.
    """

    url: str
    engine_url: str
    pid: int

    def new_bucket(self) -> ScoreStoreSettings:
        """Make a bucket that nobody else uses, and return the settings that name it."""
        bucket = f"bench-{uuid.uuid4().hex[:12]}"
        self._ask({"q": f'CREATE DATABASE "{bucket}"'})
        return ScoreStoreSettings.model_validate(
            {
                "backend": "influx",
                "influx_url": self.url,
                "influx_bucket": bucket,
                "influx_token": TOKEN,
            }
        )

    def ask(self, bucket: str, statement: str) -> list[Any]:
        """Return the first row of what one InfluxQL statement finds."""
        found = self._ask({"db": bucket, "q": statement})["results"][0]["series"][0]["values"][0]
        return list(found)

    def _ask(self, params: dict[str, str]) -> Any:
        answer = httpx.post(
            f"{self.url}/query",
            params=params,
            headers={"Authorization": f"Token {TOKEN}"},
            trust_env=False,
        )
        return answer.raise_for_status().json()


def is_installed() -> bool:
    """Return whether there is an engine to run."""
    return shutil.which("influxd") is not None


def engine_command(folder: Path, port: int, more: str = "") -> list[str]:
    """Return the command of an engine that keeps its files in a folder.

    Args:
        folder: Its configuration is written there.
        port: Where it listens.
        more: Lines for the configuration's last section, `[http]`.

    Raises:
        BackendMissingError: If it is not installed.
    """
    binary = shutil.which("influxd")
    if binary is None:
        raise BackendMissingError("influxd is needed: apt-get install influxdb")
    config = folder / "influxd.conf"
    config.write_text(CONFIG.format(port=port, rpc_port=free_port(), folder=folder) + more)
    return [binary, "run", "-config", str(config)]


@contextmanager
def influx_server(folder: Path) -> Iterator[InfluxServer]:
    """Run an engine and its front until the block ends."""
    port = free_port()
    command = engine_command(folder, port)
    with program(command, folder / "influxd.log", port=port) as engine:
        handler = type("OwnFront", (Front,), {"engine_port": port})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as front:
            front.daemon_threads = True
            thread = Thread(target=front.serve_forever, name="influx-front", daemon=True)
            thread.start()
            try:
                yield InfluxServer(
                    f"http://127.0.0.1:{front.server_port}", f"http://127.0.0.1:{port}", engine.pid
                )
            finally:
                front.shutdown()
                thread.join()
