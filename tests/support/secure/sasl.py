"""The server's side of SASL: PLAIN (RFC 4616) and SCRAM (RFC 5802, 7677), for one user."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Generator
from typing import Final

ITERATIONS = 4096

Conversation = Generator[tuple[bytes, bool], bytes, None]
"""Is sent the client's words; yields each answer, and whether it is the last: the client is in."""

START: Final = (b"", False)
"""Yielded before anything was said."""


class WrongPasswordError(Exception):
    """The client does not know the password."""


def conversation(mechanism: str, user: str, password: str) -> Conversation:
    """Return the server's side of one authentication, ready for the client's first words."""
    side = (
        _plain(user, password)
        if mechanism == "PLAIN"
        else _scram(mechanism.removeprefix("SCRAM-").replace("-", "").lower(), user, password)
    )
    next(side)
    return side


def _plain(user: str, password: str) -> Conversation:
    said = yield START
    _, given_user, given_password = said.decode().split("\0")
    if (given_user, given_password) != (user, password):
        raise WrongPasswordError
    yield b"", True


def _scram(digest: str, user: str, password: str) -> Conversation:
    def mac(key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, digest)

    first = (yield START).decode().removeprefix("n,,")
    fields = dict(part.split("=", 1) for part in first.split(","))
    nonce = fields["r"] + secrets.token_urlsafe(18)
    salt = secrets.token_bytes(16)
    challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i={ITERATIONS}"

    final = (yield challenge.encode(), False).decode()
    without_proof, _, proof = final.rpartition(",p=")
    message = f"{first},{challenge},{without_proof}".encode()
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), salt, ITERATIONS)
    client_key = mac(salted, b"Client Key")
    signature = mac(hashlib.new(digest, client_key).digest(), message)
    expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    if fields["n"] != user or not hmac.compare_digest(expected, base64.b64decode(proof)):
        raise WrongPasswordError
    if without_proof != f"c=biws,r={nonce}":
        raise WrongPasswordError
    yield b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), message)), True
