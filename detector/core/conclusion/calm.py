"""Alarms of assets that are calm, stepped by array: nothing is open, nothing is held against them.

Of such an asset an alarm counts quiet readings and does nothing else. ``models.alarm.step`` is the
definition; ``test_calm.py`` holds both against each other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.core.conclusion.weighing import Weighed
from detector.core.fleet import Fleet
from detector.core.pipeline import Plan
from detector.core.state.table import StateTable
from detector.core.steady import some
from models.alarm import COUNT_LIMIT
from models.scoring.scorer import WARNING_SEVERITY


class Calm(NamedTuple):
    """The assets of a batch that went on as they should, as they are if they are calm.

    Attributes:
        assets: Which are calm, shape ``(k,)``, of those that went on as they should.
        table: The states of these, after the batch.
    """

    assets: NDArray[np.bool_]
    table: StateTable


def calm_assets(plan: Plan, weighed: Weighed, fleet: Fleet) -> Calm:
    """Return which assets are calm, and the states after the batch.

    Calm is an asset that went on as it should, without an open alarm or a warning remembered, and
    of whose windows none comes to a warning.

    Args:
        plan: The batch.
        weighed: Its windows, weighed.
        fleet: Its alarm rule.
    """
    found = plan.found
    steady, after, readings = some(found.steady), found.after, found.readings
    quiet, calm = (column[steady] for column in _quiet_rows(plan, weighed, fleet))
    n_windows, n_readings = found.counts[steady], readings.counts[steady]
    goes_on = n_windows == n_readings  # a reading without a score ends every row
    before = np.where(goes_on, after.head["quiet_row"].astype(np.int64), 0)
    head, more = after.head.copy(), after.more.copy()
    head["quiet_row"] = np.where(
        quiet == n_windows, np.minimum(before + n_windows, COUNT_LIMIT), quiet
    )
    for name in ("onset", "warning_row", "critical_row"):
        head[name] = 0
    more["open_for"] = 0
    if not goes_on.all():
        for name in ("closing", "flaps"):
            more[name][~goes_on] = 0
    head["next_offset"] = readings.readings.offsets[(readings.counts.cumsum() - 1)[steady]] + 1
    # of a state in a table no warning is remembered
    return Calm(calm & (after.head["level"] == 0), replace(after, head=head, more=more))


def _quiet_rows(
    plan: Plan, weighed: Weighed, fleet: Fleet
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return of each asset how many windows at the end are quiet, and whether all are calm."""
    counts = plan.found.counts
    severities = weighed.judged.severities
    odd = ~(severities < WARNING_SEVERITY) | weighed.any_stuck
    loud = ~(severities < _quiet_below(plan, fleet))
    ends = counts.cumsum()
    calm = _sums(odd, counts, ends) == 0
    # the last loud window of each asset, counted from 1 over all of them; 0 before the first
    places = np.zeros(len(loud) + 1, np.int64)
    np.maximum.accumulate(np.where(loud, np.arange(1, len(loud) + 1), 0), out=places[1:])
    return np.minimum(ends - places[ends], counts), calm


def _quiet_below(plan: Plan, fleet: Fleet) -> float | NDArray[np.float64]:
    """Return below what each window is quiet."""
    if not fleet.own_alarms:
        return WARNING_SEVERITY - fleet.alarm.deadband
    deadbands = [fleet.alarm_of(asset_id).deadband for asset_id, _ in plan.keys]
    return np.repeat(WARNING_SEVERITY - np.array(deadbands), plan.found.counts)


def _sums(
    flags: NDArray[np.bool_], counts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many flags each asset has."""
    before = np.zeros(len(flags) + 1, np.int64)
    flags.cumsum(dtype=np.int64, out=before[1:])
    found: NDArray[np.int64] = before[ends] - before[ends - counts]
    return found
