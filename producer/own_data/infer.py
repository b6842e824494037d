"""Decides what a table's columns are, and how often its readings come: tables to a machine type."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.machines.machine import (
    MAX_CHANNELS,
    Channel,
    Clock,
    Condition,
    MachineType,
    Step,
    Window,
)
from common.readers.gathering import Gathered, gather
from common.readers.roles import TIME_WORDS, Roles, looks_like_label, roles_of
from common.readers.table import Column, Table
from common.readers.ticks import ticks
from producer.own_data.cadence import find_cadence, usual_blank, usual_stretch, word_for
from producer.own_data.findings import Cadence, ColumnFinding, Findings
from producer.own_data.levels import Levels, find_levels
from producer.own_data.limits import find_limits, outlier
from producer.own_data.units import unit_of

WINDOW: Final = 30
SHORTEST_WINDOW: Final = 5
WINDOWS_A_STRETCH: Final = 3
"""A stretch without a gap is this many windows long at least, or most of it is warm-up."""

HOLD: Final = (3, 10)
"""Fewest and most steps for which a blank is proposed to be held."""

STEADY: Final = 0.5
"""Where fewer steps are near the usual one, time does not count readings."""

LONGEST_INTERVAL_S: Final = 366 * 86_400.0
MOST_CONDITIONS: Final = 4
FEWEST_RISES: Final = 50
"""A column that rises fewer times may just be slow."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A column as what it is proposed to be: exactly one of the two is there."""

    finding: ColumnFinding
    channel: Channel | None = None
    condition: Condition | None = None


def infer(
    tables: Sequence[Table], name: str, given: Roles, ignored: Collection[str] = ()
) -> Findings:
    """Return the machine type that tables come to, and why.

    Args:
        tables: At least one; of several, what the first one's columns are holds for all.
        name: What to call the machine type.
        given: Columns a person has named.
        ignored: Columns a person does not want.

    Raises:
        DatasetError: If a column that was named is not there, or nothing is measured.
    """
    for column in ignored:
        if all(table.find(column) is None for table in tables):
            tables[0].column(column)  # says which there are
    roles = roles_of(tables, given, ignored)
    gathered = gather(tables, roles)
    cadence = None
    if gathered.clock_us is not None:
        cadence = find_cadence(gathered.clock_us, gathered.assets)
    step = _step(cadence)
    cycles = _cycles(gathered, step)
    stretch = usual_stretch(cycles)
    window = Window(length=_window_length(stretch))
    every = {each.name: each for table in reversed(tables) for each in table.columns}
    names = dict.fromkeys(each.name for table in tables for each in table.columns)
    columns = [_about(every[each], gathered, roles, ignored, window.length) for each in names]
    columns = _at_most(columns)
    channels = tuple(each.channel for each in columns if each.channel is not None)
    conditions = tuple(each.condition for each in columns if each.condition is not None)
    _require_channels(channels, tables[0], columns)
    machine = MachineType(
        name=name, source=_source(tables), step=step, window=window, conditions=conditions,
        channels=channels,
    )  # fmt: skip
    return Findings(
        machine,
        tuple(each.finding for each in columns),
        roles,
        cadence,
        len(gathered),
        tuple(each.asset_id for each in gathered.assets),
        stretch,
        _remarks(gathered, cadence, step),
    )


def _step(cadence: Cadence | None) -> Step:
    if (
        cadence is None
        or cadence.steady < STEADY
        or not 1e-6 <= cadence.interval_s <= LONGEST_INTERVAL_S
    ):
        return Step(word="reading")
    clock: Clock = "time"
    return Step(word=word_for(cadence.interval_s), clock=clock, interval_s=cadence.interval_s)


def _cycles(gathered: Gathered, step: Step) -> list[NDArray[np.int64]]:
    if step.clock == "time" and gathered.clock_us is not None:
        return [np.unique(ticks(gathered.clock_us[each.rows], step)) for each in gathered.assets]
    return [np.arange(each.rows.stop - each.rows.start) for each in gathered.assets]


