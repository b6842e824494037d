"""How the supervisor tells that a process it started is of use."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Protocol

import httpx

from deploy.local.programs import LOOPBACK

CHECK_TIMEOUT_S = 2.0
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Loopback is plain HTTP; httpx would else read all certificate authorities for each client."""


class HealthCheck(Protocol):
    """Asks a process whether it can be used."""

    async def why_not(self) -> str | None:
        """Return none when it can be used, else the reason in a few words. Never raises."""


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """Passes when a loopback port accepts connections."""

    port: int

    async def why_not(self) -> str | None:
        """Return none when the port accepts a connection."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                _, writer = await asyncio.open_connection(LOOPBACK, self.port)
        except (OSError, TimeoutError):
            return f"nothing listens on {LOOPBACK}:{self.port}"
        writer.close()
        return None


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """Passes when a URL answers with a 2xx status."""

    url: str

    async def why_not(self) -> str | None:
        """Return none on a 2xx answer, else what came instead."""
        try:
            # trust_env off: a proxy of the user's has no business between us and loopback
            async with httpx.AsyncClient(
                timeout=CHECK_TIMEOUT_S, trust_env=False, verify=NO_AUTHORITIES
            ) as client:
                answer = await client.get(self.url)
        except httpx.HTTPError as exc:
            return f"{self.url} does not answer ({type(exc).__name__})"
        if answer.is_success:
            return None
        return f"{self.url} answers {answer.status_code}: {answer.text[:300]}"
