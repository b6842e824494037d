"""A real InfluxDB engine for tests, behind the 2.x write address (``bench/support/influx.py``).

Tests may give the front other manners, and certificates. Where containers are chosen the engine is
InfluxDB 2, and the front maps nothing.
"""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import httpx

from bench.support.influx import Front, engine_command
from common.settings import ScoreStoreSettings
from deploy.local.programs import free_port
from tests.support.secure.certificates import Authority, Pair
from tests.support.servers.backends import build
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


class Manner(Enum):
    """What the front does with a request."""

    HONEST = auto()
    """Hands it to the engine, and the answer back."""

    REFUSING = auto()
    """Answers 503; the engine never hears of it."""

    SILENT = auto()
    """Hands it to the engine, and never answers: what was stored is not acknowledged."""


class _Front(Front):
    token = TOKEN
    manner = Manner.HONEST

    def takes(self) -> bool:
        if self.manner is Manner.REFUSING:
            self.answer(503, b'{"code":"unavailable","message":"try again later"}')
        return self.manner is not Manner.REFUSING

    def tells(self) -> bool:
        return self.manner is not Manner.SILENT


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
    port = free_port()
    command = build(lambda: engine_command(folder, port, more))
    with OwnServer(command, port, folder / "log").running() as engine:
        yield engine
