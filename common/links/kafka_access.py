"""How we connect to the broker, and why it would not let us in.

aiokafka tells only in its log why it could not connect: whoever asks gets "unable to bootstrap". So
after a failure :func:`refusal` connects once more, by itself, and looks.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    IncompatibleBrokerVersion,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from common.errors import BackendRefusedError
from common.settings import KafkaSettings
from common.tls import tls_context, tls_refusal

LOOK_S: Final = 5.0
"""Longest look at one address, s."""


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """Return the arguments with which every client of aiokafka connects.

    Raises:
        SettingsError: If a certificate or key cannot be used.
    """
    return {
        "bootstrap_servers": settings.bootstrap_servers,
        "request_timeout_ms": int(settings.op_timeout_s * 1000),
        **credentials(settings),
    }


def credentials(settings: KafkaSettings) -> dict[str, Any]:
    """Return the part of it that says who the broker is, and who we are.

    Raises:
        SettingsError: If a certificate or key cannot be used.
    """
    given: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if settings.uses_tls:
        given["ssl_context"] = tls_context(settings.tls, "kafka")
    if settings.uses_sasl:
        given["sasl_mechanism"] = settings.sasl_mechanism
        given["sasl_plain_username"] = settings.sasl_username
        given["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    return given


async def refusal(settings: KafkaSettings) -> BackendRefusedError | None:
    """Return why the broker will not let us in as we are set; none if that is not the trouble.

    Connects to one address after the other until one lets us in. One that refuses counts only if
    none does: the others of a cluster serve meanwhile.
    """
    refused: BackendRefusedError | None = None
    for host, port, _ in collect_hosts(settings.bootstrap_servers):
        try:
            looking = await create_conn(
                host,
                port,
                request_timeout_ms=int(min(LOOK_S, settings.op_timeout_s) * 1000),
                **credentials(settings),
            )
        except (KafkaError, OSError, TimeoutError, ValueError) as exc:
            why = _why(exc, settings)
            if why is not None:
                refused = BackendRefusedError(
                    f"No connection to the broker at {host}:{port}: {why}."
                )
        else:
            await looking.close()
            return None
    return refused


def _why(error: BaseException, settings: KafkaSettings) -> str | None:
    if (refused := tls_refusal(error)) is not None:  # some of these are ValueErrors too
        return refused
    match error:
        case SaslAuthenticationFailed():
            return (
                f"it does not know the user {settings.sasl_username!r} with this password "
                f"({settings.sasl_mechanism}); check SURGELINE_KAFKA__SASL_USERNAME and "
                "SURGELINE_KAFKA__SASL_PASSWORD"
            )
        case UnsupportedSaslMechanismError():
            return (
                f"it does not offer {settings.sasl_mechanism}; set SURGELINE_KAFKA__SASL_MECHANISM"
            )
        case IllegalSaslStateError() | IncompatibleBrokerVersion():
            return "it takes no password; set SURGELINE_KAFKA__SECURITY_PROTOCOL"
        case ValueError() if settings.uses_sasl and not isinstance(error, UnicodeError):
            return "it does not prove that it knows our password, as SCRAM asks of it"
    return None
