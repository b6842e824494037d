"""Webhooks are signed as Standard Webhooks says, whoever's values are in them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.notifications.signing import (
    message_id,
    read_secrets,
    secret_text,
    signed_headers,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of the convention's example
keys = st.binary(min_size=24, max_size=64)


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """What a receiver does, written from the convention alone."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(
        version == "v1" and hmac.compare_digest(given, wanted)
        for version, _, given in (
            each.partition(",") for each in headers["webhook-signature"].split(" ")
        )
    )


def test_the_example_of_the_convention() -> None:
    headers = signed_headers(
        read_secrets(SECRET),
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@settings(max_examples=50)
@given(keys, keys, st.text(), st.integers(0, 2**40), st.binary())
def test_whoever_has_one_of_the_secrets_can_verify_and_nobody_else(
    old: bytes, new: bytes, alert_id: str, sent_at_s: int, body: bytes
) -> None:
    secrets = read_secrets(f"{secret_text(old)} {secret_text(new)}")

    headers = signed_headers(secrets, message_id(alert_id), sent_at_s, body)

    assert verified(secret_text(old), headers, body)
    assert verified(secret_text(new), headers, body)
    assert not verified(secret_text(old), headers, body + b" ")
    assert not verified(secret_text(old), headers | {"webhook-id": "other"}, body)
    assert not verified(secret_text(old), headers | {"webhook-timestamp": "0x"}, body)
    assert not verified(secret_text(b"nobody's key, of 32 bytes or so."), headers, body)


@given(st.text(), st.text())
def test_ids_fit_into_headers_and_stay_apart(one: str, other: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_\-]{1,128}", message_id(one))
    assert (message_id(one) == message_id(other)) == (one == other)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("hunter2-hunter2-hunter2-hunter2", id="a password"),
        pytest.param("whsec_hunter2", id="too short"),
        pytest.param("whsec_" + "hunter2-" * 6, id="not base64"),
        pytest.param("whsec_" + base64.b64encode(bytes(65)).decode(), id="too long"),
        pytest.param(" ".join([SECRET] * 5), id="too many"),
    ],
)
def test_what_is_no_secret_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="expected") as refused:
        read_secrets(text)

    assert "hunter2" not in str(refused.value)
