"""Servers that do not know us: refused for good, in words that help, and that hold no secret."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from structlog.testing import capture_logs

from api.adapters.sql.database import open_database
from common.errors import BackendError, BackendRefusedError
from common.records.verdicts import ScoreRecord, Verdict
from common.scorestore.factory import open_score_store
from common.scorestore.port import ScoreQuery, ScoreStore
from common.settings import AlertHistorySettings, RedisSettings, ScoreStoreSettings
from deploy.local.programs import free_port, valkey_command
from detector.adapters.redis_state_store import RedisStateStore
from detector.core.intent import NextIntent
from detector.core.pipeline import NextState
from detector.core.state.asset import Fence, fresh_state
from detector.core.state.progress import NextProgress, Progress
from tests.support.alerts import START
from tests.support.builders import MeanScorer, fleet_of
from tests.support.servers.backends import build, require, server
from tests.support.servers.cluster import Cluster
from tests.support.servers.influx import InfluxServer, influx_server

RIGHT, WRONG = "open-sesame-5b1f", "open-barley-77c2"  # passwords of servers of these tests alone
KEY = ("engine-1", "run-1")
NEXT = NextState(fresh_state(fleet_of(MeanScorer())), Fence())
VERDICT = ScoreRecord("engine-1", "run-1", 1, START, Verdict.GAP, "m@1")


def assert_refused(error: BackendError, *words: str) -> None:
    """Refused for good; the message says what was asked of whom, and no password."""
    said = str(error)
    assert isinstance(error, BackendRefusedError)
    assert not error.retriable
    assert all(word in said for word in words), said
    assert RIGHT not in said
    assert WRONG not in said


STATE_CALLS: list[tuple[str, Callable[[RedisStateStore], Awaitable[object]]]] = [
    ("read states", lambda store: store.read([KEY], [0])),
    ("write states", lambda store: store.write({KEY: NEXT}, {})),
    ("write states", lambda store: store.write({}, {0: NextProgress(Progress(1), None)})),
    ("ask the server's role", lambda store: store.ping()),
]


@pytest.fixture
def locked_valkey(tmp_path: Path) -> Iterator[int]:
    """A Valkey with a password; whoever says no name may do all, `reader` may only read."""
    port = free_port()
    command = [*build(lambda: valkey_command(port, tmp_path)), "--requirepass", RIGHT]
    with server(command, port, tmp_path / "log"):
        with Redis(port=port, password=RIGHT) as admin:
            admin.execute_command(
                "ACL",
                "SETUSER",
                "reader",
                "on",
                f">{RIGHT}",
                "~*",
                "+@read",
                "+@connection",
                "+eval",
            )
        yield port


def redis_settings(port: int, user: str, password: str) -> RedisSettings:
    login = f"{user}:{password}@" if password else ""
    return RedisSettings.model_validate({"url": f"redis://{login}127.0.0.1:{port}/0"})


@pytest.mark.parametrize(("doing", "call"), STATE_CALLS)
@pytest.mark.parametrize(
    ("password", "words"),
    [
        pytest.param(WRONG, "invalid username-password", id="wrong"),
        pytest.param("", "authenticat", id="none"),
    ],
)
async def test_redis_refuses_a_wrong_password(
    locked_valkey: int,
    password: str,
    words: str,
    doing: str,
    call: Callable[[RedisStateStore], Awaitable[object]],
) -> None:
    settings = redis_settings(locked_valkey, "", password)

    async with RedisStateStore(settings) as store:  # entered whatever the server says
        with pytest.raises(BackendError) as caught:
            await call(store)

    assert_refused(caught.value, f"Redis: could not {doing}", words)


async def test_redis_with_the_right_password_is_used(locked_valkey: int) -> None:
    async with RedisStateStore(redis_settings(locked_valkey, "", RIGHT)) as store:
        for _, call in STATE_CALLS:
            await call(store)


async def test_redis_refuses_a_user_who_may_not_write(locked_valkey: int) -> None:
    async with RedisStateStore(redis_settings(locked_valkey, "reader", RIGHT)) as store:
        await store.read([KEY], [0])
        with pytest.raises(BackendError) as caught:
            await store.write({KEY: NEXT}, {})

    assert_refused(caught.value, "Redis: could not write states", "permissions")


ENOUGH = (
    *("+eval", "+mget", "+hgetall", "+info", "+client|setinfo"),  # what a worker asks
    *("+type", "+get", "+getrange", "+set", "+del", "+expire", "+time"),  # what its scripts do
    *("+hget", "+hset", "+hsetnx", "+hdel", "+hrandfield"),
)
"""What docs/operations.md lets a worker's Redis user do."""

