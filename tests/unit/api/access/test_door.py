"""Who may call what: every route against every role, and what strangers can do (nothing)."""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from api.access.door import COOKIE
from api.access.guard import STRANGERS_PER_MINUTE, check_keys, keys_are_on, make_key
from api.access.keys import digest_of, is_same, new_key, prefix_of
from api.access.rights import ASKING, RIGHTS, needed_for
from api.access.roles import Role
from api.app import create_app, routes_of
from api.http.bodies import CSV_PATH
from common.errors import SettingsError
from common.settings import ApiSettings, Settings
from tests.support.alarms import RAISED
from tests.support.alerts import batch
from tests.support.api import Fakes, Running, running
from tests.support.clock import FakeClock, StillClock

ON = ApiSettings(keys="on")
ACK = f"/api/v1/alarms/{RAISED.alarm_id}/acknowledge"
WHATIF = "/api/v1/whatif"
REPLAY = {"dataset": "SIM", "engines": "1"}


@pytest.fixture
async def api() -> AsyncIterator[tuple[Running, dict[Role, str]]]:
    fakes = Fakes(clock=StillClock())
    await fakes.history.store(batch([RAISED]))
    secrets = {
        role: (await make_key(fakes.access, f"{role}-key", role, fakes.clock.now()))[0]
        for role in Role
    }
    async with running(fakes, ON) as started:
        started.services.changed.closed = True  # streams end at once
        yield started, secrets


def bearing(secret: str | None) -> dict[str, str]:
    return {} if secret is None else {"Authorization": f"Bearer {secret}"}


def body_for(path: str, body: dict[str, str]) -> dict[str, Any]:
    """Return what a request of this path sends: a file, or JSON."""
    if path == CSV_PATH:
        return {"content": b"x,y\n1,2\n", "headers": {"Content-Type": "text/csv"}}
    return {"json": body}


def methods_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in routes_of(app):
        if isinstance(route, Mount):
            yield "GET", route.path
        elif isinstance(route, APIRoute | Route):
            for method in (route.methods or set()) - {"HEAD"}:
                yield method, route.path


APP = create_app(Settings())
ROUTES = sorted(set(methods_of(APP)))


def test_every_route_says_who_may_call_it_and_the_table_names_no_other() -> None:
    described = {
        (method.upper(), path) for path, item in APP.openapi()["paths"].items() for method in item
    }

    assert set(ROUTES) == set(RIGHTS)
    assert described <= set(RIGHTS)
    assert len(described) > 35


def test_what_only_asks_is_posted_and_a_viewers() -> None:
    for path in ASKING:
        assert RIGHTS["POST", path] is Role.VIEWER


def test_a_route_that_is_not_in_the_table_is_the_admins_alone() -> None:
    assert needed_for("POST", "/api/v1/forgotten") is Role.ADMIN


def test_what_changes_something_needs_an_operator_but_for_coming_and_going() -> None:
    for (method, path), needed in RIGHTS.items():
        if method != "GET" and path not in {"/api/v1/login", "/api/v1/logout", *ASKING}:
            assert needed is not None, path
            assert needed.may(Role.OPERATOR), path


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_role_may_what_the_table_says(
    api: tuple[Running, dict[Role, str]], method: str, path: str
) -> None:
    started, secrets = api
    needed = RIGHTS[method, path]
    asked = re.sub(r"\{\w+\}", "x", path) + (
        "/x" if path in ("/static-offline-docs", "/console") else ""
    )
    for role in (None, *Role):
        headers = bearing(None if role is None else secrets[role])
        sent = body_for(path, {}) if method != "GET" else {}
        sent["headers"] = {**sent.get("headers", {}), **headers}
        answer = await started.client.request(method, asked, **sent)
        if needed is None or (role is not None and role.may(needed)):
            assert answer.status_code not in (401, 403), (role, answer.text)
        else:
            assert answer.status_code == (401 if role is None else 403), (role, answer.text)


