"""What the api says of an asset's readings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, Field

from api.readings import PastReading
from api.views.evidence import meanings
from api.views.machines import ConditionView
from api.views.runs import is_simulated
from common.machines.machine import MachineType
from common.records.evidence import AlertEvidence, ChannelEvidence, ConditionEvidence
from common.records.times import UtcTimestamp
from common.scorestore.port import RunSummary


class MeasuredChannel(BaseModel):
    """What is measured."""

    name: str = Field(examples=["T50"])
    meaning: str = Field(
        description="In words; may be empty.", examples=["total temperature at LPT outlet"]
    )
    unit: str = Field(description="Empty when dimensionless.", examples=["°R"])


class PastReadingView(BaseModel):
    """One reading."""

    cycle: int | None = Field(
        description="None where a worker of an earlier version had not kept it.", examples=[120]
    )
    ts: UtcTimestamp | None
    source: Literal["ring", "evidence"] = Field(
        description="`ring`: the workers' state store. `evidence`: the window behind an alert."
    )
    alert_id: str | None = Field(description="That alert; none for the ring.")
    missing_before: int = Field(
        description="So many cycles are missing before it, and the window spans them."
    )
    settings: dict[str, float] = Field(examples=[{"altitude": 0.0023}])
    sensors: dict[str, float] = Field(
        description="Values in the unit of `channels`; seven significant digits.",
        examples=[{"T50": 1409.9}],
    )
    held: list[str] = Field(
        description="Nothing was measured of these: the value before stands in.", examples=[["P30"]]
    )

    @classmethod
    def of(cls, reading: PastReading) -> Self:
        """Return the api's view of a reading."""
        return cls(
            cycle=reading.cycle,
            ts=reading.ts,
            source=reading.source,
            alert_id=reading.alert_id,
            missing_before=reading.missing_before,
            settings=dict(reading.settings),
            sensors=dict(reading.sensors),
            held=list(reading.held),
        )


class ReadingList(BaseModel):
    """The latest readings of an asset, the oldest first."""

    asset_id: str = Field(examples=["FD001-test-031"])
    run_id: str = Field(examples=["demo"])
    fleet: str = Field(examples=["FD001"])
    simulated: bool = Field(description="Whether the run came from the simulator.")
    machine: str = Field(description="Name of the machine type.", examples=["turbofan"])
    step: str = Field(description="What one reading is called.", examples=["cycle"])
    conditions: list[ConditionView] = Field(description="What `settings` holds.")
    channels: list[MeasuredChannel] = Field(description="What `sensors` holds.")
    items: list[PastReadingView]
    notes: list[str] = Field(description="What could not be asked, and why.")

    @classmethod
    def of(
        cls,
        run: RunSummary,
        readings: Sequence[PastReading],
        machine: MachineType | None,
        evidence: Sequence[AlertEvidence],
        notes: Sequence[str],
    ) -> Self:
        """Return the api's view of what is kept of a run.

        Args:
            run: Which run.
            readings: Of it.
            machine: Its fleet's machine type now; none if it is not known, and there is evidence.
            evidence: Evidence of the run, the latest first.
            notes: What could not be asked.
        """
        words = meanings(machine)
        latest = evidence[0] if evidence else None
        units = {} if latest is None else {each.name: each.unit for each in _parts(latest)}
        if machine is not None:
            units |= {each.name: each.unit for each in machine.conditions}
            units |= {each.name: each.unit for each in machine.used}
        settings = dict.fromkeys(name for reading in readings for name in reading.settings)
        sensors = dict.fromkeys(name for reading in readings for name in reading.sensors)
        return cls(
            asset_id=run.asset_id,
            run_id=run.run_id,
            fleet=run.fleet,
            simulated=is_simulated(run.run_id),
            machine=machine.name if machine else (latest.machine if latest else ""),
            step=machine.step.word if machine else (latest.step if latest else "cycle"),
            conditions=[
                ConditionView(name=name, meaning=words.get(name, ""), unit=units.get(name, ""))
                for name in settings
            ],
            channels=[
                MeasuredChannel(name=name, meaning=words.get(name, ""), unit=units.get(name, ""))
                for name in sensors
            ],
            items=[PastReadingView.of(reading) for reading in readings],
            notes=list(notes),
        )


def _parts(evidence: AlertEvidence) -> Sequence[ConditionEvidence | ChannelEvidence]:
    return [*evidence.conditions, *evidence.channels]
