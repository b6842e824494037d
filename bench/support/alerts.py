"""Builders of alerts: short to write, valid on the wire, with derived ids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from api.ports import AlertBatch, FeedBatch, FeedPosition, WireAlert
from common.records.alerts import (
    Alert,
    ChannelShare,
    ModelRef,
    Transition,
    derive_alarm_id,
    derive_alert_id,
)
from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import Level

START = datetime(2026, 1, 1, tzinfo=UTC)


def make_alert(
    cycle: int = 40,
    *,
    asset_id: str = "FD001-test-001",
    run_id: str = "run-1",
    state: Transition = Transition.RAISED,
    level: Literal[Level.WARNING, Level.CRITICAL] = Level.WARNING,
    onset_cycle: int | None = None,
    reason: str = "3 cycles in a row at or above the warning threshold",
    fleet: str = DEFAULT_FLEET,
) -> Alert:
    """Return an alert; one that is not ``raised`` needs the alarm's ``onset_cycle``."""
    onset = cycle if onset_cycle is None else onset_cycle
    alarm_id = derive_alarm_id(asset_id, run_id, onset, "fd001@1")
    return Alert(
        alert_id=derive_alert_id(alarm_id, state, cycle),
        alarm_id=alarm_id,
        fleet=fleet,
        asset_id=asset_id,
        run_id=run_id,
        level=level,
        state=state,
        onset_cycle=onset,
        cycle=cycle,
        ts=START + timedelta(seconds=cycle),
        score=0.5 + cycle / 1000,
        threshold=0.5,
        channels=(
            ChannelShare(name="T50", share=0.75, direction="high"),
            ChannelShare(name="Ps30", share=0.25, direction="low"),
        ),
        model=ModelRef(name="fd001", version="1", sha256="0" * 64),
        reason=reason,
    )


def wire(alert: Alert) -> WireAlert:
    """Return the alert as it stands on the topic."""
    return WireAlert(alert, alert.to_json().decode())


def batch(
    alerts: Sequence[Alert],
    *,
    source: str = "cluster/alerts",
    partition: int = 0,
    next_offset: int | None = None,
) -> AlertBatch:
    """Return a fetched batch of these alerts."""
    offset = len(alerts) if next_offset is None else next_offset
    return FeedBatch(source, partition, FeedPosition(offset), [wire(alert) for alert in alerts])