async def test_without_a_key_nothing_changes(api: tuple[Running, dict[Role, str]]) -> None:
    started, _ = api
    for headers in (
        {},
        bearing("surgeline_0a1b2c3d_" + "0" * 64),
        {"X-API-Key": "x"},
        {"Cookie": f"{COOKIE}=guess"},
        {"Authorization": "Basic YTpi"},
    ):
        for method, path in ROUTES:
            if method == "GET" or path.endswith(("/login", "/logout")):
                continue
            asked = path.replace("{alarm_id}", RAISED.alarm_id)
            for body in ({}, REPLAY, {"note": "x", "reason": "x", "comment": "x"}):
                sent = body_for(path, body)
                sent["headers"] = {**sent.get("headers", {}), **headers}
                answer = await started.client.request(method, asked, **sent)
                assert answer.status_code in (401, 429)
    assert await started.fakes.alarms.log_end() == 0
    assert started.fakes.launcher.launched == []
    assert len(await started.fakes.access.keys()) == len(Role)


async def test_a_stranger_reads_nothing_not_even_what_there_is(
    api: tuple[Running, dict[Role, str]],
) -> None:
    started, _ = api
    for path in ("/api/v1/alerts", "/openapi.json", "/metrics", "/nowhere", "/api/v1/nothing"):
        answer = await started.client.get(path)
        assert answer.status_code == 401
        assert answer.json()["type"] == "urn:surgeline:problem:unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/", "/health", "/ready", "/api/v1/session"):
        assert (await started.client.get(path)).status_code in (200, 503)


async def test_who_acts_is_the_keys_name(api: tuple[Running, dict[Role, str]]) -> None:
    started, secrets = api
    headers = {"X-API-Key": secrets[Role.OPERATOR]}

    named = await started.client.post(ACK, json={"operator": "somebody"}, headers=headers)
    assert named.status_code == 422
    answer = await started.client.post(ACK, json={}, headers=headers)

    assert answer.json()["acknowledgement"]["who"] == "operator-key"


async def test_fleets_are_taken_out_of_service_by_admins(
    api: tuple[Running, dict[Role, str]],
) -> None:
    started, secrets = api
    plan = {"ends_at": "2026-01-02T00:00:00Z", "reason": "wash"}

    async def ask(role: Role, method: str, path: str, **body: str) -> httpx.Response:
        return await started.client.request(
            method, f"/api/v1/maintenance{path}", json=body, headers=bearing(secrets[role])
        )

    assert (await ask(Role.OPERATOR, "POST", "", **plan, asset_id="a")).status_code == 201
    refused = await ask(Role.OPERATOR, "POST", "", **plan, fleet="f")
    assert (refused.status_code, refused.json()["type"]) == (
        403,
        "urn:surgeline:problem:role_too_low",
    )
    made = (await ask(Role.ADMIN, "POST", "", **plan, fleet="f")).json()
    place = f"/{made['maintenance_id']}"
    assert (await ask(Role.OPERATOR, "POST", f"{place}/end")).status_code == 403
    assert (await ask(Role.OPERATOR, "PATCH", place, ends_at=plan["ends_at"])).status_code == 403
    assert (await ask(Role.ADMIN, "POST", f"{place}/end")).status_code == 200


async def log_in(started: Running, secret: str) -> httpx.Response:
    return await started.client.post("/api/v1/login", json={"key": secret})


OWN_PAGE = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}


async def test_a_browser_logs_in_acts_and_logs_out(
    api: tuple[Running, dict[Role, str]],
) -> None:
    started, secrets = api
    answer = await log_in(started, secrets[Role.OPERATOR])
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert secrets[Role.OPERATOR] not in cookie
    assert answer.json()["who"] == "operator-key"

    assert (await started.client.get("/api/v1/session")).json()["role"] == "operator"
    assert (await started.client.get("/api/v1/alarms")).status_code == 200
    assert (await started.client.get("/api/v1/audit")).status_code == 403
    assert (await started.client.post(ACK, json={}, headers=OWN_PAGE)).status_code == 200
    token = started.client.cookies[COOKIE]
    assert (await started.client.post("/api/v1/logout", headers=OWN_PAGE)).status_code == 204
    again = await started.client.get("/api/v1/alarms", headers={"Cookie": f"{COOKIE}={token}"})
    assert again.status_code == 401


