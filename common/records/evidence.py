"""Evidence: what an alert rests on. JSON in UTF-8, keyed by ``asset_id``, under a derived id.

It goes to a topic of its own, so that whoever listens to alerts gets short messages.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from common.records.alerts import (
    ALERT_NAMESPACE,
    Alert,
    ChannelShare,
    Flaps,
    ModelRef,
    RemainingLife,
    Transition,
)
from common.records.ids import DEFAULT_FLEET, AssetId, FleetName, RunId
from common.records.times import UtcTimestamp
from common.records.verdicts import Evidence, Level
from common.records.wire import Cycle, Finite, WireRecord

MAX_VALUES: Final = 32_768
"""Values and expectations that one evidence holds at most: some 0.4 MB. The machine type with most
channels, 1000, then has 16 readings in it; of the shipped ones, windows up to 900 readings fit."""

MAX_EVIDENCE_BYTES: Final = 960 * 1024
"""Brokers take 1 MiB unless told otherwise."""


class Weight(WireRecord):
    """One kind of evidence at the reading that caused the alert.

    Attributes:
        evidence: Which kind.
        score: How much of it there is; higher is worse. Of ``life``: steps expected to be left, of
            which fewer are worse.
        warning: The threshold of a warning; none for ``life``, which never warns alone.
        critical: The threshold of critical; none where this kind does not decide it.
        severity: Score over warning threshold; none where there is none.
    """

    evidence: Evidence
    score: Finite
    warning: Finite | None
    critical: Finite | None
    severity: Finite | None


class RuleState(WireRecord):
    """The alarm rule, and how far it had counted; numbers of readings.

    Attributes:
        on_delay: So many readings raise or escalate.
        among: Among so many of the last ones; the same as ``on_delay`` for in a row.
        off_delay: So many quiet ones in a row clear.
        deadband: How far below 1 a severity must be to count as quiet.
        min_length: An alarm is open for so long at least.
        merge_gap: An alarm that would clear waits for so long for the next one.
        counted: How many caused this transition.
        flaps: How often the alarm had ended and come again.
    """

    on_delay: int
    among: int
    off_delay: int
    deadband: float
    min_length: int
    merge_gap: int
    counted: int
    flaps: Flaps


class EvidenceWindow(WireRecord):
    """When the readings were taken that the model looked at, the oldest first.

    Attributes:
        length: Readings in the model's window.
        omitted: So many of the oldest were left out, since all would be too large for a message.
        cycles: Their cycles; none where an earlier version had not kept it.
        ts: Their times, UTC; none likewise.
        missing_before: So many cycles are missing before each, and the window spans them.
    """

    length: int
    omitted: int
    cycles: tuple[Cycle | None, ...]
    ts: tuple[UtcTimestamp | None, ...]
    missing_before: tuple[int, ...]


class ConditionEvidence(WireRecord):
    """How the machine was run.

    Attributes:
        name: Of the condition.
        unit: Unit of measurement; empty when dimensionless.
        values: At each reading of the window, 32 bits of precision.
    """

    name: str
    unit: str
    values: tuple[Finite, ...]


class ChannelEvidence(ChannelShare):
    """What a channel showed, and what was expected of it.

    Attributes:
        unit: Unit of measurement; empty when dimensionless.
        level_sd: How far its latest readings are from the healthy mean of a machine run alike, in
            healthy deviations.
        healthy_mean: Of a machine run as at the latest reading, in ``unit``.
        healthy_sd: Its deviation, in ``unit``.
        values: At each reading of the window, 32 bits of precision.
        expected: What the model expects of a healthy machine; none where that is no number.
        held: Places in ``values`` at which nothing was measured and the value before stands in.
    """

    unit: str
    level_sd: Finite
    healthy_mean: Finite
    healthy_sd: Finite
    values: tuple[Finite, ...]
    expected: tuple[Finite | None, ...]
    held: tuple[int, ...]


class AlertEvidence(WireRecord):
    """What an alert rests on. Made by the worker that made the alert, and never changed.

    Attributes:
        schema_version: Version of this layout.
        evidence_id: Derived id (:func:`derive_evidence_id`).
        alert_id: The alert.
        alarm_id: Its alarm.
        fleet: Of which fleet.
        asset_id: Whose alarm.
        run_id: In which run.
        level: As the alert has it.
        state: As the alert has it.
        cycle: The reading that caused it.
        ts: Its time, UTC.
        evidence: The kind that spoke.
        severity: As the alert has it.
        score: As the alert has it.
        threshold: As the alert has it.
        weighed: Every kind of evidence that the model knows.
        life: How long is left; none where the model does not know.
        rule: The alarm rule.
        model: The model that scored it.
        machine: Name of the machine type.
        step: What one reading is called, such as ``cycle``.
        window: When the readings were taken.
        conditions: How the machine was run; may be none.
        channels: What was measured; the channel that contributed most comes first.
    """

    schema_version: Literal[1] = 1
    evidence_id: str
    alert_id: str
    alarm_id: str
    fleet: FleetName = DEFAULT_FLEET
    asset_id: AssetId
    run_id: RunId
    level: Literal[Level.WARNING, Level.CRITICAL]
    state: Transition
    cycle: Cycle
    ts: UtcTimestamp
    evidence: Evidence
    severity: Finite
    score: Finite
    threshold: Finite
    weighed: tuple[Weight, ...]
    life: RemainingLife | None = None
    rule: RuleState
    model: ModelRef
    machine: str
    step: Annotated[str, Field(max_length=64)]
    window: EvidenceWindow
    conditions: tuple[ConditionEvidence, ...]
    channels: tuple[ChannelEvidence, ...]


class EvidenceMessage(NamedTuple):
    """Evidence as it goes to its topic.

    Attributes:
        asset_id: Whose; the message's key.
        value: An :class:`AlertEvidence` as UTF-8 JSON.
    """

    asset_id: str
    value: bytes


def derive_evidence_id(alert: Alert) -> str:
    """Return the id of the evidence of an alert, the same on every redelivery.

    What was found is part of it: a worker that was frozen may, under other thresholds, put out
    evidence for the same reading. It is then another one's, and nobody takes it for this alert's.
    Numbers are rounded, for a batch of another size may change their last bits.
    """
    numbers = [f"{number:.5g}" for number in (alert.severity or 0.0, alert.score, alert.threshold)]
    text = "\n".join(["evidence", alert.alert_id, alert.level.value, *numbers])
    return str(uuid.uuid5(ALERT_NAMESPACE, text))
