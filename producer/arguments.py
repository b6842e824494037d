"""What a user types for a replay, made into values. Pure; every mistake is one clear line."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from common.errors import UserError
from common.records.ids import ID_PATTERN, SIMULATED_PREFIX
from common.records.run_names import replay_run_id
from common.records.times import moment_of
from producer.pacing import Pace

MAX_FACTOR: Final = 1e6
"""Highest speed factor; beyond it `max` is meant."""

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|min|m|h|d)", re.ASCII)
_SECONDS: Final = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}


def parse_speed(text: str) -> Pace:
    """Return the pace meant by ``60x``, ``0.5x``, ``60`` or ``max``.

    Raises:
        UserError: If it is none of these, or not above 0 and at most a million.
    """
    cleaned = text.strip().lower()
    if cleaned == "max":
        return Pace(None)
    try:
        factor = float(cleaned.removesuffix("x"))
    except ValueError:
        factor = math.nan
    if not 0.0 < factor <= MAX_FACTOR:
        raise UserError(
            f"Speed {text!r} came; expected `max`, or a factor such as 60x (60 times as fast as "
            f"the timestamps; above 0, at most {MAX_FACTOR:.0f}x)."
        )
    return Pace(factor)


def parse_start(text: str, now: datetime) -> datetime:
    """Return the timestamp meant by RFC 3339 text, or ``now``; in UTC.

    Raises:
        UserError: If it is no date and time, or has no time zone.
    """
    if text.strip().lower() == "now":
        return now.astimezone(UTC).replace(microsecond=0)
    try:
        return moment_of(text)
    except ValueError as exc:
        raise UserError(
            f"Start {text!r} came; expected a date and time with its zone, such as "
            "2026-01-01T00:00:00Z, or `now`."
        ) from exc


def parse_duration(text: str) -> timedelta:
    """Return the time span meant by text such as ``1s``, ``250ms``, ``1.5m`` or ``1h``.

    Raises:
        UserError: If it is none, or shorter than a microsecond, or longer than a year.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else math.nan
    if not 1e-6 <= seconds <= 366 * 86400:
        raise UserError(
            f"Cycle interval {text!r} came; expected a number with a unit (us, ms, s, m, h, d), "
            "such as 1s, from 1us to a year."
        )
    return timedelta(seconds=seconds)


def format_duration(span: timedelta) -> str:
    """Return a time span as text that :func:`parse_duration` reads back.

    Example:
        >>> format_duration(timedelta(milliseconds=250))
        '0.25s'
    """
    microseconds = span // timedelta(microseconds=1)
    if microseconds % 1_000_000 == 0:
        return f"{microseconds // 1_000_000}s"
    return f"{microseconds / 1e6:.6f}".rstrip("0") + "s"


def resolve_run_id(
    given: str | None, dataset: str, split: str, *, simulated: bool, now: datetime
) -> str:
    """Return the run id of a replay.

    Args:
        given: The user's; none makes a new one from the time, to the millisecond.
        dataset: Name of the data set.
        split: Its split.
        simulated: Whether the data come from the simulator: the id then says so.
        now: The current time.

    Raises:
        UserError: If the id has other characters than ids may have, or claims to be simulated when
            it is not.

    Example:
        >>> moment = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)
        >>> resolve_run_id(None, "FD001", "test", simulated=False, now=moment)
        'FD001-test-20260701T123000000Z'
        >>> resolve_run_id("mine", "SIM", "test", simulated=True, now=moment)
        'simulated-mine'
    """
    utc = now.astimezone(UTC)
    stamp = f"{utc:%Y%m%dT%H%M%S}{utc.microsecond // 1000:03d}Z"
    run_id = replay_run_id(dataset, split, stamp) if given is None else given
    if simulated and not run_id.startswith(SIMULATED_PREFIX):
        run_id = f"{SIMULATED_PREFIX}-{run_id}"
    if not simulated and run_id.startswith(SIMULATED_PREFIX):
        raise UserError(
            f"Run id {run_id!r} came for recorded data; ids that start with {SIMULATED_PREFIX!r} "
            "are kept for the simulator. Choose another."
        )
    if not re.fullmatch(ID_PATTERN, run_id):
        raise UserError(
            f"Run id {run_id!r} came; expected letters, digits and . _ : - (first a letter or "
            "digit), at most 128."
        )
    return run_id