async def test_over_https_the_cookie_stays_there(api: tuple[Running, dict[Role, str]]) -> None:
    started, secrets = api

    answer = await started.client.post(
        "https://localhost/api/v1/login", json={"key": secrets[Role.VIEWER]}
    )

    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": "http://evil.example"}, id="another page"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="as browsers say it"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="a neighbour"),
        pytest.param({}, id="who does not say"),
    ],
)
async def test_another_page_cannot_use_a_session(
    api: tuple[Running, dict[Role, str]], headers: dict[str, str]
) -> None:
    started, secrets = api
    await log_in(started, secrets[Role.ADMIN])

    for path, body in ((ACK, {}), ("/api/v1/replays", REPLAY), ("/api/v1/logout", None)):
        answer = await started.client.post(path, json=body, headers=headers)
        assert answer.status_code == 403, path
    assert await started.fakes.alarms.log_end() == 0
    assert started.fakes.launcher.launched == []
    assert (await started.client.get("/api/v1/alarms")).status_code == 200


async def test_no_answer_lets_another_origin_read_it(
    api: tuple[Running, dict[Role, str]],
) -> None:
    started, secrets = api
    for method in ("GET", "OPTIONS"):
        answer = await started.client.request(
            method,
            "/api/v1/alarms",
            headers={**bearing(secrets[Role.VIEWER]), "Origin": "http://evil.example"},
        )
        assert not any(name.startswith("access-control") for name in answer.headers)
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_session_ends_by_time_and_with_its_key(
    api: tuple[Running, dict[Role, str]],
) -> None:
    started, secrets = api
    clock = started.fakes.clock
    assert isinstance(clock, FakeClock)
    for ended in ("time", "key"):
        await log_in(started, secrets[Role.ADMIN])
        assert (await started.client.get("/api/v1/alarms")).status_code == 200
        if ended == "time":
            clock.elapsed_s += timedelta(hours=12).total_seconds()
        else:
            await started.fakes.access.revoke(prefix_of(secrets[Role.ADMIN]) or "", clock.now())
        assert (await started.client.get("/api/v1/alarms")).status_code == 401


async def test_a_revoked_or_expired_key_opens_nothing(
    api: tuple[Running, dict[Role, str]],
) -> None:
    started, secrets = api
    admin = bearing(secrets[Role.ADMIN])
    made = await started.client.post(
        "/api/v1/keys", json={"name": "short", "role": "viewer", "days": 1}, headers=admin
    )
    secret, prefix = made.json()["key"], made.json()["prefix"]
    assert (await started.client.get("/api/v1/alarms", headers=bearing(secret))).status_code == 200
    listed = (await started.client.get("/api/v1/keys", headers=admin)).text
    assert secret not in listed
    assert digest_of(secret) not in listed

    revoked = await started.client.delete(f"/api/v1/keys/{prefix}", headers=admin)
    assert revoked.json()["valid"] is False
    assert (await started.client.get("/api/v1/alarms", headers=bearing(secret))).status_code == 401
    assert (await started.client.delete(f"/api/v1/keys/{prefix}", headers=admin)).status_code == 404
    brief = {"name": "brief", "role": "viewer", "days": 1}
    made = await started.client.post("/api/v1/keys", json=brief, headers=admin)
    day = bearing(made.json()["key"])
    assert (await started.client.get("/api/v1/alarms", headers=day)).status_code == 200
    clock = started.fakes.clock
    assert isinstance(clock, FakeClock)
    clock.elapsed_s += 86_400
    assert (await started.client.get("/api/v1/alarms", headers=day)).status_code == 401
    taken = await started.client.post(
        "/api/v1/keys", json={"name": "short", "role": "viewer"}, headers=admin
    )
    assert taken.status_code == 409


