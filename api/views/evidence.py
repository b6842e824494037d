"""What the api says of the evidence of an alert, and of an asset's readings."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, Field

from api.views.parts import AlertLifeView
from api.views.runs import is_simulated
from common.machines.machine import MachineType
from common.records.alerts import ModelRef, Transition
from common.records.evidence import AlertEvidence
from common.records.times import UtcTimestamp
from common.records.verdicts import Evidence, Level

Direction = Literal["high", "low"]


class WeightView(BaseModel):
    """One kind of evidence at the reading that caused the alert."""

    evidence: Evidence
    score: float = Field(
        description="Higher is worse; of `life`: steps expected to be left.", examples=[3.89]
    )
    warning: float | None = Field(
        description="Warning when `score` reaches it; none for `life`.", examples=[3.474]
    )
    critical: float | None = Field(
        description="Critical when `score` reaches it (`life`: when no more are left); none where "
        "this kind does not decide it."
    )
    severity: float | None = Field(description="`score` over `warning`.", examples=[1.12])


class RuleView(BaseModel):
    """The alarm rule, and how far it had counted; numbers of readings."""

    on_delay: int = Field(description="So many readings raise or escalate.", examples=[3])
    among: int = Field(description="Among so many of the last ones.", examples=[3])
    off_delay: int = Field(description="So many quiet ones in a row clear.", examples=[5])
    deadband: float = Field(description="How far below 1 a severity must be to count as quiet.")
    min_length: int = Field(description="An alarm is open for so long at least.")
    merge_gap: int = Field(description="What would clear waits so long for the next alarm.")
    counted: int = Field(description="How many caused this transition.", examples=[3])
    flaps: int = Field(description="How often the alarm had ended and come again.")


class WindowView(BaseModel):
    """When the readings were taken that the model looked at, the oldest first."""

    length: int = Field(description="Readings in the model's window.", examples=[30])
    omitted: int = Field(description="So many of the oldest were left out: too large a message.")
    cycles: list[int | None] = Field(
        description="None where a worker of an earlier version had not kept it.",
        examples=[[118, 119, 120]],
    )
    ts: list[UtcTimestamp | None]
    missing_before: list[int] = Field(
        description="So many cycles are missing before each, and the window spans them.",
        examples=[[0, 0, 0]],
    )


class ConditionSeries(BaseModel):
    """How the machine was run."""

    name: str = Field(examples=["altitude"])
    meaning: str = Field("", description="In words, as the fleet's machine type has it now.")
    unit: str = Field(description="Empty when dimensionless.", examples=["1000 ft"])
    values: list[float] = Field(description="At each reading of the window.")


class ChannelSeries(BaseModel):
    """What a channel showed, and what was expected of it."""

    name: str = Field(examples=["T50"])
    meaning: str = Field("", description="In words, as the fleet's machine type has it now.")
    unit: str = Field(description="Empty when dimensionless.", examples=["°R"])
    share: float = Field(description="Part of the score; they sum to 1.", examples=[0.41])
    direction: Direction = Field(description="Above or below the healthy level, run as it is.")
    against: Direction | None = Field(
        description="Above or below what the model expects, where that is the other way round."
    )
    level_sd: float = Field(
        description="How far the latest five readings are from the healthy mean of machines run "
        "alike, in healthy deviations.",
        examples=[2.7],
    )
    healthy_mean: float = Field(
        description="Of a machine run as at the latest reading, in `unit`.", examples=[1401.2]
    )
    healthy_sd: float = Field(description="Its deviation, in `unit`.", examples=[3.1])
    values: list[float] = Field(
        description="At each reading of the window, in `unit`; seven significant digits.",
        examples=[[1409.1, 1409.4, 1409.9]],
    )
    expected: list[float | None] = Field(
        description="What the model expects of a healthy machine, run as this one is.",
        examples=[[1403.2, 1403.6, 1404.0]],
    )
    held: list[int] = Field(
        description="Places in `values` at which nothing was measured: the value before stands in.",
        examples=[[1]],
    )


class EvidenceView(BaseModel):
    """What an alert rests on."""

    schema_version: int = Field(examples=[1])
    evidence_id: str
    alert_id: str = Field(examples=["0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11"])
    alarm_id: str
    fleet: str = Field(examples=["FD001"])
    asset_id: str = Field(examples=["FD001-test-031"])
    run_id: str = Field(examples=["demo"])
    simulated: bool = Field(description="Whether the run came from the simulator.")
    level: Level
    state: Transition
    cycle: int = Field(description="The reading that caused the alert.", examples=[120])
    ts: UtcTimestamp
    evidence: Evidence = Field(description="The kind that spoke.")
    severity: float = Field(examples=[1.12])
    score: float = Field(examples=[3.89])
    threshold: float = Field(examples=[3.474])
    weighed: list[WeightView] = Field(description="Every kind of evidence the model knows.")
    life: AlertLifeView | None = Field(description="None where the model does not know.")
    rule: RuleView
    model: ModelRef
    machine: str = Field(description="Name of the machine type.", examples=["turbofan"])
    step: str = Field(description="What one reading is called.", examples=["cycle"])
    window: WindowView
    conditions: list[ConditionSeries]
    channels: list[ChannelSeries] = Field(description="The largest share first.")

    @classmethod
    def of(cls, evidence: AlertEvidence, machine: MachineType | None = None) -> Self:
        """Return the api's view of evidence.

        Args:
            evidence: The evidence.
            machine: Its fleet's machine type now; none if it is not known.
        """
        words = meanings(machine)
        fields = evidence.model_dump(mode="python")
        for part in (*fields["conditions"], *fields["channels"]):
            part["meaning"] = words.get(part["name"], "")
        return cls(simulated=is_simulated(evidence.run_id), **fields)


def meanings(machine: MachineType | None) -> dict[str, str]:
    """Return what the names of a machine type stand for."""
    if machine is None:
        return {}
    words = {condition.name: condition.meaning for condition in machine.conditions}
    return words | {channel.name: channel.meaning for channel in machine.channels}
