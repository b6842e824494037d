"""Redis, InfluxDB and PostgreSQL over their own TLS: used by whom they know, one line to others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.adapters.sql.database import open_database
from common.errors import BackendRefusedError, BackendUnavailableError, SettingsError
from common.scorestore.factory import open_score_store
from common.scorestore.influx.bucket import ensure_bucket
from common.scorestore.port import ScoreQuery
from common.settings import AlertHistorySettings, RedisSettings, ScoreStoreSettings
from detector.adapters.redis_state_store import RedisStateStore
from tests.contract.test_wrong_credentials import NEXT, VERDICT
from tests.support.secure.certificates import Authority, Pair
from tests.support.secure.goodbyes import goodbyes as goodbyes
from tests.support.servers.influx import InfluxServer, influx_engine_over_tls, influx_server
from tests.support.servers.postgres import SUPERUSER_PASSWORD, postgres_server
from tests.support.servers.redis_tls import redis_over_tls

USER, RIGHT, WRONG = "surgeline", "open-sesame-5b1f", "open-barley-77c2"


@dataclass(frozen=True, slots=True)
class Papers:
    """Who vouches for whom.

    Attributes:
        authority: Whom the servers are known by.
        other: Somebody else.
        good: A server's certificate.
        expired: One of the day before yesterday.
    """

    authority: Authority
    other: Authority
    good: Pair
    expired: Pair


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    authority, other = Authority(folder), Authority(folder, "other")
    return Papers(
        authority, other, authority.vouch("good"), authority.vouch("expired", expired=True)
    )


def assert_refused(error: BackendRefusedError, *words: str) -> None:
    said = str(error)
    assert not error.retriable
    assert all(word in said for word in words), said
    assert len(said.splitlines()) == 1
    assert not any(secret in said for secret in (RIGHT, WRONG, SUPERUSER_PASSWORD))


# --- Redis


@pytest.fixture(scope="module")
def redis(papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("redis")
    with redis_over_tls(folder, papers.authority, papers.good, USER, RIGHT) as port:
        yield port


def redis_settings(port: int, ca: Path | None, **changed: Any) -> RedisSettings:
    given = {
        "url": f"rediss://127.0.0.1:{port}/0",
        "username": USER,
        "password": RIGHT,
        "tls": {"ca_file": ca, **changed.pop("tls", {})},
    }
    return RedisSettings.model_validate(given | changed)


async def use_redis(settings: RedisSettings) -> None:
    async with RedisStateStore(settings) as store:
        await store.write({("engine-1", "run-1"): NEXT}, {})
        assert (await store.read([("engine-1", "run-1")], [])).states


async def heard(settings: RedisSettings) -> None:
    """Use it again as long as all it says is that the line broke, as a worker does.

    TLS 1.3 lets a client speak before its certificate was asked for; a server that hangs up with
    the client's first words unread resets the line, and its reason may be lost on the way.
    """
    for _ in range(50):
        with suppress(BackendUnavailableError):
            return await use_redis(settings)
    pytest.fail("the server never said why it hangs up")


async def test_redis_over_tls_with_its_user_is_used(redis: int, papers: Papers) -> None:
    await use_redis(redis_settings(redis, papers.authority.file))
    await use_redis(
        RedisSettings.model_validate(
            {
                "url": f"rediss://{USER}:{RIGHT}@127.0.0.1:{redis}/0",
                "tls": {"ca_file": papers.authority.file},
            }
        )
    )


async def test_redis_that_is_not_known_or_does_not_know_us_is_refused(
    redis: int, papers: Papers
) -> None:
    cases: list[tuple[RedisSettings, str]] = [
        (redis_settings(redis, papers.other.file), "authority that is not trusted"),
        (redis_settings(redis, None), "authority that is not trusted"),
        (redis_settings(redis, papers.authority.file, password=WRONG), "invalid username-password"),
    ]
    for settings, words in cases:
        with pytest.raises(BackendRefusedError) as caught:
            await use_redis(settings)
        assert_refused(caught.value, "Redis: could not write states", words)


async def test_redis_with_an_expired_certificate_is_refused(papers: Papers, tmp_path: Path) -> None:
    with (
        redis_over_tls(tmp_path, papers.authority, papers.expired, USER, RIGHT) as port,
        pytest.raises(BackendRefusedError) as caught,
    ):
        await use_redis(redis_settings(port, papers.authority.file))

    assert_refused(caught.value, "Redis: could not write states", "certificate has expired")


async def test_redis_that_asks_for_our_certificate_gets_it_or_says_so(
    papers: Papers, tmp_path: Path
) -> None:
    pair = papers.authority.vouch("client", key_password="key-hush-4c")  # noqa: S106
    shown = {"cert_file": pair.cert, "key_file": pair.key, "key_password": "key-hush-4c"}
    with redis_over_tls(
        tmp_path, papers.authority, papers.good, USER, RIGHT, asks_clients=True
    ) as port:
        await use_redis(redis_settings(port, papers.authority.file, tls=shown))
        with pytest.raises(BackendRefusedError) as caught:
            await heard(redis_settings(port, papers.authority.file))

    assert_refused(caught.value, "it refuses us in the TLS handshake", "TLS__CERT_FILE")


# --- InfluxDB


@pytest.fixture(scope="module")
def influx(papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    folder = tmp_path_factory.mktemp("influx")
    with influx_server(folder, papers.good, papers.authority) as running:
        yield running


Use = Callable[[ScoreStoreSettings], Awaitable[None]]


async def write_scores(settings: ScoreStoreSettings) -> None:
    async with open_score_store(settings) as store:
        await store.write([VERDICT])


async def read_scores(settings: ScoreStoreSettings) -> None:
    async with open_score_store(settings) as store:
        await store.query(ScoreQuery())


def trusting(settings: ScoreStoreSettings, ca: Path | None, url: str = "") -> ScoreStoreSettings:
    changed = {"tls": {"ca_file": ca}} | ({"influx_url": url} if url else {})
    return ScoreStoreSettings.model_validate(settings.model_dump() | changed)


async def make_bucket(settings: ScoreStoreSettings) -> None:
    await asyncio.to_thread(ensure_bucket, settings, None)


@pytest.mark.parametrize("use", [write_scores, read_scores, make_bucket])
async def test_influxdb_over_tls_is_used_or_refused(
    influx: InfluxServer, papers: Papers, use: Use
) -> None:
    bucket = influx.new_bucket()

    await use(trusting(bucket, papers.authority.file))
    for wrong in (papers.other.file, None):
        with pytest.raises(BackendRefusedError) as caught:
            await use(trusting(bucket, wrong))
        assert_refused(
            caught.value, "No connection to InfluxDB at https://", "authority that is not trusted"
        )


@pytest.mark.parametrize("use", [write_scores, read_scores])
async def test_influxdb_with_an_expired_certificate_is_refused(
    papers: Papers, tmp_path: Path, use: Use
) -> None:
    with influx_server(tmp_path, papers.expired, None) as running:
        settings = ScoreStoreSettings.model_validate(
            {"backend": "influx", "influx_url": running.url, "influx_token": RIGHT}
        )
        with pytest.raises(BackendRefusedError) as caught:
            await use(trusting(settings, papers.authority.file))

    assert_refused(caught.value, "No connection to InfluxDB", "certificate has expired")


async def test_the_engines_own_tls_is_spoken_too(papers: Papers, tmp_path: Path) -> None:
    settings = ScoreStoreSettings(backend="influx", influx_bucket="none", op_timeout_s=10)
    with influx_engine_over_tls(tmp_path, papers.good) as url:
        with pytest.raises(BackendRefusedError, match=r"database not found"):  # it answered
            await read_scores(trusting(settings, papers.authority.file, url))
        with pytest.raises(BackendRefusedError) as caught:
            await read_scores(trusting(settings, papers.other.file, url))

    assert_refused(caught.value, "authority that is not trusted")


# --- PostgreSQL


@pytest.fixture(scope="module")
def postgres_url(papers: Papers) -> Iterator[str]:
    with postgres_server(papers.good) as url:
        yield url


def history(url: str, ca: Path | None, **changed: Any) -> AlertHistorySettings:
    return AlertHistorySettings.model_validate(
        {"url": url, "tls": {"required": True, "ca_file": ca}, "op_timeout_s": 10} | changed
    )


async def use_postgres(settings: AlertHistorySettings) -> None:
    async with open_database(settings):
        pass


def without_password(url: str) -> str:
    return url.replace(f":{SUPERUSER_PASSWORD}@", "@")


async def test_postgresql_over_tls_is_used(postgres_url: str, papers: Papers) -> None:
    ca = papers.authority.file

    await use_postgres(history(postgres_url, ca))
    await use_postgres(history(without_password(postgres_url), ca, password=SUPERUSER_PASSWORD))


async def test_postgresql_that_is_not_known_or_does_not_know_us_is_refused(
    postgres_url: str, papers: Papers
) -> None:
    ca, bare = papers.authority.file, without_password(postgres_url)
    cases: list[tuple[AlertHistorySettings, str]] = [
        (history(postgres_url, papers.other.file), "authority that is not trusted"),
        (history(postgres_url, None), "authority that is not trusted"),
        (history(bare, ca, password=WRONG), "password authentication failed"),
    ]
    for settings, words in cases:
        with pytest.raises(BackendRefusedError) as caught:
            await use_postgres(settings)
        assert_refused(caught.value, "The alert history could not open its database", words)


async def test_postgresql_with_an_expired_certificate_is_refused(papers: Papers) -> None:
    with postgres_server(papers.expired) as url, pytest.raises(BackendRefusedError) as caught:
        await use_postgres(history(url, papers.authority.file))

    assert_refused(caught.value, "certificate has expired")


async def test_a_password_in_two_places_is_refused(postgres_url: str) -> None:
    with pytest.raises(SettingsError, match=r"Give it in one place"):
        await use_postgres(history(postgres_url, None, password=WRONG))


async def test_a_file_that_would_ignore_a_password_is_refused(tmp_path: Path) -> None:
    url = SecretStr(f"sqlite+aiosqlite:///{tmp_path}/alerts.db")

    with pytest.raises(SettingsError, match=r"names a SQLite file") as caught:
        await use_postgres(AlertHistorySettings(url=url, password=SecretStr(RIGHT)))

    assert RIGHT not in str(caught.value)