async def test_many_wrong_keys_are_slowed_down_and_the_right_one_is_not(
    api: tuple[Running, dict[Role, str]],
) -> None:
    started, secrets = api
    wrong = secrets[Role.ADMIN][:-1] + ("0" if secrets[Role.ADMIN][-1] != "0" else "1")

    statuses = [(await log_in(started, wrong)).status_code for _ in range(12)]

    assert statuses == [401] * 10 + [429] * 2
    refused = await log_in(started, wrong)
    assert int(refused.headers["retry-after"]) > 0
    assert (await log_in(started, secrets[Role.ADMIN])).status_code == 200
    audit = await started.fakes.access.audit(100)
    assert sum(entry.status == 401 for entry in audit) == 10
    assert not any(entry.status == 429 for entry in audit)


async def test_requests_without_a_key_cannot_fill_the_audit_log(
    api: tuple[Running, dict[Role, str]],
) -> None:
    started, _ = api
    for _ in range(STRANGERS_PER_MINUTE + 30):
        await started.client.get("/api/v1/alarms")

    assert len(await started.fakes.access.audit(1000)) == STRANGERS_PER_MINUTE


async def test_too_many_changes_are_refused_by_key() -> None:
    fakes = Fakes(clock=StillClock())
    first, _ = await make_key(fakes.access, "a", Role.OPERATOR, fakes.clock.now())
    second, _ = await make_key(fakes.access, "b", Role.OPERATOR, fakes.clock.now())
    async with running(fakes, ApiSettings(keys="on", changes_per_minute=3)) as started:

        async def statuses(secret: str, times: int) -> list[int]:
            path = "/api/v1/alarms/x/comment"
            answers = [
                await started.client.post(path, json={"comment": "x"}, headers=bearing(secret))
                for _ in range(times)
            ]
            return [answer.status_code for answer in answers]

        assert await statuses(first, 4) == [404, 404, 404, 429]
        assert await statuses(second, 1) == [404]
        assert (await started.client.get("/api/v1/alarms", headers=bearing(first))).is_success
        assert isinstance(fakes.clock, FakeClock)
        fakes.clock.elapsed_s += 20
        assert await statuses(first, 2) == [404, 429]


async def test_what_only_asks_is_not_in_the_audit_log_unless_it_is_refused(
    api: tuple[Running, dict[Role, str]],
) -> None:
    started, secrets = api

    asked = await started.client.post(WHATIF, json={}, headers=bearing(secrets[Role.VIEWER]))
    strange = await started.client.post(WHATIF, json={})

    assert (asked.status_code, strange.status_code) == (422, 401)
    (entry,) = await started.fakes.access.audit(10)
    assert (entry.path, entry.status) == (WHATIF, 401)


async def test_what_only_asks_is_limited_apart_from_changes() -> None:
    settings = ApiSettings(computations_per_minute=2, changes_per_minute=1)
    async with running(Fakes(clock=StillClock()), settings) as started:
        codes = [(await started.client.post(WHATIF, json={})).status_code for _ in range(3)]
        change = await started.client.post("/api/v1/replays", json={})

    assert codes == [422, 422, 429]
    assert change.status_code == 422


