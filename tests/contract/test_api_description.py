"""Does the api keep to its own description? schemathesis asks every route what it can think of.

Routes are taken from the app: one that is added is asked without a word here. No answer is a
server's failure or one that the description does not have, and every body is as it says. Without a
key nothing changes.

``SURGELINE_TEST_EXAMPLES=200`` asks longer (``make hostile`` does).
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, TypeVar

import httpx
import pytest
import requests
import schemathesis.openapi
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import (
    GenerationConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.schemas import APIOperation

from api.access.guard import make_key
from api.access.rights import ANYBODY, needed_for
from api.access.roles import Role
from api.alarms.ports import AlarmFilter
from api.http import bodies
from api.http.problems import MEDIA_TYPE, Problem
from common.errors import BackendRefusedError, BackendUnavailableError
from common.records.verdicts import Level, Verdict
from common.settings import ApiSettings
from tests.support.alarms import CLEARED, RAISED
from tests.support.alerts import batch, make_alert
from tests.support.api import Fakes, Running, api_routes, running, score
from tests.support.clock import StillClock
from tests.support.silence import PUMP, fleets

EXAMPLES: Final = int(os.environ.get("SURGELINE_TEST_EXAMPLES", "3"))
MANY: Final = 50
STREAMS: Final = {"/api/v1/alerts/stream", "/api/v1/alarms/stream"}
"""They do not end, and their body is no one document: tests/unit/api/test_stream.py reads them."""

NAMES: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
load_all_checks()
HELD: Final[list[Any]] = CHECKS.get_by_names(NAMES)
PRINTABLE: Final = SchemathesisConfig(
    projects=ProjectsConfig(
        default=ProjectConfig(generation=GenerationConfig(codec="latin-1", allow_x00=False))
    )
)
"""Most text is refused for one odd letter; ``test_api_hostile.py`` sends all of those."""

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
Found = TypeVar("Found")
Operation: TypeAlias = APIOperation[Any, Any, Any, Any]
Asked: TypeAlias = Case[Any]

OPERATIONS = sorted(
    {
        (method, route.path)
        for route in api_routes()
        if route.include_in_schema and route.path not in STREAMS
        for method in route.methods or ()
        if method != "HEAD"
    }
)
every_operation = pytest.mark.parametrize(
    ("method", "path"), OPERATIONS, ids=[f"{method} {path}" for method, path in OPERATIONS]
)


@dataclass
class Described:
    """A running api, its description, and ids that there are in it."""

    runner: asyncio.Runner
    api: Running
    schema: Any
    headers: dict[str, str]
    viewer: dict[str, str]
    ids: dict[str, list[str]] = field(default_factory=dict)

    def run(self, work: Coroutine[Any, Any, Found]) -> Found:
        return self.runner.run(work)

    def operation(self, method: str, path: str) -> Operation:
        found: Operation = self.schema[path][method]
        return found

    def send(
        self, method: str, path: str, headers: dict[str, str], content: bytes = b""
    ) -> httpx.Response:
        """Send anything to a path, whose parameters become names of what is not there."""
        url = path.replace("{", "").replace("}", "")
        return self.run(self.api.client.request(method, url, headers=headers, content=content))

    def make_some(self) -> None:
        """Make what only requests make, so that its ids can be asked for."""
        window = {"asset_id": "a", "ends_at": "2026-01-02T00:00:00Z", "reason": "oil"}
        made = {
            "maintenance_id": ("maintenance", window, "maintenance_id"),
            "replay_id": ("replays", {"dataset": "SIM", "engines": "1"}, "run_id"),
            "prefix": ("keys", {"name": "bo", "role": "viewer"}, "prefix"),
        }
        self.ids = {
            "alarm_id": [RAISED.alarm_id, make_alert(9, asset_id="b").alarm_id],
            "alert_id": [RAISED.alert_id, CLEARED.alert_id],
            "fleet": ["pumps"],
            "asset_id": ["a", "b"],
        }
        for name, (resource, body, named) in made.items():
            path = f"/api/v1/{resource}"
            answer = self.run(self.api.client.post(path, json=body, headers=self.headers))
            assert answer.is_success, answer.text
            self.ids[name] = [answer.json()[named]]

    async def state(self) -> tuple[object, ...]:
        """Return all that a request could change, but for the log of who asked."""
        fakes, now = self.api.fakes, self.api.fakes.clock.now()
        last = await fakes.history.last()
        return (
            await fakes.alarms.log_end(),
            await fakes.alarms.page(AlarmFilter(), 1000, now),
            None if last is None else last.sequence,
            await fakes.alarms.windows(1000),
            len(fakes.launcher.launched),
            await fakes.records.all(),
            await fakes.access.keys(),
        )

    def ask(self, case: Asked, headers: dict[str, str]) -> httpx.Response:
        """Send a case as it is, in this process."""
        given = case.as_transport_kwargs(base_url="http://localhost")
        wanted = requests.Request(**{name: given[name] for name in REQUEST if name in given})
        prepared: Any = wanted.prepare()
        request = httpx.Request(
            case.method,
            prepared.url,
            headers={**prepared.headers, **headers},
            content=prepared.body or b"",
        )
        return self.run(self.api.client.send(request))


REQUEST: Final = ("method", "url", "headers", "params", "data", "json", "cookies", "files")


async def filled() -> Fakes:
    """Return an api's stores with something of everything in them."""
    fakes = Fakes(clock=StillClock())
    fakes.catalogue = fleets(pumps=PUMP)
    await fakes.scores.write([score(cycle, level=Level.CRITICAL) for cycle in range(1, 4)])
    await fakes.scores.write([score(4, status=Verdict.WARMING_UP, asset_id="b")])
    alerts = [RAISED, CLEARED, make_alert(9, asset_id="b"), make_alert(9, fleet="pumps")]
    await fakes.history.store(batch(alerts))
    return fakes