def _window_length(stretch: int) -> int:
    return max(SHORTEST_WINDOW, min(WINDOW, stretch // WINDOWS_A_STRETCH))


def _about(
    column: Column, gathered: Gathered, roles: Roles, ignored: Collection[str], window: int
) -> Measured:
    """Say what one column is."""
    plain = _not_measured(column, gathered, roles, ignored)
    if plain is not None:
        return Measured(plain)
    name, values = column.name, gathered.numbers(column.name)
    there = values[~np.isnan(values)]
    unit = unit_of(name)
    seen = (float(there.min()), float(there.max()))
    blank = 1 - len(there) / len(values)
    if seen[0] == seen[1]:
        finding = ColumnFinding(name, "not used", f"always {seen[0]:g}", unit, seen, blank)
        return Measured(finding, Channel(name=name, unit=unit, used=False))
    if _only_rises(values, gathered):
        told = "never falls: a total, such as hours run"
        finding = ColumnFinding(name, "not used", told, unit, seen, blank)
        return Measured(finding, Channel(name=name, unit=unit, used=False))
    levels = find_levels(name, values)
    if levels is not None and not np.isnan(values).any():
        told = f"stays on {len(levels.values)} levels: {_listed(levels)}"
        finding = ColumnFinding(name, "condition", told, unit, seen, blank)
        return Measured(
            finding, condition=Condition(name=name, unit=unit, tolerance=levels.tolerance)
        )
    return _channel(name, unit, values, seen, gathered, window)


def _only_rises(values: NDArray[np.float64], gathered: Gathered) -> bool:
    """Return whether a column never falls within an asset: no model has seen what it will show."""
    there = ~np.isnan(values)
    steps = np.concatenate(
        [np.diff(values[each.rows][there[each.rows]]) for each in gathered.assets]
    )
    return bool(np.all(steps >= 0)) and int(np.count_nonzero(steps)) >= FEWEST_RISES


def _channel(
    name: str,
    unit: str,
    values: NDArray[np.float64],
    seen: tuple[float, float],
    gathered: Gathered,
    window: int,
) -> Measured:
    usual = usual_blank(values, gathered.assets)
    hold = min(max(HOLD[0], min(usual, HOLD[1])), window)
    limits = find_limits(values)
    far = outlier(values)
    why = f"blank for {usual} readings in a row" if usual > 1 else ""
    if far is not None:
        why = f"{far:g} is far from all others: a broken sensor?"
    lowest, highest = limits or (None, None)
    return Measured(
        ColumnFinding(name, "channel", why, unit, seen, float(np.isnan(values).mean())),
        Channel(name=name, unit=unit, lowest=lowest, highest=highest, max_hold=hold),
    )


def _not_measured(
    column: Column, gathered: Gathered, roles: Roles, ignored: Collection[str]
) -> ColumnFinding | None:
    """Return the finding of a column that measures nothing; none if it does."""
    name = column.name
    if name == roles.time:
        form = gathered.clocks[0].form
        return ColumnFinding(name, "time", form if gathered.clocks[0].has_zone else f"{form}, UTC")
    if name == roles.asset:
        return ColumnFinding(name, "asset", f"{len(gathered.assets):,} assets")
    if name == roles.counter:
        return ColumnFinding(name, "counter", "whole numbers that rise within each asset")
    if name == roles.label:
        return ColumnFinding(name, "label", "a few small whole numbers, named like a label")
    why = _useless(column, gathered, ignored)
    return None if why is None else ColumnFinding(name, "left out", why)


def _useless(column: Column, gathered: Gathered, ignored: Collection[str]) -> str | None:
    if column.name in ignored:
        return "as you say"
    if looks_like_label(column):
        return "named like a label"
    if any(table.find(column.name) is None for table in gathered.tables):
        return "not in every file"
    if column.kind in ("text", "time"):
        return "holds texts" if column.kind == "text" else "another column of times"
    values = gathered.numbers(column.name)
    if np.isnan(values).all():
        return "always blank"
    steps = np.concatenate([np.diff(values[each.rows]) for each in gathered.assets])
    if steps.size > 1 and np.all(steps > 0):
        if np.array_equal(values, np.rint(values)):
            return "counts: whole numbers that always rise"
        if TIME_WORDS.search(column.name):
            return "a time that counts from a start"
    return None


def _at_most(columns: list[Measured]) -> list[Measured]:
    """Leave it at a few conditions: where many columns look like set points, none is sure."""
    conditions = [each for each in columns if each.condition is not None]
    has_channel = any(each.channel is not None and each.channel.used for each in columns)
    if len(conditions) <= MOST_CONDITIONS and has_channel:
        return columns
    return [each if each.condition is None else _as_channel(each) for each in columns]


def _as_channel(measured: Measured) -> Measured:
    old = measured.finding
    finding = ColumnFinding(old.name, "channel", old.why, old.unit, old.seen, old.blank)
    return Measured(finding, Channel(name=old.name, unit=old.unit))


def _require_channels(
    channels: Sequence[Channel], table: Table, columns: Sequence[Measured]
) -> None:
    used = sum(channel.used for channel in channels)
    if not used:
        told = ", ".join(
            f"{each.finding.name} ({each.finding.decision}"
            + (f", {each.finding.why})" if each.finding.why else ")")
            for each in columns
        )
        raise DatasetError(
            f"{table.path}: no column of numbers that change was found. Its columns: {told}. Name "
            "the columns of time and asset with --time-column and --asset-column if they were "
            "mistaken."
        )
    if len(channels) > MAX_CHANNELS:
        raise DatasetError(
            f"{table.path} has {len(channels):,} columns that measure something; at most "
            f"{MAX_CHANNELS:,} were expected. Leave some out with --ignore."
        )


def _source(tables: Sequence[Table]) -> str:
    more = f" and {len(tables) - 1} more" if len(tables) > 1 else ""
    return f"{tables[0].path.name}{more}"


def _listed(levels: Levels) -> str:
    return ", ".join(f"{value:g}" for value in levels.values)


def _remarks(gathered: Gathered, cadence: Cadence | None, step: Step) -> tuple[str, ...]:
    remarks = list(dict.fromkeys(note for table in gathered.tables for note in table.notes))
    if not all(clock.has_zone for clock in gathered.clocks):
        remarks.append("the times have no zone and are taken as UTC")
    unsorted = sum(each.out_of_order for each in gathered.assets)
    if unsorted:
        remarks.append(f"{unsorted:,} rows stood behind a later one and were sorted in")
    untimed = sum(each.without_time for each in gathered.assets)
    if untimed:
        remarks.append(f"{untimed:,} rows have no time and were left out")
    if gathered.without_asset:
        remarks.append(f"{gathered.without_asset:,} rows have no asset and were left out")
    if cadence is not None and cadence.repeated:
        remarks.append(
            f"{cadence.repeated:,} rows have the time of the row before, within one asset. Does a "
            "column say of which machine they are? Name it with --asset-column"
        )
    if step.clock == "counter":
        remarks.append(
            "readings are numbered, since there is no steady time to count by"
            if gathered.roles.counter is None
            else f"column {gathered.roles.counter!r} counts the readings"
        )
    return tuple(remarks)
