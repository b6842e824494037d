"""No message of ours contains a password, whichever backend fails and however."""

from __future__ import annotations

import re
import string
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from api.adapters.sql.database import open_database
from api.routes.system import shown_settings
from common.errors import BackendUnavailableError, SurgelineError, UserError
from common.redaction import MASK, without_credentials
from common.retry import Backoff
from common.scorestore.factory import open_score_store
from common.scorestore.influx.errors import influx_errors, split_address, status_error
from common.settings import (
    AlertHistorySettings,
    RedisSettings,
    ScoreStoreSettings,
    Settings,
    load_settings,
)
from deploy.local.programs import free_port
from detector.adapters.redis_state_store import RedisStateStore
from tests.support.api import Fakes, running

AWKWARD = [
    "p@ss-word1",
    "pass/word1",
    "pass:word1",
    "pass word1",
    "pass#word1",
    "pass?word1",
    "pä$$word1",
]
passwords = st.sampled_from(AWKWARD) | st.text(
    string.ascii_letters + string.digits + "-._~!$&'()*+,;=@:/?#[]% ", min_size=8, max_size=20
).map(lambda text: f"Zq{text}qZ")
schemes = st.sampled_from(["http", "https", "redis", "postgresql+asyncpg", "sqlite+x", "kafka"])


def is_in(password: str, text: str) -> bool:
    """Whether a password, or most of it, stands in a text in any of its spellings."""
    spellings = {password, quote(password), quote(password, safe=""), repr(password)[1:-1]}
    return any(spelling in text for spelling in spellings)


@given(schemes, st.sampled_from(["user", "", "a.b"]), passwords, st.booleans())
def test_an_address_shows_its_host_and_no_password(
    scheme: str, user: str, password: str, quoted: bool
) -> None:
    written = quote(password, safe="") if quoted else password

    shown = without_credentials(f"{scheme}://{user}:{written}@host.example:99/db")

    assert shown == f"{scheme}://{MASK}@host.example:99/db"


@given(passwords)
def test_a_parameter_that_is_a_secret_is_masked(password: str) -> None:
    value = quote(password, safe="")

    shown = without_credentials(f"http://host/db?u=me&p={value}&sslpassword={value}&q=1")

    assert not is_in(password, shown)
    assert shown.endswith("&q=1")


@given(passwords)
def test_what_a_driver_says_of_an_address_is_masked(password: str) -> None:
    address = f"http://user:{password}@host:1"

    said = without_credentials(f"cannot parse port {password!r} of\n{address}", address)

    assert not is_in(password, said)


@given(st.text())
def test_text_without_addresses_is_left_alone(text: str) -> None:
    plain = re.sub(r"[@?&;]", "", text)

    assert without_credentials(plain) == plain


@pytest.mark.parametrize("part", ["://", "a:", "?", "@", "&password", "x", "://a:b@", "?p="])
def test_no_text_makes_it_slow(part: str) -> None:
    assert without_credentials(part * 20_000)  # the suite's time limit is the judge


def test_errors_mask_what_their_maker_forgot() -> None:
    assert "hunter22" not in str(BackendUnavailableError("redis://:hunter22@host is down"))
    assert "hunter22" not in str(UserError("http://u:hunter22@host is no address"))


def chain(exc: BaseException | None) -> str:
    """Return all that is said of an error and of what caused it, as a log would."""
    said = ""
    while exc is not None:
        said += f"{exc!r} {exc}\n"
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
    return without_credentials(said)


@given(passwords, st.booleans())
@settings(deadline=None, max_examples=30)
async def test_an_influxdb_that_is_down_is_named_without_its_password(
    password: str, quoted: bool
) -> None:
    written = quote(password, safe="") if quoted else password
    url = f"http://user:{written}@127.0.0.1:{CLOSED_PORT}"

    with pytest.raises(SurgelineError) as failed:
        async with open_score_store(ScoreStoreSettings(backend="influx", influx_url=url)) as store:
            await store.ping()

    assert not is_in(password, chain(failed.value))


@given(passwords)
def test_a_server_that_repeats_the_password_is_not_repeated(password: str) -> None:
    url = f"http://user:{quote(password, safe='')}@influx:8086"

    refused = status_error(url, 401, f"user:{password} may not")
    with pytest.raises(BackendUnavailableError) as down, influx_errors(url):
        raise httpx.ConnectError(f"cannot connect to {url}")

    assert not is_in(password, str(refused))
    assert not is_in(password, str(down.value))


@given(passwords, st.booleans(), st.sampled_from(["postgresql+asyncpg", "mysql"]))
@settings(deadline=None, max_examples=30)
async def test_a_database_that_is_down_is_named_without_its_password(
    password: str, quoted: bool, scheme: str
) -> None:
    written = quote(password, safe="") if quoted else password
    url = SecretStr(f"{scheme}://user:{written}@127.0.0.1:{CLOSED_PORT}/db")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("api.adapters.sql.database.OPENING", Backoff(0.001, 0.001, attempts=1))
        with pytest.raises(SurgelineError) as failed:
            async with open_database(AlertHistorySettings(url=url, op_timeout_s=5)):
                pass

    assert not is_in(password, chain(failed.value))


@given(passwords, st.booleans())
@settings(deadline=None, max_examples=30)
async def test_a_redis_that_is_down_is_named_without_its_password(
    password: str, quoted: bool
) -> None:
    written = quote(password, safe="") if quoted else password
    url = SecretStr(f"redis://:{written}@127.0.0.1:{CLOSED_PORT}/0")

    with pytest.raises(SurgelineError) as failed:
        async with RedisStateStore(RedisSettings(url=url, op_timeout_s=5)) as store:
            await store.ping()

    assert not is_in(password, chain(failed.value))


@given(passwords)
@settings(deadline=None)
def test_a_setting_that_is_refused_is_shown_without_its_password(password: str) -> None:
    with pytest.raises(SurgelineError) as failed:
        load_settings({"SURGELINE_TRACKING__TRACKING_URI": f"ftp://user:{password}@host"})

    assert not is_in(password, str(failed.value))


@given(passwords)
@settings(deadline=None, max_examples=30)
def test_the_settings_shown_hold_no_password(password: str) -> None:
    given_settings = Settings(
        redis=RedisSettings(url=SecretStr(f"redis://:{password}@redis:6379/0")),
        scores=ScoreStoreSettings(influx_url=f"http://user:{password}@influx:8086"),
    )

    assert not is_in(password, str(shown_settings(given_settings)))


async def test_ready_and_503_hold_no_password(tmp_path: Path) -> None:
    url = f"http://user:hunter2222@127.0.0.1:{CLOSED_PORT}"
    store = open_score_store(ScoreStoreSettings(backend="influx", influx_url=url))
    fakes = Fakes()
    fakes.scores = store  # type: ignore[assignment]
    async with running(fakes) as api:
        ready = await api.client.get("/ready")
        scores = await api.client.get("/api/v1/scores")

    for answer in (ready, scores):
        assert answer.status_code == 503
        assert f"127.0.0.1:{CLOSED_PORT}" in answer.text
        assert "hunter2222" not in answer.text


CLOSED_PORT = free_port()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://influx:8086/", ("http://influx:8086", "")),
        ("https://me:p%40ss@influx", ("https://influx", "me:p@ss")),
        ("http://token@influx:1/base", ("http://influx:1/base", "token:")),
    ],
)
def test_clients_of_influxdb_get_an_address_without_credentials(
    url: str, expected: tuple[str, str]
) -> None:
    assert split_address(url) == expected
