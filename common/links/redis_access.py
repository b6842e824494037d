"""How we connect to Redis: as which user, and over TLS or not."""

from __future__ import annotations

from typing import Any

from common.settings import RedisSettings
from common.tls import tls_context


def redis_access(settings: RedisSettings) -> dict[str, Any]:
    """Return the arguments of redis-py, also for a cluster, that the URL does not say.

    redis-py trusts the authorities of the system beside those that are named.

    Raises:
        SettingsError: If a certificate or key cannot be used.
    """
    given: dict[str, Any] = {}
    if settings.username:
        given["username"] = settings.username
    if password := settings.password.get_secret_value():
        given["password"] = password
    if settings.url.get_secret_value().startswith("rediss://"):
        tls = settings.tls
        tls_context(tls, "redis")  # redis-py makes its own later on; what is wrong, now
        given["ssl_check_hostname"] = tls.check_hostname
        files = {
            "ssl_ca_certs": tls.ca_file,
            "ssl_certfile": tls.cert_file,
            "ssl_keyfile": tls.key_file,
        }
        given |= {name: str(file) for name, file in files.items() if file is not None}
        if key_password := tls.key_password.get_secret_value():
            given["ssl_password"] = key_password
    return given
