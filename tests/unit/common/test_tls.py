"""What a failed handshake means: told apart from connections that were merely cut."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from common.links.kafka_access import credentials
from common.logs import without_proofs
from common.settings import KafkaSettings, TlsSettings
from common.tls import tls_context, tls_refusal
from tests.support.secure.certificates import Authority, Pair


def handshake(server: Callable[[socket.socket], None], client: ssl.SSLContext) -> Exception | None:
    """Return what a client's handshake, and listening after it, raise."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.settimeout(10)
    thread = threading.Thread(target=server, args=(theirs,))
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname="127.0.0.1") as talking:
            talking.recv(1)  # a refusal of our certificate comes after the handshake
    except OSError as exc:
        return exc
    finally:
        ours.close()
        thread.join()
        theirs.close()
    return None


def shows(pair: Pair, asks_for: Path | None = None) -> Callable[[socket.socket], None]:
    """A server with a certificate."""

    def serve(end: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        if asks_for is not None:
            context.load_verify_locations(asks_for)
            context.verify_mode = ssl.CERT_REQUIRED
        try:
            with context.wrap_socket(end, server_side=True) as talking:
                talking.sendall(b"x")
        except OSError:
            return

    return serve


def says(words: bytes) -> Callable[[socket.socket], None]:
    """A server that speaks no TLS, or hangs up."""

    def serve(end: socket.socket) -> None:
        end.recv(10)
        end.sendall(words)
        end.close()

    return serve


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def trusting(authority: Authority, **more: object) -> ssl.SSLContext:
    given = TlsSettings.model_validate({"ca_file": authority.file} | more)
    return tls_context(given, "kafka")


def test_a_server_that_is_known_is_no_refusal(authority: Authority) -> None:
    assert handshake(shows(authority.vouch("server")), trusting(authority)) is None


def test_refusals_are_told_in_words(authority: Authority, tmp_path: Path) -> None:
    client, other = trusting(authority), Authority(tmp_path, "other")
    cases: list[tuple[Callable[[socket.socket], None], str]] = [
        (shows(authority.vouch("a", expired=True)), "its certificate has expired"),
        (shows(authority.vouch("b", host="127.0.0.9")), "for another name"),
        (shows(other.vouch("c")), "authority that is not trusted"),
        (shows(authority.vouch("d"), authority.file), "it refuses us in the TLS handshake"),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "it does not speak TLS at this address"),
    ]
    for server, words in cases:
        error = handshake(server, client)
        assert error is not None
        assert words in (tls_refusal(error) or ""), error


def test_a_connection_that_is_cut_is_no_refusal(authority: Authority) -> None:
    error = handshake(says(b""), trusting(authority))

    assert error is not None
    assert tls_refusal(error) is None
    assert tls_refusal(ConnectionResetError(104, "reset")) is None
    assert tls_refusal(TimeoutError()) is None


def test_a_reason_is_found_under_what_drivers_wrap_it_in(authority: Authority) -> None:
    error = handshake(shows(authority.vouch("a", expired=True)), trusting(authority))
    assert error is not None
    wrapped = RuntimeError("deep down", error)
    outer = ConnectionError("no connection")
    outer.__cause__ = wrapped
    error.__context__ = outer  # a circle, as drivers make them too

    assert "has expired" in (tls_refusal(outer) or "")


def test_certificates_are_verified_whatever_is_set(authority: Authority) -> None:
    context = trusting(authority, check_hostname=False)

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls_context(TlsSettings(), "kafka").verify_mode is ssl.CERT_REQUIRED


class SaslAuthenticateRequest_v1:  # noqa: N801 - named as the driver's
    """Writes what it holds, as the driver's does."""

    def __repr__(self) -> str:
        return "SaslAuthenticateRequest_v1(b'hush')"


def test_a_proof_in_the_drivers_log_is_its_type_alone() -> None:
    def line(*args: object) -> str:
        text = "Request %d: %s"
        record = logging.LogRecord("aiokafka.conn", logging.DEBUG, "f", 1, text, args, None)
        assert without_proofs(record)
        return record.getMessage()

    assert line(3, SaslAuthenticateRequest_v1()) == "Request 3: SaslAuthenticateRequest_v1"
    assert line(4, [1, 2]) == "Request 4: [1, 2]"


def test_a_plain_broker_gets_no_credentials() -> None:
    assert credentials(KafkaSettings()) == {"security_protocol": "PLAINTEXT"}
