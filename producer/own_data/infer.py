"""Decides what a table's columns are, and how often its readings come: tables to a machine type."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.machines.machine import (
    MAX_CHANNELS,
    Channel,
    Clock,
    MachineType,
    Step,
    Window,
)
from common.readers.gathering import Gathered, gather
from common.readers.roles import Roles, roles_of
from common.readers.table import Table
from common.readers.ticks import ticks
from producer.own_data.cadence import find_cadence, usual_stretch, word_for
from producer.own_data.columns import Measured, as_channel, judge
from producer.own_data.findings import Cadence, Findings
from producer.own_data.remarks import remarks_on

WINDOW: Final = 30
SHORTEST_WINDOW: Final = 5
WINDOWS_A_STRETCH: Final = 3
"""A stretch without a gap is this many windows long at least, or most of it is warm-up."""

STEADY: Final = 0.5
"""Where fewer steps are near the usual one, time does not count readings."""

LONGEST_INTERVAL_S: Final = 366 * 86_400.0
MOST_CONDITIONS: Final = 4


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
    columns = [judge(every[each], gathered, roles, ignored, window.length) for each in names]
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
        remarks_on(gathered, cadence, step),
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


def _at_most(columns: list[Measured]) -> list[Measured]:
    """Leave it at a few conditions: where many columns look like set points, none is sure."""
    conditions = [each for each in columns if each.condition is not None]
    has_channel = any(each.channel is not None and each.channel.used for each in columns)
    if len(conditions) <= MOST_CONDITIONS and has_channel:
        return columns
    return [each if each.condition is None else as_channel(each) for each in columns]


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
