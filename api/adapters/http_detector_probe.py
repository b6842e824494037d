"""Asks the detector over HTTP whether it is ready."""

from __future__ import annotations

import httpx

from common.errors import BackendUnavailableError

MAX_REASON_CHARS = 300


class HttpDetectorProbe:
    """Reads ``/ready`` of the detector.

    Args:
        client: Owned by the composition root, with its time limit.
        url: Base URL of the detector.
    """

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/")

    async def ping(self) -> None:
        """Return when it says 200; raise with its own words otherwise."""
        try:
            response = await self._client.get(f"{self._url}/ready")
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            why = str(exc) or type(exc).__name__
            raise BackendUnavailableError(f"no answer from {self._url}/ready: {why}") from exc
        if response.status_code != httpx.codes.OK:
            raise BackendUnavailableError(
                f"{self._url}/ready says {response.status_code}: {response.text[:MAX_REASON_CHARS]}"
            )
