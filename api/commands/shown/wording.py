"""How the commands name levels, channels and steps: in words where the machine type is known.

Only words and tables; the commands ask and print.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from api.views.machines import FleetView
from common.terminal.printable import one_line

TOP_CHANNELS: Final = 3
"""How many channels of an alert or a score are named; the api's answer has all."""

PLAIN_STEP: Final = "cycle"

STYLES: Final = {"critical": "bold red", "warning": "yellow", "none": ""}
TIMES: Final = "\u00d7"
"""Behind a severity: so many times its warning threshold."""

WIDE: Final = 100
"""Cells from which on a terminal has room for shares."""

ARROWS: Final = {"high": "↑", "low": "↓"}

EVIDENCE: Final = {
    "degradation": "many channels, a little each",
    "channel": "one channel, much",
    "frozen": "a channel does not move",
    "life": "little life is left",
    "silent": "no reading came in time",
    "unscored": "readings came, and no score in time",
}

Entry = tuple[str, str, str, str]
"""Fleet, name, meaning and unit of a channel."""


def step_heading(steps: Iterable[str]) -> str:
    """Return the heading of a column of cycles: the machines' own word, if it is the same for all.

    Example:
        >>> step_heading(["minute", "minute"]), step_heading(["minute", "cycle"])
        ('minute', 'cycle')
    """
    words = set(steps)
    return one_line(words.pop()) if len(words) == 1 else PLAIN_STEP


def in_words(name: str, meaning: str, unit: str) -> str:
    """Return a channel's name with its meaning and unit, as far as there are any.

    Example:
        >>> in_words("T50", "total temperature at LPT outlet", "°R")
        'T50 (total temperature at LPT outlet, °R)'
        >>> in_words("T50", "", "")
        'T50'
    """
    told = ", ".join(one_line(part) for part in (meaning, unit) if part)
    return f"{one_line(name)} ({told})" if told else one_line(name)


def left(life: Mapping[str, Any] | None) -> str:
    """Return how long is left, in steps; empty where nobody knows.

    Args:
        life: ``low``, ``high`` and perhaps ``at_least``: then nothing is known of the other end.

    Example:
        >>> left({"low": 40.2, "high": 84.6}), left({"low": 81.0, "high": 125.0, "at_least": True})
        ('40-85', 'over 81')
    """
    if life is None:
        return ""
    if life.get("at_least"):
        return f"over {life['low']:.0f}"
    return f"{life['low']:.0f}-{life['high']:.0f}"


def top(channels: Iterable[Mapping[str, Any]], *, words: bool = False) -> str:
    """Return the first channels with their direction and share.

    Args:
        channels: As in an alert: ``name``, ``share``, ``direction`` and perhaps ``meaning`` and
            ``unit``; largest share first. A score's have no direction.
        words: Whether to say meaning and unit, too.
    """
    return ", ".join(
        " ".join(
            filter(
                None,
                (
                    in_words(each["name"], each.get("meaning", ""), each.get("unit", ""))
                    if words
                    else one_line(each["name"]),
                    each.get("direction", ""),
                    f"{each['share']:.0%}",
                ),
            )
        )
        for each in itertools.islice(channels, TOP_CHANNELS)
    )


def arrows(channels: Iterable[Mapping[str, Any]], width: int) -> str:
    """Return the first channels, each with whether it reads high or low.

    Args:
        channels: As in an alert, the largest share first.
        width: Of the terminal: from 100 cells on each has its part of the score in percent, too.

    Example:
        >>> t50 = {"name": "T50", "share": 0.75, "direction": "high"}
        >>> arrows([t50], 80), arrows([t50], 120)
        ('T50↑', 'T50↑75')
    """
    return ", ".join(
        f"{one_line(each['name'])}{ARROWS.get(each.get('direction', ''), ' ')}"
        + (f"{each['share'] * 100:.0f}" if width >= WIDE else "")
        for each in itertools.islice(channels, TOP_CHANNELS)
    )


def arrows_legend(width: int) -> str:
    """Return what :func:`arrows` means."""
    return "↑ reads high, ↓ low" + (", and its part of the score in %" if width >= WIDE else "")


def level_cell(level: str, mark: str = "") -> Text:
    """Return a level in its colour, with a mark behind it."""
    return Text(f"{level}{mark}", STYLES.get(level, ""))


def times(severity: float | None, sign: str = TIMES) -> str:
    """Return a severity as a multiple of the warning threshold; empty if there is none.

    Example:
        >>> times(1.4142, "x"), times(81.15, "x"), times(None)
        ('1.41x', '81.2x', '')
    """
    if severity is None:
        return ""
    digits = 2 if severity < 10 else 1 if severity < 100 else 0
    return f"{severity:.{digits}f}{sign}"


def told_of_alert(alert: Mapping[str, Any], fleet: FleetView | None) -> dict[str, Any]:
    """Return an alert of the stream as the api's page has it: step, meanings and units added.

    Args:
        alert: The message of the topic.
        fleet: What is known of its fleet; none leaves it as it is.
    """
    machine = None if fleet is None else fleet.machine_type
    if machine is None:
        return dict(alert)
    names = {each.name: each for each in machine.channels}
    channels = [
        {**each, "meaning": names[each["name"]].meaning, "unit": names[each["name"]].unit}
        if each["name"] in names
        else each
        for each in alert["channels"]
    ]
    return {**alert, "step": machine.step.word, "channels": channels}


def legend_of_alerts(alerts: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """Return what the channels that a table of alerts names stand for."""
    return [
        (alert["fleet"], each["name"], each["meaning"], each["unit"])
        for alert in alerts
        for each in alert["channels"][:TOP_CHANNELS]
    ]


def legend_of_scores(
    named: Iterable[tuple[str, str]], legend: Mapping[str, Mapping[str, Any]]
) -> list[Entry]:
    """Return what the channels that a table of scores names stand for.

    Args:
        named: Fleet and channel.
        legend: The page's.
    """
    return [
        (fleet, name, words["meaning"], words["unit"])
        for fleet, name in named
        if (words := legend.get(fleet, {}).get("channels", {}).get(name))
    ]


def legend_table(entries: Iterable[Entry]) -> Table | None:
    """Return a table of channels, each once, in the order they were first named.

    None where nothing is known of any. Fleets have a column where they call different things alike.
    """
    known = list(dict.fromkeys(each for each in entries if each[2] or each[3]))
    if not known:
        return None
    plain = list(dict.fromkeys(each[1:] for each in known))
    by_fleet = len({name for name, *_ in plain}) < len(plain)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in (*(("fleet",) if by_fleet else ()), "channel", "meaning", "unit"):
        table.add_column(heading)
    for row in known if by_fleet else plain:
        table.add_row(*map(one_line, row))
    return table