def bearing(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
def described() -> Iterator[Described]:
    """An api that asks for keys."""
    yield from opened("on")


@pytest.fixture(scope="module")
def open_to_all() -> Iterator[Described]:
    """An api that asks for none, so that requests may say who acts."""
    yield from opened("off")


def opened(keys: Literal["on", "off"]) -> Iterator[Described]:
    limits = ApiSettings(
        keys=keys,
        changes_per_minute=1_000_000,
        failed_logins_per_minute=10_000,
    )
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        fakes = runner.run(filled())
        now = fakes.clock.now()
        secret, _ = runner.run(make_key(fakes.access, "admin", Role.ADMIN, now))
        viewer, _ = runner.run(make_key(fakes.access, "viewer", Role.VIEWER, now))
        api = runner.run(stack.enter_async_context(running(fakes, limits)))
        try:
            schema = schemathesis.openapi.from_dict(api.app.openapi(), config=PRINTABLE)
            found = Described(runner, api, schema, bearing(secret), bearing(viewer))
            found.make_some()
            yield found
        finally:
            runner.run(stack.aclose())


def cases(operation: Operation, ids: dict[str, list[str]]) -> st.SearchStrategy[Asked]:
    """Return requests as the description has them and others, to what is there and is not."""
    kinds = [operation.as_strategy(GenerationMode.POSITIVE)]
    if operation.path_parameters or operation.query or operation.body:
        kinds.append(operation.as_strategy(GenerationMode.NEGATIVE))

    def aimed(case: Asked, choice: dict[str, str], hit: bool) -> Asked:
        if hit and case.path_parameters:
            case.path_parameters.update(
                {name: value for name, value in choice.items() if name in case.path_parameters}
            )
        return case

    choices = st.fixed_dictionaries({name: st.sampled_from(all_) for name, all_ in ids.items()})
    return st.builds(aimed, st.one_of(kinds), choices, st.booleans())


def asked(strategy: st.SearchStrategy[Asked], check: Callable[[Asked], None]) -> None:
    """Check as many requests as were asked for; the same ones each time where those are few."""

    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=EXAMPLES < MANY,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def holds(case: Asked) -> None:
        check(case)

    holds()


@every_operation
def test_answers_are_as_described(open_to_all: Described, method: str, path: str) -> None:
    operation = open_to_all.operation(method, path)

    def check(case: Asked) -> None:
        case.validate_response(open_to_all.ask(case, {}), checks=HELD)

    asked(cases(operation, open_to_all.ids), check)


def test_only_streams_are_left_out(described: Described) -> None:
    """They are told apart by what they answer with; what is not described is in no list here."""
    paths = described.api.app.openapi()["paths"]
    streams = {
        path
        for path, item in paths.items()
        for operation in item.values()
        for answer in operation["responses"].values()
        if "text/event-stream" in answer.get("content", {})
    }
    asked_for = {(method.lower(), path) for method, path in OPERATIONS}

    assert streams == STREAMS
    assert asked_for == {
        (method, path) for path, item in paths.items() for method in item if path not in STREAMS
    }


Probe = tuple[str, dict[str, str], bytes]
JSON_BODY: Final[dict[str, object]] = {"application/json": {}}
JSON: Final = {"Content-Type": "application/json"}
PROBES: Final[tuple[Probe, ...]] = (
    ("another host", {"Host": "evil.example"}, b""),
    ("no key", {"Authorization": ""}, b""),
    ("a wrong key", {"Authorization": "Bearer sl_00000000_wrong"}, b""),
    ("another page", {"Origin": "http://evil.example"}, b""),
    ("no JSON", {"Content-Type": "text/plain"}, b"hello"),
    ("half of it", JSON, b'{"a": '),
    ("a list", JSON, b"[]"),
    ("nested", JSON, b"[" * 30_000),
    ("no UTF-8", JSON, b'{"a": "\xff\xfe"}'),
    ("too much", JSON, b'"' + b"a" * 70_000 + b'"'),
    ("picky", {"Accept": "image/png"}, b""),
)


@every_operation
def test_what_is_refused_is_described(described: Described, method: str, path: str) -> None:
    operation = described.operation(method, path)
    for _, headers, content in PROBES:
        held(operation, described.send(method, path, {**described.headers, **headers}, content))
    for name in ("nobody=asked", "limit=1&limit=2", "limit=%00", "cursor=%ff"):
        held(operation, described.send(method, f"{path}?{name}", described.headers))
    for key in (described.viewer, {}):
        answer = described.send(method, path, key)
        held(operation, answer)
        assert key or needed_for(method, path) is ANYBODY or answer.status_code in (401, 429)


@every_operation
def test_stores_that_fail_are_described(described: Described, method: str, path: str) -> None:
    operation, fakes = described.operation(method, path), described.api.fakes
    for failure in (BackendUnavailableError, BackendRefusedError):
        fakes.history.failure = fakes.launcher.failure = failure("the store is gone")
        answer = described.send(method, path, described.headers)
        fakes.history.failure = fakes.launcher.failure = None
        held(operation, answer, may_fail=True)
        assert answer.status_code != 500


def test_other_methods_and_paths_are_refused_as_everything_else(described: Described) -> None:
    paths = {path for _, path in OPERATIONS}
    answers = [
        described.send(method, path, described.headers)
        for path in sorted(paths)
        for method in METHODS
        if (method, path) not in OPERATIONS
    ]
    answers.append(described.send("GET", "/api/v1/nothing", described.headers))

    for answer in answers:
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert Problem(**answer.json()).status == answer.status_code
    assert {answer.status_code for answer in answers} == {404, 405}
    assert all("allow" in answer.headers for answer in answers if answer.status_code == 405)


async def test_a_body_that_does_not_come_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT_S", 0.001)

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with running() as api:
        paths = api.app.openapi()["paths"]
        for method, path in OPERATIONS:
            takes = paths[path][method.lower()].get("requestBody", {}).get("content", JSON_BODY)
            if method == "GET" or not takes.keys() & JSON_BODY.keys():
                continue
            answer = await api.client.request(method, path, content=never(), headers=JSON)
            assert answer.status_code == 408, path
            assert "408" in paths[path][method.lower()]["responses"], path


@pytest.mark.parametrize(
    ("method", "path"), [each for each in OPERATIONS if each[0] != "GET"], ids=lambda part: part
)
def test_without_a_key_nothing_changes(described: Described, method: str, path: str) -> None:
    operation = described.operation(method, path)
    before = described.run(described.state())

    def check(case: Asked) -> None:
        answer = described.ask(case, {})
        case.validate_response(answer, checks=HELD)
        assert needed_for(method, path) is ANYBODY or answer.status_code in (401, 403, 429)

    asked(cases(operation, described.ids), check)
    assert described.run(described.state()) == before


def held(operation: Operation, answer: httpx.Response, *, may_fail: bool = False) -> None:
    """Check one answer; with ``may_fail`` it may be a failure, where that is described."""
    names = re.findall(r"{(\w+)}", operation.path)
    case = operation.Case(path_parameters=dict.fromkeys(names, "x"))
    case.validate_response(answer, checks=HELD[1:] if may_fail else HELD)
