"""How long a bucket keeps its points, as InfluxQL tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_PART: Final = re.compile(r"(\d+)([hms])")
_SECONDS: Final = {"h": 3600, "m": 60, "s": 1}


def name(identifier: str) -> str:
    r"""Return an InfluxQL identifier, quoted.

    Example:
        >>> print(name('plant "1"'))
        "plant \"1\""
    """
    escaped = identifier.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def show_policies(bucket: str) -> str:
    """Return the statement that lists what a bucket keeps and for how long."""
    return f"SHOW RETENTION POLICIES ON {name(bucket)}"


def policies_of(series: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the policies in the answer to :func:`show_policies`."""
    return [dict(zip(one["columns"], row, strict=True)) for one in series for row in one["values"]]


def kept_seconds(series: Sequence[Mapping[str, Any]]) -> int | None:
    """Return how long the default policy keeps points, s; none where for ever."""
    for policy in policies_of(series):
        if policy["default"]:
            return seconds_of(policy["duration"]) or None
    return None


def seconds_of(duration: str) -> int:
    """Return a duration as the server writes it, s; 0 is for ever.

    Example:
        >>> seconds_of("2160h0m0s")
        7776000
    """
    return sum(int(count) * _SECONDS[unit] for count, unit in _PART.findall(duration))
