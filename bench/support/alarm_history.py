"""Alarms as a history holds them: some escalated, some cleared, of many assets."""

from __future__ import annotations

from typing import Final

from bench.support.alerts import make_alert
from common.records.alerts import Alert, Transition
from common.records.verdicts import Level

ALARMS: Final = 10_000
ASSETS: Final = 2_500


def alerts_of(number: int) -> list[Alert]:
    """Return the alerts of one alarm: a third escalated, half of them cleared."""
    asset, cycle = f"asset-{number % ASSETS:05d}", 10 + number
    alerts = [make_alert(cycle, asset_id=asset)]
    if number % 3 == 0:
        alerts.append(
            make_alert(
                cycle + 5,
                asset_id=asset,
                state=Transition.ESCALATED,
                level=Level.CRITICAL,
                onset_cycle=cycle,
            )
        )
    if number % 2 == 0:
        alerts.append(
            make_alert(cycle + 50, asset_id=asset, state=Transition.CLEARED, onset_cycle=cycle)
        )
    return alerts
