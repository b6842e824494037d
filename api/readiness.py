"""Asks everything the api leans on, at once, each with a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from api.views.system import Dependency, Readiness
from common.clock import Clock
from common.errors import NotKnownError, SurgelineError


@dataclass(frozen=True, slots=True)
class Check:
    """One question.

    Attributes:
        ping: Returns when all is well; raises an error of ours with why not.
        needed: Whether the api is not ready without it.
    """

    ping: Callable[[], Awaitable[None]]
    needed: bool


async def ask(checks: Mapping[str, Check], clock: Clock, timeout_s: float) -> Readiness:
    """Return how everything is; takes ``timeout_s`` at most."""
    answers = await asyncio.gather(
        *(_ask_one(check, clock, timeout_s) for check in checks.values())
    )
    dependencies = dict(zip(checks, answers, strict=True))
    down = [answer for answer in answers if not answer.ok]
    if any(answer.needed for answer in down):
        return Readiness(status="not_ready", dependencies=dependencies)
    return Readiness(status="degraded" if down else "ready", dependencies=dependencies)


async def reading_stopped(group: Check, detector: Check, timeout_s: float) -> str:
    """Return why readings are not being read, or nothing where they are.

    Args:
        group: The group of all workers, which tells.
        detector: The one worker that is asked where nobody knows of the group.
        timeout_s: Longest wait for each, s.
    """
    for check in (group, detector):
        try:
            async with asyncio.timeout(timeout_s):
                await check.ping()
        except NotKnownError:
            continue
        except TimeoutError:
            return f"no answer within {timeout_s:g} s"
        except SurgelineError as exc:
            return str(exc)
        return ""
    return "nobody can say whether the detector reads"


async def _ask_one(check: Check, clock: Clock, timeout_s: float) -> Dependency:
    began = clock.monotonic()
    error: str | None = None
    try:
        async with asyncio.timeout(timeout_s):
            await check.ping()
    except TimeoutError:
        error = f"no answer within {timeout_s:g} s"
    except SurgelineError as exc:
        error = str(exc)
    latency_ms = round((clock.monotonic() - began) * 1000, 1)
    return Dependency(ok=error is None, needed=check.needed, latency_ms=latency_ms, error=error)
