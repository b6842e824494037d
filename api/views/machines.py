"""What the api says of fleets and their machine types: names, meanings, units."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import BaseModel, Field

from api.known_fleets import KnownFleet, KnownFleets, KnownModel
from common.machines.machine import Channel, Clock, Condition, MachineType
from common.records.alerts import ChannelShare, ModelRef


class StepView(BaseModel):
    """What one reading counts."""

    word: str = Field(description="What screens call it.", examples=["cycle"])
    clock: Clock = Field(
        description="`counter`: the source counts. `time`: a reading's cycle is the tick of "
        "`interval_s` that its time is nearest to, counted from 1970."
    )
    interval_s: float | None = Field(description="Time between two readings, s, if it is said.")


class ConditionView(BaseModel):
    """How the machine is run."""

    name: str = Field(description="Its key in a reading's `settings`.", examples=["mach"])
    meaning: str = Field(description="In words; may be empty.", examples=["Mach number"])
    unit: str = Field(description="Empty when dimensionless.", examples=[""])

    @classmethod
    def of(cls, condition: Condition) -> Self:
        """Return the api's view of a condition."""
        return cls(name=condition.name, meaning=condition.meaning, unit=condition.unit)


class ChannelView(BaseModel):
    """What is measured."""

    name: str = Field(description="Its key in a reading's `sensors`.", examples=["T50"])
    meaning: str = Field(
        description="In words; may be empty.", examples=["total temperature at LPT outlet"]
    )
    unit: str = Field(description="Empty when dimensionless.", examples=["°R"])
    lowest: float | None = Field(description="Below it a reading is refused; none for no limit.")
    highest: float | None = Field(description="Above it a reading is refused; none for no limit.")
    used: bool = Field(description="Whether the model looks at it.")
    max_hold: int = Field(
        description="For so many steps the last value stands in for a blank.", examples=[3]
    )

    @classmethod
    def of(cls, channel: Channel) -> Self:
        """Return the api's view of a channel."""
        return cls(**channel.model_dump(include=set(cls.model_fields)))


class MachineTypeView(BaseModel):
    """A machine type as the artifact has it."""

    name: str = Field(examples=["turbofan"])
    title: str = Field(description="Name for people.", examples=["Turbofan engine (C-MAPSS)"])
    source: str = Field(description="Where the description comes from.")
    step: StepView
    window_length: int = Field(description="How many readings in a row the model looks at.")
    conditions: list[ConditionView] = Field(description="How it is run; may be none.")
    channels: list[ChannelView] = Field(description="What is measured, used or not.")

    @classmethod
    def of(cls, machine: MachineType) -> Self:
        """Return the api's view of a machine type."""
        step = machine.step
        return cls(
            name=machine.name,
            title=machine.title,
            source=machine.source,
            step=StepView(word=step.word, clock=step.clock, interval_s=step.interval_s),
            window_length=machine.window.length,
            conditions=[ConditionView.of(each) for each in machine.conditions],
            channels=[ChannelView.of(each) for each in machine.channels],
        )


class ThresholdsView(BaseModel):
    """From where on what a model says is a warning, or critical."""

    warning: float | None = Field(
        description="Warning when the score reaches it; none where each asset has its own."
    )
    critical: float | None = Field(
        description="Critical when the score reaches it; none where `life` decides, or each asset "
        "has its own."
    )
    channel: float | None = Field(
        description="Warning when the score of a single channel reaches it; none for a model "
        "without."
    )
    life: float | None = Field(
        description="A warning is critical when at most so many steps are expected to be left; "
        "none for a model that does not know."
    )

    @classmethod
    def of(cls, model: KnownModel) -> Self:
        """Return the api's view of a model's thresholds."""
        return cls(
            warning=model.warning,
            critical=None if model.life is not None else model.critical,
            channel=model.channel,
            life=model.life,
        )


class FleetView(BaseModel):
    """One fleet: which model judges it, and what its machines report."""

    fleet: str = Field(description="What readings say.", examples=["FD001"])
    artifact: str = Field(description="As the file of fleets names it.", examples=["fd001"])
    model: ModelRef | None = Field(description="None if the artifact cannot be read.")
    thresholds: ThresholdsView | None = Field(description="None if the artifact cannot be read.")
    machine_type: MachineTypeView | None = Field(description="None if the artifact cannot be read.")
    problem: str | None = Field(description="Why the artifact cannot be read.")

    @classmethod
    def of(cls, known: KnownFleet) -> Self:
        """Return the api's view of a fleet."""
        model = known.model
        return cls(
            fleet=known.name,
            artifact=known.artifact,
            model=None if model is None else model.ref,
            thresholds=None if model is None else ThresholdsView.of(model),
            machine_type=None if model is None else MachineTypeView.of(model.machine),
            problem=known.problem or None,
        )


class FleetList(BaseModel):
    """All fleets, in the order of their file."""

    items: list[FleetView]
    problem: str | None = Field(
        description="Why the file of fleets cannot be read; the fleets are those of before."
    )

    @classmethod
    def of(cls, known: KnownFleets) -> Self:
        """Return the api's view of all fleets."""
        return cls(
            items=[FleetView.of(each) for each in known.fleets.values()],
            problem=known.problem or None,
        )


class ChannelTold(BaseModel):
    """One channel's part in a score. Without `meaning` and `unit` where its type is not known."""

    name: str = Field(examples=["T50"])
    share: float = Field(description="Part of the score, 0 to 1; they sum to 1.", examples=[0.75])
    direction: Literal["high", "low"] = Field(
        description="Whether it reads above or below its healthy level, run as it is."
    )
    against: Literal["high", "low"] | None = Field(
        None,
        description="Whether it reads above or below what the model expects of it here, where that "
        "is the other way round.",
    )
    meaning: str = Field(
        "",
        description="What it measures, in words.",
        examples=["total temperature at LPT outlet"],
    )
    unit: str = Field("", description="Empty when dimensionless.", examples=["°R"])

    @classmethod
    def all_of(cls, shares: Iterable[ChannelShare], machine: MachineType | None) -> list[Self]:
        """Return the parts of an alert's channels, each with what the machine type says of it."""
        channels = () if machine is None else machine.channels
        words = {each.name: {"meaning": each.meaning, "unit": each.unit} for each in channels}
        return [
            cls(
                name=each.name,
                share=each.share,
                direction=each.direction,
                against=each.against,
                **words.get(each.name, {}),
            )
            for each in shares
        ]


class Wording(BaseModel):
    """What a channel's name stands for."""

    meaning: str = Field(description="What it measures, in words; may be empty.")
    unit: str = Field(description="Empty when dimensionless.")


class Legend(BaseModel):
    """What a fleet's machine type calls a step, and what the names of its channels stand for."""

    step: str = Field(description="What one reading is called.", examples=["cycle"])
    channels: dict[str, Wording] = Field(
        description="The channels that the model looks at, by name.",
        examples=[{"T50": {"meaning": "total temperature at LPT outlet", "unit": "°R"}}],
    )

    @classmethod
    def of(cls, machine: MachineType) -> Self:
        """Return the legend of a machine type."""
        return cls(
            step=machine.step.word,
            channels={
                each.name: Wording(meaning=each.meaning, unit=each.unit) for each in machine.used
            },
        )
