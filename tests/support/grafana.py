"""What Grafana does to a query before it asks: variables and macros filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

ALL = ".*"
"""What queries see where all is chosen: our variables say so themselves, and it is not escaped."""


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody looks at a board.

    Attributes:
        since: Start of the time range.
        until: Its end.
        interval_s: What Grafana makes of ``$__interval``, s.
        chosen: Values of the variables.
    """

    since: datetime
    until: datetime
    interval_s: int
    chosen: Mapping[str, str]


def filled(text: str, source_type: str, look: Look) -> str:
    """Return a query as the data source gets it.

    Raises:
        ValueError: If it uses a variable that is not chosen, or a macro nobody knows.
    """
    match source_type:
        case "influxdb":
            text = _influx_macros(text, look)
        case "prometheus":
            text = _prometheus_macros(text, look)
        case "postgres":
            text = _sql_macros(text, look)
        case _:
            raise ValueError(f"{source_type} came; influxdb, prometheus or postgres was expected")
    text = re.sub(
        r"\$\{(\w+)(?::(\w+))?\}", lambda m: _value(m[1], m[2] or "", source_type, look), text
    )
    text = re.sub(r"\$([A-Za-z]\w*)", lambda m: _value(m[1], "", source_type, look), text)
    if left := re.search(r"\$(\w+|\{[^}]*\})", text):
        raise ValueError(f"{left[0]} is left in {text}")
    return text


def regex_escaped(value: str) -> str:
    r"""Return a value as ``:regex`` writes it.

    Example:
        >>> print(regex_escaped("a.b/c-1"))
        a\.b\/c-1
    """
    return re.sub(r"[\\^$*+?.()|\[\]{}/]", lambda m: "\\" + m[0], value)


def _value(name: str, format: str, source_type: str, look: Look) -> str:
    if name not in look.chosen:
        raise ValueError(f"${name}: no such variable; there are {sorted(look.chosen)}")
    value = look.chosen[name]
    if value == ALL or format == "raw":
        return value
    if format == "regex":
        return regex_escaped(value)
    if format:
        raise ValueError(f"the format {format} is not known here")
    if source_type == "prometheus":  # a string in PromQL has escapes of its own
        return regex_escaped(value).replace("\\", "\\\\")
    raise ValueError(f"${name}: say :raw or :regex")


def _influx_macros(text: str, look: Look) -> str:
    since, until = (int(each.timestamp() * 1000) for each in (look.since, look.until))
    text = text.replace("$timeFilter", f"time >= {since}ms and time <= {until}ms")
    return text.replace("$__interval", f"{look.interval_s}s")


def _prometheus_macros(text: str, look: Look) -> str:
    text = text.replace("$__rate_interval", f"{4 * look.interval_s}s")
    return text.replace("$__interval", f"{look.interval_s}s")


def _sql_macros(text: str, look: Look) -> str:
    since, until = (
        each.astimezone(UTC).strftime("'%Y-%m-%dT%H:%M:%SZ'") for each in (look.since, look.until)
    )
    text = re.sub(r"\$__timeFilter\(([\w.]+)\)", rf"\1 BETWEEN {since} AND {until}", text)
    group = rf"floor(extract(epoch from \1)/{look.interval_s})*{look.interval_s} AS " + '"time"'
    return re.sub(r"\$__timeGroupAlias\(([\w.]+), *\$__interval\)", group, text)