async def test_the_audit_log_says_who_did_what_and_what_was_refused(
    api: tuple[Running, dict[Role, str]],
) -> None:
    started, secrets = api
    await started.client.get("/api/v1/alarms", headers=bearing(secrets[Role.VIEWER]))
    await started.client.post(ACK, json={}, headers=bearing(secrets[Role.VIEWER]))
    await started.client.post(ACK, json={}, headers=bearing(secrets[Role.OPERATOR]))
    await started.client.get("/api/v1/alarms")
    await log_in(started, secrets[Role.ADMIN])

    answer = await started.client.get("/api/v1/audit?limit=3")
    more = await started.client.get(f"/api/v1/audit?limit=3&cursor={answer.json()['next_cursor']}")
    refused = await started.client.get("/api/v1/audit?refused=true&who=viewer-key")

    entries = answer.json()["items"] + more.json()["items"]
    assert [(item["who"], item["method"], item["status"]) for item in entries] == [
        ("admin-key", "POST", 200),
        ("", "GET", 401),
        ("operator-key", "POST", 200),
        ("viewer-key", "POST", 403),
    ]
    assert [item["path"] for item in refused.json()["items"]] == [ACK]


async def test_without_keys_the_audit_log_has_the_operator() -> None:
    async with running() as started:
        await started.fakes.history.store(batch([RAISED]))
        await started.client.post(ACK, json={"operator": "anna"})
        await started.client.post("/api/v1/replays", json=REPLAY)
        audit = (await started.client.get("/api/v1/audit")).json()["items"]
        session = (await started.client.get("/api/v1/session")).json()

    assert [item["who"] for item in audit] == ["local", "anna"]
    assert (session["keys"], session["role"]) == (False, "admin")


async def test_a_key_is_compared_in_a_time_that_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, api: tuple[Running, dict[Role, str]]
) -> None:
    started, secrets = api
    compared: list[Any] = []
    real = hmac.compare_digest

    def watched(left: str, right: str) -> bool:
        compared.append((left, right))
        return bool(real(left, right))

    monkeypatch.setattr("api.access.keys.hmac.compare_digest", watched)
    unknown = "surgeline_ffffffff_" + "0" * 64
    for secret in (secrets[Role.VIEWER], secrets[Role.VIEWER] + "x", unknown, "x"):
        await started.client.get("/api/v1/alarms", headers=bearing(secret))

    assert len(compared) == 4, "each key is compared, also one that nobody has"
    assert all(len(left) == len(right) == 64 for left, right in compared)


def test_a_key_is_256_random_bits_and_found_by_its_prefix() -> None:
    made = {new_key() for _ in range(100)}

    assert len(made) == 100
    for key, prefix in made:
        assert prefix_of(key) == prefix
        assert len(bytes.fromhex(key.rpartition("_")[2])) == 32
        assert is_same(key, digest_of(key))
        assert not is_same(key + "0", digest_of(key))


@pytest.mark.parametrize("text", ["", "_", "a_b_c", "surgeline_a", "x" * 10_000, "surgeline_é_b"])
def test_what_is_no_key_has_no_prefix(text: str) -> None:
    assert prefix_of(text) is None


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        (ApiSettings(), False),
        (ApiSettings(host="localhost"), False),
        (ApiSettings(host="::1"), False),
        (ApiSettings(host="0.0.0.0"), True),  # noqa: S104 - the case
        (ApiSettings(host="::"), True),
        (ApiSettings(host="api.internal"), True),
        (ApiSettings(host="10.0.0.7", keys="off"), False),
        (ApiSettings(keys="on"), True),
    ],
)
async def test_keys_are_needed_where_others_can_ask(settings: ApiSettings, needed: bool) -> None:
    fakes, clock = Fakes(), FakeClock()
    assert keys_are_on(settings) == needed
    if not needed:
        await check_keys(settings, fakes.access, clock.now())
        return

    with pytest.raises(SettingsError, match="surgeline keys create") as refused:
        await check_keys(settings, fakes.access, clock.now())
    assert "\n" not in str(refused.value)
    await make_key(fakes.access, "a", Role.ADMIN, clock.now(), timedelta(days=1))
    await check_keys(settings, fakes.access, clock.now())
    clock.elapsed_s += 86_400
    with pytest.raises(SettingsError):
        await check_keys(settings, fakes.access, clock.now())
