"""What people see of an address: where it leads, never what opens it."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.redaction import without_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:pass@host:8086/x", "http://***@host:8086/x"),
        ("redis://:hush@host:6379/0", "redis://***@host:6379/0"),
        ("postgresql+asyncpg://u:p%40ss@db/a", "postgresql+asyncpg://***@db/a"),
        ("http://u:p@ss@host/x", "http://***@host/x"),
        ("redis://:pa/ss@host/0", "redis://***@host/0"),
        ("http://u:p#w?d@host:1/x", "http://***@host:1/x"),
        ("http://token@host", "http://***@host"),
        ("http://u:p@[::1]:80/", "http://***@[::1]:80/"),
        ("u:p@host:9092", "***@host:9092"),
        ("http://h/x?org=us&token=abc", "http://h/x?org=us&token=***"),
        ("http://h/?api_key=abc;PASSWORD=d", "http://h/?api_key=***;PASSWORD=***"),
        ("no answer from http://a:b@c/ and ftp://d:e@f", "no answer from http://***@c/ and ftp://***@f"),
        ("(got 'http://u:p@h')", "(got 'http://***@h')"),
    ],
)  # fmt: skip
def test_credentials_are_hidden_and_the_rest_is_not(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://host:8086/path@x",
        "http://127.0.0.1:8080",
        "a:9092,b:9092",
        "sqlite:////var/a@b.db",
        "redis://h:6379/0",
        "http://[::1]:80/a@b",
        "12:30:15, cycle 5: 3 of 30",
        "http://h/?org=us#x",
        "mail me@example.org",
    ],
)
def test_what_has_none_comes_back_as_it_is(text: str) -> None:
    assert without_credentials(text) == text


@given(st.text())
def test_any_text_is_allowed_and_the_second_time_changes_nothing(text: str) -> None:
    once = without_credentials(text)

    assert without_credentials(once) == once


SECRET = st.text(min_size=1, max_size=20).map(lambda text: f"Sesame{quote(text, safe='')}")
HOSTS = st.sampled_from(["host", "10.0.0.1:8086", "[::1]:80", "a.example:1,b.example:2"])
PATHS = st.sampled_from(["", "/", "/0", "/a/b"])


@given(st.sampled_from(["http", "redis", "postgresql+asyncpg"]), SECRET, SECRET, HOSTS, PATHS)
def test_no_secret_of_a_well_made_url_is_shown(
    scheme: str, user: str, secret: str, host: str, path: str
) -> None:
    url = f"{scheme}://{user}:{secret}@{host}{path}?token={secret}"

    shown = without_credentials(f"It failed: {url} does not answer")

    assert "Sesame" not in shown
    assert f"{scheme}://***@{host}{path}?token=***" in shown
