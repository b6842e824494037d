"""TLS to InfluxDB, the same for reading, writing and making buckets."""

from __future__ import annotations

import ssl

from common.settings import ScoreStoreSettings
from common.tls import tls_context


def influx_tls(settings: ScoreStoreSettings, url: str) -> ssl.SSLContext | None:
    """Return what a client verifies the server with; none where the address is not encrypted.

    Raises:
        SettingsError: If a certificate or key cannot be used.
    """
    return tls_context(settings.tls, "scores") if url.startswith("https://") else None
