"""Builders of evidence: what an alert of ``tests.support.alerts`` rests on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from api.evidence import EvidenceBatch, WireEvidence
from api.ports import FeedBatch, FeedPosition
from common.records.alerts import Alert
from common.records.evidence import (
    AlertEvidence,
    ChannelEvidence,
    ConditionEvidence,
    EvidenceWindow,
    RuleState,
    Weight,
    derive_evidence_id,
)
from common.records.verdicts import Evidence

LENGTH = 3


def make_evidence(
    alert: Alert, values: Sequence[float] = (1.5, 2.5, 3.5), held: tuple[int, ...] = ()
) -> AlertEvidence:
    """Return evidence of an alert: a window of three readings that ends at its cycle."""
    cycles = tuple(alert.cycle - back for back in reversed(range(LENGTH)))
    return AlertEvidence(
        evidence_id=derive_evidence_id(alert),
        alert_id=alert.alert_id,
        alarm_id=alert.alarm_id,
        fleet=alert.fleet,
        asset_id=alert.asset_id,
        run_id=alert.run_id,
        level=alert.level,
        state=alert.state,
        cycle=alert.cycle,
        ts=alert.ts,
        evidence=alert.evidence,
        severity=1.25,
        score=alert.score,
        threshold=alert.threshold,
        weighed=(
            Weight(
                evidence=Evidence.DEGRADATION,
                score=alert.score,
                warning=alert.threshold,
                critical=2.0,
                severity=1.25,
            ),
        ),
        rule=RuleState(
            on_delay=3, among=3, off_delay=5, deadband=0.05, min_length=0, merge_gap=0,
            counted=3, flaps=0,
        ),
        model=alert.model,
        machine="turbofan",
        step="cycle",
        window=EvidenceWindow(
            length=LENGTH,
            omitted=0,
            cycles=tuple(cycle if cycle > 0 else None for cycle in cycles),
            ts=tuple(
                alert.ts - timedelta(seconds=alert.cycle - cycle) if cycle > 0 else None
                for cycle in cycles
            ),
            missing_before=(0, 0, 0),
        ),
        conditions=(ConditionEvidence(name="altitude", unit="1000 ft", values=(0.0, 0.1, 0.2)),),
        channels=tuple(
            ChannelEvidence(
                **dict(share),
                unit="°R",
                level_sd=2.0,
                healthy_mean=1.0,
                healthy_sd=0.5,
                values=tuple(values),
                expected=(1.0, None, 1.25),
                held=held,
            )
            for share in alert.channels
        ),
    )  # fmt: skip


def evidence_batch(
    evidence: Sequence[AlertEvidence], *, source: str = "cluster/x.evidence", next_offset: int = 1
) -> EvidenceBatch:
    """Return a fetched batch of evidence."""
    items = [WireEvidence(one, one.to_json().decode()) for one in evidence]
    return FeedBatch(source, 0, FeedPosition(next_offset), items)
