"""TLS: what a client needs to speak it, and why a handshake failed.

Certificates are always verified. A server that cannot prove who it is, or that refuses who we are,
will answer the same again: those are refusals. A handshake that is cut is a connection that failed,
and is tried again.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from common.errors import SettingsError
from common.settings import TlsSettings, variable_name

CUT: Final = frozenset({"UNEXPECTED_EOF_WHILE_READING", "SSLV3_ALERT_CLOSE_NOTIFY"})
"""OpenSSL's reasons that say that the connection ended, and nothing of certificates."""

EXPIRED: Final = 10
NOT_YET_VALID: Final = 9
WRONG_NAME: Final = frozenset({62, 63, 64})
UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's codes of verification (X509_V_ERR_*)."""


def tls_context(settings: TlsSettings, group: str) -> ssl.SSLContext:
    """Return what a client verifies a server with, and shows of itself.

    Args:
        settings: Files and passwords.
        group: Where they stand in all settings, such as ``kafka``, for messages.

    Raises:
        SettingsError: If a file is missing or is not what it should be. Names the variable.
    """
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the authorities of the system are out
        _read(variable_name((group, "tls", "ca_file")), settings.ca_file)
        try:
            context.load_verify_locations(cafile=settings.ca_file)
        except ssl.SSLError as exc:
            raise SettingsError(
                f"{variable_name((group, 'tls', 'ca_file'))} names {settings.ca_file}, which "
                "holds no certificate in PEM form."
            ) from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = settings.check_hostname
    if settings.cert_file is not None:
        _show(context, settings, settings.cert_file, group)
    return context


def _show(context: ssl.SSLContext, settings: TlsSettings, cert: Path, group: str) -> None:
    _read(variable_name((group, "tls", "cert_file")), cert)
    if settings.key_file is not None:
        _read(variable_name((group, "tls", "key_file")), settings.key_file)
    try:
        # always a function: without one OpenSSL would ask for a password at the terminal
        context.load_cert_chain(cert, settings.key_file, settings.key_password.get_secret_value)
    except (ssl.SSLError, ValueError) as exc:
        raise SettingsError(
            f"{variable_name((group, 'tls', 'cert_file'))} names {cert}, which cannot be used with "
            "its key: they do not belong together, are not in PEM form, or "
            f"{variable_name((group, 'tls', 'key_password'))} is wrong."
        ) from exc


def _read(variable: str, file: Path) -> None:
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as exc:
        raise SettingsError(
            f"{variable} names {file}, which cannot be read: {exc.strerror}."
        ) from exc


def tls_refusal(error: BaseException) -> str | None:
    """Return why TLS will never work like this, in words; none if that is not what failed.

    Args:
        error: What a client raised. What it was caused by counts too: drivers wrap.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _unproven(cause)
        if isinstance(cause, ssl.SSLError) and cause.reason and cause.reason not in CUT:
            return _refused(cause.reason)
    return None


def _unproven(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code == EXPIRED:
        return "its certificate has expired; whoever runs the server must renew it"
    if code == NOT_YET_VALID:
        return "its certificate is not valid yet; compare the clocks"
    if code in WRONG_NAME:
        return (
            "its certificate is for another name (TLS__CHECK_HOSTNAME=false accepts it): "
            f"{error.verify_message.rstrip('.')}"
        )
    if code in UNKNOWN_AUTHORITY:
        return (
            "its certificate is from an authority that is not trusted here; TLS__CA_FILE names "
            f"those that are ({error.verify_message})"
        )
    return f"its certificate cannot be verified: {error.verify_message or error.reason}"


def _refused(reason: str) -> str:
    words = reason.replace("_", " ").lower()
    if "ALERT" in reason:
        return (
            f"it refuses us in the TLS handshake ({words}); TLS__CERT_FILE names the certificate "
            "that we show"
        )
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return f"it does not speak TLS at this address ({words})"
    return f"the TLS handshake failed ({words})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all it was caused by, or wraps, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        wrapped = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting += [each for each in wrapped if isinstance(each, BaseException)]
