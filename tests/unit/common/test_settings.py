"""What is refused of the environment, and what a refusal shows."""

from __future__ import annotations

import pytest

from common.errors import SettingsError
from common.settings import load_settings

SERVERS = "SURGELINE_KAFKA__BOOTSTRAP_SERVERS"


@pytest.mark.parametrize(
    "servers",
    ["127.0.0.1:9092", "kafka", "a:1, b:2", "[::1]:9092", "::1", "kafka-0.kafka.svc:65535"],
)
def test_what_the_driver_can_read_is_let_through(servers: str) -> None:
    assert load_settings({SERVERS: servers}).kafka.bootstrap_servers == servers


@pytest.mark.parametrize(
    "servers", ["", "foo:bar", "a:0", "a:65536", "a:1,", "http://a:1", "a b:1", ":9092", "a:9²"]
)
def test_addresses_that_are_none_are_refused_before_anything_connects(servers: str) -> None:
    with pytest.raises(SettingsError, match=f"{SERVERS}: host:port is expected"):
        load_settings({SERVERS: servers})


@pytest.mark.parametrize("value", ["u:hush@kafka:9092", "http://u:hush@kafka"])
def test_a_refusal_shows_no_password(value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({SERVERS: value})

    assert "hush" not in str(refused.value)
