"""Settings that cannot go together are refused in one sentence; whatever is accepted works."""

from __future__ import annotations

import asyncio
import string
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import SettingsError
from common.settings import Settings, load_settings
from detector.adapters.faust_stream import build_faust_app


@pytest.mark.parametrize(
    ("given_settings", "sentence"),
    [
        pytest.param(
            {"SURGELINE_KAFKA__OP_TIMEOUT_S": "5"},
            r"^SURGELINE_KAFKA__OP_TIMEOUT_S is 5 and SURGELINE_DETECTOR__SESSION_TIMEOUT_S 6, .*"
            r"Set SURGELINE_KAFKA__OP_TIMEOUT_S to 6 or more",
            id="request shorter than session",
        ),
        pytest.param(
            {"SURGELINE_DETECTOR__SESSION_TIMEOUT_S": "31"},
            r"OP_TIMEOUT_S is 30 and SURGELINE_DETECTOR__SESSION_TIMEOUT_S 31",
            id="session longer than request",
        ),
        pytest.param(
            {"SURGELINE_DETECTOR__RETRY_MAX_S": "0.1"},
            r"^SURGELINE_DETECTOR__RETRY_INITIAL_S is 0.2 and SURGELINE_DETECTOR__RETRY_MAX_S 0.1",
            id="first wait longer than longest",
        ),
        pytest.param({"SURGELINE_DETECTOR__GROUP_ID": ""}, "GROUP_ID", id="no group"),
        pytest.param(
            {"SURGELINE_NOTIFY__RETRY_MAX_S": "1"},
            r"^SURGELINE_NOTIFY__RETRY_INITIAL_S is 2 and SURGELINE_NOTIFY__RETRY_MAX_S 1",
            id="notify: first wait longer than longest",
        ),
        pytest.param(
            {"SURGELINE_NOTIFY__PUBLIC_URL": "javascript:alert(1)"}, "address such as", id="link"
        ),
        pytest.param(
            {"SURGELINE_NOTIFY__MAIL__HOST": "mail"}, "MAIL__SENDER, the address", id="no sender"
        ),
        pytest.param(
            {"SURGELINE_NOTIFY__MAIL__SENDER": "a@b.org\nBcc: c@d.org"}, "SENDER", id="header"
        ),
        pytest.param(
            {"SURGELINE_NOTIFY__MAIL__USERNAME": "me"}, "belong together", id="no password"
        ),
        pytest.param(
            {
                "SURGELINE_NOTIFY__MAIL__USERNAME": "me",
                "SURGELINE_NOTIFY__MAIL__PASSWORD": "hunter2",
                "SURGELINE_NOTIFY__MAIL__SECURITY": "none",
            },
            "^SURGELINE_NOTIFY__MAIL__SECURITY is none, which would send the password in the clear",
            id="password in the clear",
        ),
        pytest.param(
            {"SURGELINE_NOTIFY__WEBHOOKS__TLS__CA_FILE": "ca.pem"},
            r"^SURGELINE_NOTIFY__WEBHOOKS__TLS__\* is set, but",
            id="TLS of nobody",
        ),
        pytest.param(
            {"SURGELINE_KAFKA__BOOTSTRAP_SERVERS": "a:99999"}, "BOOTSTRAP", id="no such port"
        ),
        pytest.param({"SURGELINE_DETECTOR__RETRY_MAX_S": "inf"}, "RETRY_MAX_S", id="for ever"),
    ],
)
def test_what_cannot_work_is_refused(given_settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_settings(given_settings)


def test_a_refusal_shows_no_secret() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(
            {
                "SURGELINE_REDIS__URL": "redis://:hunter2@host/0",
                "SURGELINE_KAFKA__OP_TIMEOUT_S": "1",
            }
        )

    assert "hunter2" not in str(refused.value)


def test_a_worker_that_cannot_start_says_so_in_one_line_and_ends_with_2() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "detector"],
        env={"SURGELINE_KAFKA__OP_TIMEOUT_S": "5", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: SURGELINE_KAFKA__OP_TIMEOUT_S is 5")
    assert len(ended.stderr.splitlines()) == 1


HOSTS = st.text(string.ascii_letters + string.digits + "._-", max_size=20)
PORTS = st.one_of(st.just(""), st.integers(-1, 70_000).map(lambda number: f":{number}"))
SERVERS = st.lists(st.builds(str.__add__, HOSTS, PORTS), min_size=1, max_size=3).map(",".join)


@settings(max_examples=200, deadline=None)
@given(
    servers=SERVERS,
    group=st.text(max_size=300),
    session_s=st.floats(0.5, 310) | st.integers(0, 310),
    request_s=st.floats(0.01, 620) | st.integers(0, 620),
    rows=st.integers(0, 100_001),
)
def test_a_consumer_can_be_made_from_whatever_is_accepted(
    servers: str, group: str, session_s: float, request_s: float, rows: int
) -> None:
    given_settings = {
        "SURGELINE_KAFKA__BOOTSTRAP_SERVERS": servers,
        "SURGELINE_KAFKA__OP_TIMEOUT_S": str(request_s),
        "SURGELINE_DETECTOR__GROUP_ID": group,
        "SURGELINE_DETECTOR__SESSION_TIMEOUT_S": str(session_s),
        "SURGELINE_DETECTOR__MAX_BATCH_ROWS": str(rows),
    }
    try:
        accepted = load_settings(given_settings)
    except SettingsError:
        return

    asyncio.run(_makes_a_consumer(accepted))


async def _makes_a_consumer(accepted: Settings) -> None:
    app = build_faust_app(accepted.kafka, accepted.detector)
    app.finalize()
    thread = app.consumer._thread
    consumer = thread._create_worker_consumer(app.transport)
    assert consumer._session_timeout_ms <= consumer._request_timeout_ms
    assert 0 < consumer._heartbeat_interval_ms < consumer._session_timeout_ms
    consumer._closed = True  # it was never started; it would complain when it is thrown away
    thread.thread_loop.close()


BROKERS = "SURGELINE_KAFKA__BOOTSTRAP_SERVERS"


@pytest.mark.parametrize(
    "servers",
    ["127.0.0.1:9092", "kafka", "a:1, b:2", "kafka-0.kafka.svc:65535"],
)
def test_what_the_driver_can_read_is_let_through(servers: str) -> None:
    found = load_settings({BROKERS: servers}).kafka.bootstrap_servers

    assert found == servers.replace(" ", "")


@pytest.mark.parametrize(
    "servers",
    [
        "",
        "[::1]:9092",
        "::1",
        "foo:bar",
        "a:0",
        "a:65536",
        "a:1,",
        "http://a:1",
        "a b:1",
        ":9092",
        "a:9²",
    ],
)
def test_addresses_that_are_none_are_refused_before_anything_connects(servers: str) -> None:
    with pytest.raises(SettingsError, match=f"{BROKERS}: host:port is expected"):
        load_settings({BROKERS: servers})


@pytest.mark.parametrize("value", ["u:hush@kafka:9092", "http://u:hush@kafka"])
def test_a_refusal_of_an_address_shows_no_password(value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({BROKERS: value})

    assert "hush" not in str(refused.value)
