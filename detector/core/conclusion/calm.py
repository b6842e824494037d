"""Alarms of assets that are calm, stepped by array: nothing is open, nothing is held against them.

Of such an asset an alarm counts quiet readings and does nothing else. ``models.alarm.step`` is the
definition; ``test_calm.py`` holds both against each other.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.records.verdicts import Level
from detector.core.conclusion.weighing import Weighed
from detector.core.fleet import Fleet
from detector.core.pipeline import AssetRun, Plan
from models.alarm import COUNT_LIMIT, AlarmState
from models.scoring.scorer import WARNING_SEVERITY

NO_LEVEL: Final = Level.NONE


def calm_alarms(
    plan: Plan, weighed: Weighed, fleet: Fleet, told: Collection[AssetRun]
) -> list[AlarmState | None]:
    """Return each asset's alarm after the batch; none for an asset that is not calm.

    Calm is an asset that went on as it should, without an open alarm or a warning remembered, and
    of whose windows none comes to a warning.

    Args:
        plan: The batch.
        weighed: Its windows, weighed.
        fleet: Its alarm rule.
        told: Assets of which alerts stand that were published under other rules.
    """
    found: list[AlarmState | None] = [None] * len(plan.assets)
    quiet_rows = _quiet_rows(plan, weighed, fleet)
    for index, ((key, asset), steady, (calm, quiet_row)) in enumerate(
        zip(plan.assets.items(), plan.steady.tolist(), quiet_rows, strict=True)
    ):
        alarm = asset.start.alarm
        if not (steady and calm) or alarm.level is not NO_LEVEL or alarm.recent or key in told:
            continue
        n_windows = len(asset.assembled.ends)
        if n_windows < len(asset.fresh):  # a reading without a score ends every row
            alarm = AlarmState()
        if not n_windows:
            found[index] = alarm
            continue
        if quiet_row == n_windows:
            quiet_row = min(alarm.quiet_row + n_windows, COUNT_LIMIT)
        found[index] = AlarmState(quiet_row=quiet_row, closing=alarm.closing, flaps=alarm.flaps)
    return found


def _quiet_rows(plan: Plan, weighed: Weighed, fleet: Fleet) -> list[tuple[bool, int]]:
    """Return of each asset whether its windows are calm, and how many at the end are quiet."""
    counts = np.array([len(asset.assembled.ends) for asset in plan.assets.values()], np.int64)
    below = np.array([_quiet_below(fleet, asset_id) for asset_id, _ in plan.assets])
    severities = weighed.judged.severities
    odd = ~(severities < WARNING_SEVERITY) | weighed.any_stuck
    loud = ~(severities < np.repeat(below, counts))
    ends = np.cumsum(counts)
    calm = _sums(odd, counts, ends) == 0
    # the last loud window of each asset, counted from 1 over all of them; 0 before the first
    places = np.maximum.accumulate(np.append(0, np.where(loud, np.arange(len(loud)) + 1, 0)))
    quiet = np.minimum(ends - places[ends], counts)
    return list(zip(calm.tolist(), quiet.tolist(), strict=True))


def _quiet_below(fleet: Fleet, asset_id: str) -> float:
    return WARNING_SEVERITY - fleet.alarm_of(asset_id).deadband


def _sums(
    flags: NDArray[np.bool_], counts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many flags each asset has."""
    before = np.append(0, np.cumsum(flags, dtype=np.int64))
    found: NDArray[np.int64] = before[ends] - before[ends - counts]
    return found
