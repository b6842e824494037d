"""Decides what one column of a table is: measured, set, or nothing of the machine."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import Channel, Condition
from common.readers.gathering import Gathered
from common.readers.roles import TIME_WORDS, Roles, looks_like_label
from common.readers.table import Column
from producer.own_data.cadence import usual_blank
from producer.own_data.findings import ColumnFinding
from producer.own_data.levels import Levels, find_levels
from producer.own_data.limits import find_limits, outlier
from producer.own_data.units import unit_of

HOLD: Final = (3, 10)
"""Fewest and most steps for which a blank is proposed to be held."""

FEWEST_RISES: Final = 50
"""A column that rises fewer times may just be slow."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A column as what it is proposed to be: exactly one of the two is there."""

    finding: ColumnFinding
    channel: Channel | None = None
    condition: Condition | None = None


def judge(
    column: Column, gathered: Gathered, roles: Roles, ignored: Collection[str], window: int
) -> Measured:
    """Say what one column is.

    Args:
        column: The column, as one of the tables has it.
        gathered: The rows of all tables.
        roles: Which columns are not measured.
        ignored: Columns a person does not want.
        window: Readings in a window: a blank is not held for longer.
    """
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
        return ColumnFinding(name, "label", "few whole numbers, named like a label")
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


def as_channel(measured: Measured) -> Measured:
    """Return a condition as a channel."""
    old = measured.finding
    finding = ColumnFinding(old.name, "channel", old.why, old.unit, old.seen, old.blank)
    return Measured(finding, Channel(name=old.name, unit=old.unit))


def _listed(levels: Levels) -> str:
    return ", ".join(f"{value:g}" for value in levels.values)
