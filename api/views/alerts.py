"""Alerts and the gaps between them, as the api shows them: not as they are on the topic."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from api.ports import AlertGap, StoredAlert
from api.views.machines import ChannelTold
from api.views.parts import AlertLifeView, RemovedUntil
from api.views.runs import is_simulated
from common.machines.machine import MachineType
from common.records.alerts import ModelRef, Transition
from common.records.times import UtcTimestamp
from common.records.verdicts import Evidence, Level


class AlertView(BaseModel):
    """An alarm changed state."""

    sequence: int = Field(description="Place in the order of arrival.", examples=[17])
    alert_id: str = Field(examples=["0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11"])
    alarm_id: str = Field(description="The same for all alerts of one alarm.")
    fleet: str = Field(description="Whose model and rule judge it.", examples=["FD001"])
    asset_id: str = Field(examples=["FD001-test-001"])
    run_id: str = Field(examples=["demo"])
    simulated: bool = Field(description="Whether the run came from the simulator.")
    level: Level = Field(description="After the transition; for `cleared`, the highest it had.")
    state: Transition
    alarm_sequence: int = Field(
        description="1 for raised, 2 for escalated, 3 for cleared: of one alarm the highest holds. "
        "0 in alerts of an earlier version."
    )
    flaps: int = Field(
        0, description="How often it had ended and come again, too soon to be another alarm."
    )
    onset_cycle: int = Field(description="First cycle of the anomalous stretch.")
    cycle: int = Field(description="The cycle that caused the transition.")
    step: str = Field(
        "cycle",
        description="What one reading is called; left out where the machine type is not known.",
        examples=["cycle"],
    )
    ts: UtcTimestamp = Field(description="That reading's timestamp.")
    evidence: Evidence = Field(
        description="What caused it: `degradation`, `channel`, `frozen`, or `life`: little is "
        "left. `silent` and `unscored` are the api's own: no reading, or no score, came in "
        "time; then `score` and `threshold` are seconds."
    )
    severity: float | None = Field(
        description="Of all that is held against the asset; 1 is a warning for every model and "
        "machine. None in alerts of an earlier version.",
        examples=[1.4],
    )
    score: float = Field(description="The score of that evidence; higher is more anomalous.")
    threshold: float = Field(description="What it was compared with.")
    life: AlertLifeView | None = Field(
        description="How long is left; none where the model does not know."
    )
    channels: list[ChannelTold] = Field(description="Contributions, largest first.")
    model: ModelRef
    reason: str = Field(description="The transition in one sentence.")

    @classmethod
    def of(cls, stored: StoredAlert, machine: MachineType | None = None) -> Self:
        """Return the api's view of a stored alert.

        Args:
            stored: The alert.
            machine: Its fleet's machine type; none if it is not known.
        """
        fields = stored.alert.model_dump(exclude={"schema_version", "channels"})
        if machine is not None:
            fields["step"] = machine.step.word
        return cls(
            sequence=stored.sequence,
            simulated=is_simulated(stored.alert.run_id),
            channels=ChannelTold.all_of(stored.alert.channels, machine),
            **fields,
        )


class AlertPage(BaseModel):
    """Alerts, a page at a time, in the order of arrival."""

    items: list[AlertView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")
    removed_until: RemovedUntil = None


class GapView(BaseModel):
    """Alerts that had expired from the topic before they were read."""

    source: str = Field(description="One life of the topic: cluster and name.")
    partition: int
    from_offset: int = Field(description="The first that was gone.", examples=[120])
    to_offset: int = Field(description="The first that was there again.", examples=[180])
    at_most: int = Field(
        description="Most alerts that can be missing; fewer, if some offsets never held one.",
        examples=[60],
    )
    noticed_at: UtcTimestamp

    @classmethod
    def of(cls, gap: AlertGap) -> Self:
        """Return the api's view of a gap."""
        first, end = gap.offsets.from_offset, gap.offsets.to_offset
        return cls(
            source=gap.source,
            partition=gap.partition,
            from_offset=first,
            to_offset=end,
            at_most=end - first,
            noticed_at=gap.noticed_at,
        )


class GapList(BaseModel):
    """All gaps of the history, the latest noticed first."""

    items: list[GapView]
