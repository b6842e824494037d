"""A demo over servers that run already, as the settings name them: `surgeline demo --running`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from common.clock import Clock
from common.errors import StackError
from common.settings import Settings
from deploy.demo.measuring import RunningStack
from deploy.local.health import NO_AUTHORITIES

READY_WAIT_S: Final = 120.0
POLL_S: Final = 0.5
TIMEOUT_S: Final = 5.0
WHERE_TO_LOOK: Final = "Look at the detectors: /ready of each, and their logs."


def running_stack(settings: Settings, environ: Mapping[str, str], var_dir: Path) -> RunningStack:
    """Return the stack that the settings name, as a demo sees it.

    Args:
        settings: As read from ``environ``.
        environ: The user's environment.
        var_dir: Folder for the producer's log; made if it is not there.
    """
    var_dir.mkdir(parents=True, exist_ok=True)
    url = httpx.URL(settings.api.detector_url)

    async def pages() -> Sequence[str]:
        return await metrics_pages(url)

    return RunningStack(environ, pages, var_dir / "replay.log", WHERE_TO_LOOK, ready_s=None)


async def until_ready(settings: Settings, clock: Clock, wait_s: float = READY_WAIT_S) -> None:
    """Return when every detector that answers at its name is ready.

    Raises:
        StackError: If that is not so in time; says what they answered last.
    """
    url = httpx.URL(settings.api.detector_url)
    until = clock.monotonic() + wait_s
    while True:
        try:
            for _, answer in await _ask(url, "/ready"):
                answer.raise_for_status()
        except (httpx.HTTPError, OSError) as exc:
            if clock.monotonic() >= until:
                raise StackError(
                    f"No detector is ready at {url} after {wait_s:g} s: {exc}. {WHERE_TO_LOOK}"
                ) from exc
        else:
            return
        await clock.sleep(POLL_S)


async def metrics_pages(url: httpx.URL) -> Sequence[str]:
    """Return ``/metrics`` of every worker that answers at a name, each address once.

    Raises:
        StackError: If one does not answer.
    """
    try:
        answers = await _ask(url, "/metrics")
        return [answer.raise_for_status().text for _, answer in answers]
    except (httpx.HTTPError, OSError) as exc:
        raise StackError(f"{url}/metrics does not answer: {exc}. {WHERE_TO_LOOK}") from exc


async def _ask(url: httpx.URL, path: str) -> list[tuple[str, httpx.Response]]:
    """Ask a page of every address of a host: `docker compose` gives each worker one."""
    port = url.port or (443 if url.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(
        url.host, port, family=socket.AF_INET, type=socket.SOCK_STREAM
    )
    addresses = sorted({str(entry[4][0]) for entry in found})
    verify: ssl.SSLContext | bool = True if url.scheme == "https" else NO_AUTHORITIES
    async with httpx.AsyncClient(trust_env=False, verify=verify, timeout=TIMEOUT_S) as client:
        return [
            (address, await client.get(url.copy_with(host=address, path=path)))
            for address in addresses
        ]
