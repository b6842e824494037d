"""Secrets from variables and from files, and connections whose settings contradict each other."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import SettingsError
from common.settings import (
    Settings,
    field_paths,
    file_variable_name,
    load_settings,
    secret_paths,
    value_of,
    variable_name,
)

HUSH = "hush-91f0"

NEEDED: dict[str, dict[str, str]] = {
    "SURGELINE_KAFKA__SASL_PASSWORD": {
        "SURGELINE_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "SURGELINE_KAFKA__SASL_USERNAME": "u",
    },
    "SURGELINE_KAFKA__TLS__KEY_PASSWORD": {
        "SURGELINE_KAFKA__SECURITY_PROTOCOL": "SSL",
        "SURGELINE_KAFKA__TLS__CERT_FILE": "c",
    },
    "SURGELINE_REDIS__TLS__KEY_PASSWORD": {
        "SURGELINE_REDIS__URL": "rediss://h/0",
        "SURGELINE_REDIS__TLS__CERT_FILE": "c",
    },
    "SURGELINE_SCORES__TLS__KEY_PASSWORD": {
        "SURGELINE_SCORES__INFLUX_URL": "https://h",
        "SURGELINE_SCORES__TLS__CERT_FILE": "c",
    },
    "SURGELINE_ALERTS__TLS__KEY_PASSWORD": {
        "SURGELINE_ALERTS__TLS__REQUIRED": "true",
        "SURGELINE_ALERTS__TLS__CERT_FILE": "c",
    },
    "SURGELINE_NOTIFY__MAIL__PASSWORD": {"SURGELINE_NOTIFY__MAIL__USERNAME": "u"},
    "SURGELINE_NOTIFY__MAIL__TLS__KEY_PASSWORD": {"SURGELINE_NOTIFY__MAIL__TLS__CERT_FILE": "c"},
    "SURGELINE_NOTIFY__WEBHOOKS__TLS__KEY_PASSWORD": {
        "SURGELINE_NOTIFY__FILE": "f",
        "SURGELINE_NOTIFY__WEBHOOKS__TLS__CERT_FILE": "c",
    },
}
"""What else must be set, so that a secret is of use."""


@pytest.mark.parametrize("path", secret_paths(), ids=variable_name)
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_every_secret_may_come_from_a_file(
    path: tuple[str, ...], ending: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_bytes((HUSH + ending).encode())
    others = NEEDED.get(variable_name(path), {})

    from_file = load_settings({file_variable_name(path): str(file), **others})

    assert from_file == load_settings({variable_name(path): HUSH, **others})
    assert HUSH not in repr(from_file)
    assert HUSH not in str(from_file)


def test_there_are_secrets_and_they_are_the_ones_that_are_shown_to_nobody() -> None:
    names = {variable_name(path) for path in secret_paths()}

    assert {"SURGELINE_KAFKA__SASL_PASSWORD", "SURGELINE_REDIS__URL"} <= names
    assert {name for name in map(variable_name, field_paths()) if "PASSWORD" in name} <= names


def secret_file(tmp_path: Path, content: bytes) -> str:
    file = tmp_path / "secret"
    file.write_bytes(content)
    return str(file)


PASSWORD, PASSWORD_FILE = "SURGELINE_REDIS__PASSWORD", "SURGELINE_REDIS__PASSWORD_FILE"


def whole_traceback(error: BaseException) -> str:
    """Whatever anybody could print of it."""
    chain: list[BaseException | None] = [error, error.__context__, error.__cause__]
    return "".join(traceback.format_exception(error)) + repr(chain)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "which is empty", id="empty"),
        pytest.param(b"\n", "which is empty", id="line break alone"),
        pytest.param(HUSH.encode() + b"\xff", "which holds no UTF-8 text", id="bytes"),
        pytest.param(b"x" * 70_000, "which has more than 65536 bytes", id="too large"),
    ],
)
def test_a_file_without_a_secret_is_refused_in_one_line(
    tmp_path: Path, content: bytes, words: str
) -> None:
    file = secret_file(tmp_path, content)

    with pytest.raises(SettingsError) as refused:
        load_settings({PASSWORD_FILE: file})

    assert str(refused.value) == f"{PASSWORD_FILE} names {file}, {words}."
    assert HUSH not in whole_traceback(refused.value)


@pytest.mark.parametrize("what", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, what: str) -> None:
    place = tmp_path / what
    if what == "folder":
        place.mkdir()
    elif what == "pipe":
        os.mkfifo(place)

    with pytest.raises(SettingsError, match=rf"{PASSWORD_FILE} names .*{what}, which is no file"):
        load_settings({PASSWORD_FILE: str(place)})


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    file = Path(secret_file(tmp_path, b"x"))
    file.chmod(0)

    with pytest.raises(SettingsError, match="cannot be read: Permission denied"):
        load_settings({PASSWORD_FILE: str(file)})


def test_a_secret_in_two_places_is_refused_and_an_unset_variable_is_none(tmp_path: Path) -> None:
    file = secret_file(tmp_path, HUSH.encode())

    with pytest.raises(SettingsError, match=f"Both {PASSWORD} and {PASSWORD_FILE} are set") as both:
        load_settings({PASSWORD: "other", PASSWORD_FILE: file})
    only_file = load_settings({PASSWORD: "", PASSWORD_FILE: file})
    neither = load_settings({PASSWORD: "", PASSWORD_FILE: ""})

    assert HUSH not in str(both.value)
    assert only_file.redis.password.get_secret_value() == HUSH
    assert neither == load_settings({})


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("SURGELINE_KAFKA__SSL_CAFILE", "SURGELINE_KAFKA__TLS__CA_FILE"),
        ("SURGELINE_KAFKA__SASL_PASSWORD_FIEL", "SURGELINE_KAFKA__SASL_PASSWORD_FILE"),
        ("SURGELINE_KAFKA__SECURITY_PROTOKOL", "SURGELINE_KAFKA__SECURITY_PROTOCOL"),
        ("SURGELINE_REDIS__PASWORD", "SURGELINE_REDIS__PASSWORD"),
        ("SURGELINE_SCORES__INFLUX_TOKENFILE", "SURGELINE_SCORES__INFLUX_TOKEN_FILE"),
        ("SURGELINE_API__PORT_FILE", "SURGELINE_API__PORT"),
    ],
)
def test_a_misspelt_one_is_answered_with_the_nearest(misspelt: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"Did you mean {meant}\\?"):
        load_settings({misspelt: HUSH})


@pytest.mark.parametrize(
    ("given_settings", "sentence"),
    [
        pytest.param(
            {"SURGELINE_KAFKA__SECURITY_PROTOCOL": "SASL_SSL"},
            "is SASL_SSL, which needs SURGELINE_KAFKA__SASL_USERNAME",
            id="no password",
        ),
        pytest.param(
            {"SURGELINE_KAFKA__SASL_PASSWORD": HUSH},
            "is PLAINTEXT, which uses no password",
            id="password unused",
        ),
        pytest.param(
            {"SURGELINE_KAFKA__TLS__CA_FILE": "ca.pem"},
            r"SURGELINE_KAFKA__TLS__\* is set, but the connection does not use TLS",
            id="kafka without TLS",
        ),
        pytest.param(
            {"SURGELINE_REDIS__TLS__CHECK_HOSTNAME": "false"},
            r"SURGELINE_REDIS__TLS__\* is set.* Set SURGELINE_REDIS__URL to rediss",
            id="redis without TLS",
        ),
        pytest.param(
            {"SURGELINE_SCORES__TLS__CA_FILE": "ca.pem"},
            "SURGELINE_SCORES__INFLUX_URL to https",
            id="influx without TLS",
        ),
        pytest.param(
            {"SURGELINE_ALERTS__TLS__CA_FILE": "ca.pem"},
            "SURGELINE_ALERTS__TLS__REQUIRED to true",
            id="postgres without TLS",
        ),
        pytest.param(
            {
                "SURGELINE_KAFKA__SECURITY_PROTOCOL": "SSL",
                "SURGELINE_KAFKA__TLS__KEY_PASSWORD": HUSH,
            },
            "set without a certificate. Set SURGELINE_KAFKA__TLS__CERT_FILE",
            id="key without certificate",
        ),
        pytest.param(
            {
                "SURGELINE_REDIS__URL": f"redis://:{HUSH}@h/0",
                "SURGELINE_REDIS__PASSWORD": HUSH,
            },
            "Give them in one place",
            id="redis password twice",
        ),
        pytest.param(
            {"SURGELINE_REDIS__USERNAME": "u"},
            "SURGELINE_REDIS__USERNAME is set without",
            id="redis user alone",
        ),
        pytest.param(
            {"SURGELINE_KAFKA__SASL_MECHANISM": "GSSAPI"},
            "SASL_MECHANISM: Input should",
            id="mechanism",
        ),
    ],
)
def test_what_would_be_ignored_or_is_missing_is_refused(
    given_settings: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence) as refused:
        load_settings(given_settings)

    assert HUSH not in whole_traceback(refused.value)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=40))
def test_no_refusal_shows_a_password(password: str) -> None:
    given_settings = {
        "SURGELINE_KAFKA__SASL_PASSWORD": f"<{password}>",
        "SURGELINE_KAFKA__OP_TIMEOUT_S": "x",
    }

    with pytest.raises(SettingsError) as refused:
        load_settings(given_settings)

    assert f"<{password}>" not in whole_traceback(refused.value)


def test_values_are_found_by_path() -> None:
    assert value_of(Settings(), ("kafka", "tls", "check_hostname")) is True
