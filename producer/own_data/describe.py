"""Writes findings as a machine type's TOML file, with comments that teach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from common.machines.machine import Channel, Condition, MachineType
from common.terminal.printable import one_line
from producer.own_data.findings import ColumnFinding, Findings

ESCAPED: Final = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029]')

HEAD: Final = """\
# The machine type {name}: what such a machine reports. `surgeline init` wrote this from
# {source}, {rows:,} readings of {assets}.
#
# It is a proposal. Read it, put in what you know, and delete what you do not want; then ask how
# much of your data could be scored: `surgeline check --machine THIS FILE`. docs/machines.md
# explains every entry.
"""

STEP_TIME: Final = """
# What one reading counts. Your source does not count, so the time does: a reading belongs to the
# tick of interval_s (s) that its time is nearest to. Of two readings of one tick the first counts.
"""

STEP_COUNTER: Final = """
# What one reading counts. `clock = "counter"`: the source says the number of each reading. With
# readings at steady times, `clock = "time"` and `interval_s = 60.0` (s) count by the time instead.
"""

WINDOW: Final = """
# A model looks at so many readings in a row; half of your readings have {stretch:,} or more in a
# row without a gap. After each longer gap, so many pass before the next score.
"""

TOLERANCE: Final = "how far a time may be from its tick, as a part of interval_s; 0.5 allows any"

CONDITIONS: Final = """
# How the machine is run: a model judges each reading among those that were run alike (nearer than
# `tolerance`). A condition is told to the machine, not measured: if one of these is measured, make
# it a [[channel]] without `tolerance`.
"""

CHANNELS: Final = """
# What is measured. A value below `lowest` or above `highest` is taken for a broken sensor, and its
# reading is refused. So the limits proposed are wide: 3 ranges beyond all that was seen, and five
# times the largest value; 0 is well within. You know better ones: what the sensor can show at most.
# For `max_hold` steps the last value stands in for one that is missing, while conditions stay as
# they are; 0 for never.
# `used = false`: models do not look at it.
"""


def describe(findings: Findings) -> str:
    """Return the machine type as TOML, which reads back as exactly the same."""
    return "".join(_parts(findings))


def quoted(text: str) -> str:
    r"""Return a text as a TOML string.

    Example:
        >>> print(quoted('5" pipe'))
        "5\" pipe"
    """
    return f'"{ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return f"\\{character}" if character in '"\\' else f"\\u{ord(character):04x}"


def _parts(findings: Findings) -> Iterator[str]:
    machine = findings.machine
    count = len(findings.assets)
    yield HEAD.format(
        name=one_line(machine.name),
        source=one_line(machine.source),
        rows=findings.rows,
        assets=f"{count:,} {'asset' if count == 1 else 'assets'}",
    )
    yield from _not_measured(findings.columns)
    yield f"\nname = {quoted(machine.name)}\n"
    yield f"title = {quoted(machine.title)}  # for people\n"
    yield f"source = {quoted(machine.source)}\n"
    yield from _step(machine)
    yield WINDOW.format(stretch=findings.stretch)
    yield f"[window]\nlength = {machine.window.length}\n"
    found = {each.name: each for each in findings.columns}
    if machine.conditions:
        yield CONDITIONS
    for condition in machine.conditions:
        yield from _condition(condition, found[condition.name])
    yield CHANNELS
    for channel in machine.channels:
        yield from _channel(channel, found[channel.name])


def _not_measured(columns: tuple[ColumnFinding, ...]) -> Iterator[str]:
    others = [each for each in columns if each.decision not in ("condition", "channel", "not used")]
    if others:
        yield "#\n# Columns that are no part of it:\n"
    for each in others:
        why = f", {one_line(each.why)}" if each.why else ""
        yield f"#   {one_line(each.name)}: {each.decision}{why}\n"


def _step(machine: MachineType) -> Iterator[str]:
    step = machine.step
    yield STEP_TIME if step.clock == "time" else STEP_COUNTER
    yield f"[step]\nword = {quoted(step.word)}  # what screens call it\n"
    yield f"clock = {quoted(step.clock)}\n"
    if step.interval_s is not None:
        yield f"interval_s = {step.interval_s!r}\n"
        yield f"tolerance = {step.tolerance!r}  # {TOLERANCE}\n"


def _condition(condition: Condition, finding: ColumnFinding) -> Iterator[str]:
    yield f"\n[[condition]]\nname = {quoted(condition.name)}\n"
    yield f"meaning = {quoted(condition.meaning)}\nunit = {quoted(condition.unit)}\n"
    yield f"tolerance = {condition.tolerance!r}  # {one_line(finding.why)}\n"


def _channel(channel: Channel, finding: ColumnFinding) -> Iterator[str]:
    yield f"\n[[channel]]\nname = {quoted(channel.name)}\n"
    yield f"meaning = {quoted(channel.meaning)}\nunit = {quoted(channel.unit)}\n"
    seen = "" if finding.seen is None else f"seen: {finding.seen[0]:g} to {finding.seen[1]:g}"
    if finding.why:
        seen += f"; {one_line(finding.why)}"
    if channel.lowest is not None and channel.highest is not None:
        yield f"lowest = {channel.lowest!r}  # {seen}\nhighest = {channel.highest!r}\n"
    else:
        yield f"# no limits proposed; {seen}\n"
    if not channel.used:
        yield "used = false\n"
    yield f"max_hold = {channel.max_hold}\n"
