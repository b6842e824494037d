"""A real InfluxDB engine for tests, behind the 2.x write address.

Debian's `influxdb` is 1.6.7, which lacks ``/api/v2/write`` (it came with 1.8). So the tests put
a small HTTP front before it: it checks the token, maps ``/api/v2/write?org&bucket&precision`` to
``/write?db&precision``, and hands everything else through as it is. Storage, line protocol parsing,
InfluxQL and all answers but those to a wrong token are the real engine's; the token check and the
2.x address are the front's. Without its engine the front hangs up; tests may give it other manners.
Where containers are chosen the engine is InfluxDB 2, and the front maps nothing.
"""

from __future__ import annotations

import http.client
import shutil
import ssl
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from common.settings import ScoreStoreSettings
from deploy.local.programs import free_port
from tests.support.secure.certificates import Authority, Pair
from tests.support.servers.backends import require
from tests.support.servers.containers import (
    INFLUX_ORG,
    INFLUX_TOKEN,
    ContainerServer,
    are_chosen,
    influxdb,
    running,
)
from tests.support.servers.own_server import OwnServer

TOKEN: Final = INFLUX_TOKEN

CONFIG = """
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


class Manner(Enum):
    """What the front does with a request."""

    HONEST = auto()
    """Hands it to the engine, and the answer back."""

    REFUSING = auto()
    """Answers 503; the engine never hears of it."""

    SILENT = auto()
    """Hands it to the engine, and never answers: what was stored is not acknowledged."""


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet: two would wait for an acknowledgement, 40 ms
    engine_port: int
    engine_is_2: ClassVar[bool] = False
    manner = Manner.HONEST

    def do_GET(self) -> None:
        self._hand_on(self.path, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        if url.path != "/api/v2/write" or self.engine_is_2:
            self._hand_on(self.path, body)
            return
        given = {name: values[0] for name, values in parse_qs(url.query).items()}
        mapped = {"db": given["bucket"], "precision": given["precision"]}
        self._hand_on(f"/write?{urlencode(mapped)}", body)

    def _hand_on(self, path: str, body: bytes) -> None:
        if self.headers.get("Authorization") != f"Token {TOKEN}":
            self._answer(401, b'{"code":"unauthorized","message":"unauthorized access"}')
            return
        if self.manner is Manner.REFUSING:
            self._answer(503, b'{"code":"unavailable","message":"try again later"}')
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
            if self.manner is not Manner.SILENT:
                self._answer(status, content, version)
        finally:
            engine.close()

    def _headers(self) -> dict[str, str]:
        """What an engine of version 2 needs; that of 1.x asks nobody who they are."""
        if not self.engine_is_2:
            return {}
        kind = self.headers.get("Content-Type", "text/plain; charset=utf-8")
        return {"Authorization": f"Token {TOKEN}", "Content-Type": kind}

    def _answer(self, status: int, body: bytes, version: str = "") -> None:
        self.send_response(status)
        self.send_header("X-Influxdb-Version", version)
        if status != http.HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class InfluxServer:
    """A running engine and its front.

    Attributes:
        url: Where the front listens.
        engine: The engine's process, for tests that harm it.
    """

    url: str
    engine: OwnServer | ContainerServer
    _front: type[_Front]
    _trusts: ssl.SSLContext

    @contextmanager
    def behaving(self, manner: Manner) -> Iterator[None]:
        """Let the front treat requests in another manner until the block ends."""
        self._front.manner = manner
        try:
            yield
        finally:
            self._front.manner = Manner.HONEST

    def new_bucket(self) -> ScoreStoreSettings:
        """Make a bucket that no other test uses, and return the settings that name it."""
        bucket = f"test-{uuid.uuid4().hex[:12]}"
        if self._front.engine_is_2:
            self._create_bucket(bucket)
        else:
            self.ask("", f'CREATE DATABASE "{bucket}"')
        return ScoreStoreSettings.model_validate(
            {
                "backend": "influx",
                "influx_url": self.url,
                "influx_bucket": bucket,
                "influx_token": TOKEN,
            }
        )

    def _create_bucket(self, name: str) -> None:
        with httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Token {TOKEN}"},
            verify=self._trusts,
            trust_env=False,
        ) as client:
            found = client.get("/api/v2/orgs", params={"org": INFLUX_ORG}).raise_for_status()
            (org,) = found.json()["orgs"]
            wanted = {"orgID": org["id"], "name": name, "retentionRules": []}
            client.post("/api/v2/buckets", json=wanted).raise_for_status()

    def write(self, bucket: str, line: str) -> None:
        """Write one line as it is."""
        httpx.post(
            f"{self.url}/api/v2/write",
            params={"org": INFLUX_ORG, "bucket": bucket, "precision": "ns"},
            content=line,
            headers={"Authorization": f"Token {TOKEN}"},
            verify=self._trusts,
            trust_env=False,
        ).raise_for_status()

    def ask(self, bucket: str, statement: str) -> Any:
        """Run one InfluxQL statement."""
        answer = httpx.post(
            f"{self.url}/query",
            params={"db": bucket, "q": statement, "epoch": "ns"},
            headers={"Authorization": f"Token {TOKEN}"},
            verify=self._trusts,
            trust_env=False,
        )
        answer.raise_for_status()
        return answer.json()["results"][0]


@contextmanager
def influx_server(
    folder: Path, shows: Pair | None = None, authority: Authority | None = None
) -> Iterator[InfluxServer]:
    """Run an engine and its front until the block ends; skip where the engine is not installed.

    The engine is InfluxDB 2 in a container where containers are chosen.

    Args:
        folder: Where the engine keeps its files.
        shows: The front's certificate; with one it speaks TLS.
        authority: Whose it is.
    """
    with ExitStack() as stack:
        engine: OwnServer | ContainerServer
        if are_chosen():
            engine = stack.enter_context(running(influxdb()))
        else:
            engine = stack.enter_context(_local_engine(folder))
        traits = {"engine_port": engine.port, "engine_is_2": are_chosen()}
        handler = type("Front", (_Front,), traits)
        front = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        front.daemon_threads = True
        if shows is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(shows.cert, shows.key)
            # the handshake is the connection's own thread's: a client may hang up in it
            front.socket = context.wrap_socket(
                front.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = Thread(target=front.serve_forever, name="influx-front", daemon=True)
        thread.start()
        try:
            scheme = "http" if shows is None else "https"
            trusts = ssl.create_default_context(cafile=authority.file if authority else None)
            yield InfluxServer(f"{scheme}://127.0.0.1:{front.server_port}", engine, handler, trusts)
        finally:
            front.shutdown()
            thread.join()


@contextmanager
def influx_engine_over_tls(folder: Path, shows: Pair) -> Iterator[str]:
    """Run the engine with its own TLS and no front; yields its URL. It takes no `/api/v2/write`."""
    secured = (
        "  https-enabled = true\n"
        f'  https-certificate = "{shows.cert}"\n'
        f'  https-private-key = "{shows.key}"\n'
    )
    with _local_engine(folder, secured) as engine:
        yield f"https://127.0.0.1:{engine.port}"


@contextmanager
def _local_engine(folder: Path, more: str = "") -> Iterator[OwnServer]:
    binary = shutil.which("influxd")
    if binary is None:
        require("influxd is needed: apt-get install influxdb")
        raise AssertionError("unreachable")
    port = free_port()
    config = folder / "influxd.conf"
    config.write_text(CONFIG.format(port=port, rpc_port=free_port(), folder=folder) + more)
    command = [binary, "run", "-config", str(config)]
    with OwnServer(command, port, folder / "log").running() as engine:
        yield engine