ENOUGH_IN_A_CLUSTER = (*ENOUGH, "+cluster|slots", "+cluster|info", "+command")


async def _does_all(settings: RedisSettings) -> None:
    keys = [(f"engine-{number}", "run-1") for number in range(50)]
    with capture_logs() as logs:
        async with RedisStateStore(settings) as store:
            step = NextProgress(Progress(1), None)
            assert await store.write(dict.fromkeys(keys, NEXT), {0: step}) == []
            assert await store.intend({0: NextIntent(None, Progress(1))}) == []
            assert len((await store.read(keys, [0], {0: keys})).states) == 50
            await store.ledger(0)
            await store.ping()
    assert logs == []


async def test_these_rights_are_enough_for_a_worker(locked_valkey: int) -> None:
    with Redis(port=locked_valkey, password=RIGHT) as admin:
        rules = ("on", f">{RIGHT}", "~surgeline:*", *ENOUGH)
        admin.execute_command("ACL", "SETUSER", "worker", *rules)

    await _does_all(redis_settings(locked_valkey, "worker", RIGHT))


async def test_these_rights_are_enough_in_a_cluster(valkey_nodes: Cluster) -> None:
    for node in valkey_nodes.nodes:
        rules = ("on", f">{RIGHT}", "~acl:*", *ENOUGH_IN_A_CLUSTER)
        node.ask("ACL", "SETUSER", "worker", *rules)
    plain = valkey_nodes.settings("acl")
    url = plain.url.get_secret_value().replace("redis://", f"redis://worker:{RIGHT}@")

    await _does_all(RedisSettings.model_validate(plain.model_dump() | {"url": url}))


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with influx_server(tmp_path_factory.mktemp("influx")) as running:
        yield running


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda store: store.write([VERDICT]), id="write"),
        pytest.param(lambda store: store.query(ScoreQuery()), id="query"),
        pytest.param(lambda store: store.runs(), id="runs"),
        pytest.param(lambda store: store.verdict_counts(), id="counts"),
        pytest.param(lambda store: store.ping(), id="ping"),
    ],
)
@pytest.mark.parametrize("token", [pytest.param(WRONG, id="wrong"), pytest.param("", id="none")])
async def test_influxdb_refuses_a_wrong_token(
    influx: InfluxServer, token: str, call: Callable[[ScoreStore], Awaitable[object]]
) -> None:
    settings = ScoreStoreSettings.model_validate(
        influx.new_bucket().model_dump() | {"influx_token": token}
    )

    async with open_score_store(settings) as store:
        with pytest.raises(BackendError) as caught:
            await call(store)

    assert_refused(caught.value, "answered 401", "SURGELINE_SCORES__INFLUX_TOKEN")


@pytest.fixture
async def locked_postgres(postgres: str) -> AsyncIterator[str]:
    """The URL of a database of one user's own, who has to say a password; without it."""
    name = f"locked_{uuid.uuid4().hex[:12]}"
    async with administered(postgres) as admin:
        file = Path((await admin.execute(text("SHOW hba_file"))).scalar_one())
        with ExitStack() as undo:
            undo.callback(_let_in, file, _rules(file))
            _let_in(file, f"host all {name} all scram-sha-256\n{_rules(file)}")
            await admin.execute(text("SELECT pg_reload_conf()"))
            await admin.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD '{RIGHT}'"))
            await admin.execute(text(f"CREATE DATABASE {name} OWNER {name}"))
            yield str(make_url(postgres).set(username=name, database=name))
            await admin.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            await admin.execute(text(f"DROP ROLE {name}"))
        await admin.execute(text("SELECT pg_reload_conf()"))


def _rules(file: Path) -> str:
    """Who may come in how; a server elsewhere keeps that to itself."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        require("the PostgreSQL server's pg_hba.conf is not on this machine")
        raise


def _let_in(file: Path, rules: str) -> None:
    file.write_text(rules, encoding="utf-8")


@asynccontextmanager
async def administered(url: str) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


def history_settings(url: str, password: str) -> AlertHistorySettings:
    return AlertHistorySettings(url=SecretStr(url.replace("@", f":{quote(password)}@")))


async def test_postgresql_refuses_a_wrong_password(locked_postgres: str) -> None:
    with pytest.raises(BackendError) as caught:
        async with open_database(history_settings(locked_postgres, WRONG)):
            pass

    assert_refused(
        caught.value,
        "The alert history could not open its database",
        "password authentication failed for user",
    )


async def test_postgresql_with_the_right_password_is_opened(locked_postgres: str) -> None:
    async with open_database(history_settings(locked_postgres, RIGHT)):
        pass
