"""The commands against the api over fakes: what an operator types, and what the api then knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import typer
from anyio.from_thread import BlockingPortal, start_blocking_portal
from msgspec import structs
from typer.testing import CliRunner, Result

from api.access.guard import make_key
from api.access.roles import Role
from api.commands.server import asking
from api.commands.server.client import ApiClient
from common.records.alerts import Alert
from common.records.verdicts import Evidence, Level, ScoreRecord, Verdict
from common.settings import ApiSettings
from tests.support.alerts import batch
from tests.support.api import Fakes, Running, running, score
from tests.support.clock import StillClock

URL = "http://localhost"


class Bridge(httpx.BaseTransport):
    """Sends a command's requests to an app that runs on an event loop of its own."""

    def __init__(self, portal: BlockingPortal, app: Running) -> None:
        self._portal = portal
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Hand the request over, and wait for the answer."""
        answer = self._portal.call(self._send, request)
        kind = {"Content-Type": answer.headers["Content-Type"]}
        return httpx.Response(answer.status_code, headers=kind, content=answer.content)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        headers = {
            name: value for name, value in request.headers.items() if name != "accept-encoding"
        }
        return await self._app.client.request(
            request.method, request.url, content=request.read(), headers=headers
        )


@dataclass(frozen=True, slots=True)
class Terminal:
    """A screen of some columns, before an api.

    Attributes:
        fakes: What stands behind the api.
        transport: Leads to it.
        patch: Where commands ask.
        secrets: Its keys by name.
    """

    fakes: Fakes
    transport: httpx.BaseTransport
    patch: pytest.MonkeyPatch
    secrets: Mapping[str, str] = field(default_factory=dict)

    def run(self, command: Callable[..., None], *arguments: str, columns: int = 80) -> Result:
        """Run a command."""

        def client(_url: str, key: str = "") -> ApiClient:
            return ApiClient(URL, self.transport, key)

        self.patch.setattr(asking, "ApiClient", client)
        self.patch.setenv("COLUMNS", str(columns))
        app = typer.Typer(pretty_exceptions_enable=False)
        app.command()(command)
        return CliRunner().invoke(app, list(arguments))

    def get(self, path: str) -> Any:
        """Return what the api answers."""
        return ApiClient(URL, self.transport).get(path, {})


@contextmanager
def terminal(
    patch: pytest.MonkeyPatch,
    scores: Sequence[ScoreRecord] = (),
    alerts: Sequence[Alert] = (),
    keys: Mapping[str, Role] | None = None,
) -> Iterator[Terminal]:
    """Start an api that knows these verdicts and alerts, with a screen before it.

    Args:
        patch: Where commands ask, and with which variables.
        scores: What is stored.
        alerts: In the order of their arrival.
        keys: Names and roles of the keys that it asks for; none asks for no key.
    """
    fakes = Fakes(clock=StillClock())
    settings = None if keys is None else ApiSettings(keys="on")
    secrets: dict[str, str] = {}

    async def fill() -> None:
        await fakes.history.store(batch(list(alerts)), fakes.clock.now())
        for name, role in (keys or {}).items():
            secrets[name], _ = await make_key(fakes.access, name, role, fakes.clock.now(), None)

    asyncio.run(fill())
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(fakes, settings)) as app,
    ):
        portal.call(fakes.scores.write, list(scores))
        yield Terminal(fakes, Bridge(portal, app), patch, secrets)


def scored(
    asset_id: str, severity: float, cycle: int = 40, level: Level = Level.NONE
) -> ScoreRecord:
    """Return a scored reading with a severity."""
    record = score(cycle, asset_id=asset_id, level=level)
    return structs.replace(record, severity=severity, evidence=Evidence.DEGRADATION)


def unscored(asset_id: str, status: Verdict = Verdict.WARMING_UP, cycle: int = 12) -> ScoreRecord:
    """Return a reading that got no score."""
    return score(cycle, asset_id=asset_id, status=status)
