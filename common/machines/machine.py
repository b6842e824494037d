"""What a kind of machine reports: channels, the conditions it runs under, what one reading counts.

A machine type travels whole in every artifact: a worker asks its model's, and no other file.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SLUG_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$"
"""Names of machine types, models and versions: safe in a path, a key and a tag alike."""

MAX_NAME_CHARS: Final = 64
MAX_CHANNELS: Final = 1000
DIGEST_BYTES: Final = 16

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Whole = TypeVar("Whole", int, "NDArray[np.int64]")

Clock = Literal["counter", "time"]
Positive = Annotated[float, Field(gt=0.0)]


def _printable(name: str) -> str:
    if name != name.strip() or not name.isprintable() or not 1 <= len(name) <= MAX_NAME_CHARS:
        raise ValueError(
            f"{name[:MAX_NAME_CHARS]!r} cannot name a channel: 1 to {MAX_NAME_CHARS} printable "
            "characters were expected, without spaces at either end"
        )
    if "\\" in name:
        raise ValueError(f"{name!r} cannot name a channel: no backslash was expected")
    return name


ChannelName = Annotated[str, AfterValidator(_printable)]


class Part(BaseModel):
    """Base of all parts: immutable, nothing unknown, no silent conversion, finite numbers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True
    )


class Step(Part):
    """What one reading counts.

    Attributes:
        word: What screens call it: "cycle 12".
        clock: ``counter``: the source counts and says ``cycle``. ``time``: it does not; the cycle
            is the tick of ``interval_s`` that the reading's ``ts`` is nearest to, from 1970.
        interval_s: Nominal time between two readings, s; needed where the clock is ``time``.
        tolerance: How far ``ts`` may lie from its tick, as a part of the interval; beyond it the
            reading is refused. Half an interval, the most there can be, refuses none.
    """

    word: Annotated[str, Field(pattern=r"^[a-z][a-z -]{0,31}$")] = "cycle"
    clock: Clock = "counter"
    interval_s: Annotated[float, Field(ge=1e-6, le=366 * 86_400.0)] | None = None
    tolerance: Annotated[float, Field(gt=0.0, le=0.5)] = 0.5

    @property
    def interval_us(self) -> int:
        """The interval in whole microseconds.

        Raises:
            ValueError: If there is none.
        """
        if self.interval_s is None:
            raise ValueError("a step without interval_s came; one with it was expected")
        return max(1, round(self.interval_s * 1e6))

    def tick(self, clock_us: Whole) -> tuple[Whole, Whole]:
        """Return the tick of the interval nearest to a time, and how far it is off, microseconds.

        Args:
            clock_us: UTC epoch microseconds; one time, or an array of them.

        Example:
            >>> Step(clock="time", interval_s=60.0).tick(1_767_225_602_500_000)
            (29453760, 2500000)
        """
        interval_us = self.interval_us
        tick = (2 * clock_us + interval_us) // (2 * interval_us)
        return tick, abs(clock_us - tick * interval_us)

    @model_validator(mode="after")
    def _timed(self) -> Self:
        if self.clock == "time" and self.interval_s is None:
            raise ValueError('clock = "time" needs interval_s, the time between two readings')
        return self


class Window(Part):
    """What a model looks at: the latest readings in a row."""

    length: Annotated[int, Field(ge=2, le=10_000)] = 30


class Condition(Part):
    """How the machine is run while it is measured: not judged, but told apart.

    Attributes:
        name: As the source calls it.
        meaning: In words.
        unit: Unit of measurement; empty when dimensionless.
        tolerance: Readings nearer than about this are run the same way.
    """

    name: ChannelName
    meaning: str = ""
    unit: str = ""
    tolerance: Positive


class Channel(Part):
    """One thing that is measured.

    Attributes:
        name: As the source calls it: on the wire, in artifacts and on screens.
        meaning: What it measures, in words.
        unit: Unit of measurement; empty when dimensionless.
        lowest: Smallest plausible value, in that unit; none for no limit.
        highest: Largest plausible value; none for no limit.
        used: Whether models look at it. What they do not look at never refuses a reading.
        max_hold: For so many steps a value that is missing stands in for itself; 0 for never.
    """

    name: ChannelName
    meaning: str = ""
    unit: str = ""
    lowest: float | None = None
    highest: float | None = None
    used: bool = True
    max_hold: Annotated[int, Field(ge=0, le=1000)] = 3

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.limits
        if not low < high:
            raise ValueError(f"{self.name}: lowest {low:g} is not below highest {high:g}")
        return self

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest plausible value; infinite where there is no limit."""
        lowest = -math.inf if self.lowest is None else self.lowest
        return lowest, math.inf if self.highest is None else self.highest

    def plausible(self, value: float) -> bool:
        """Return whether a sound sensor could read this."""
        low, high = self.limits
        return low <= value <= high

    def __str__(self) -> str:
        """Return name, meaning and unit for a sentence."""
        meaning = f", {self.meaning}," if self.meaning else ""
        return f"{self.name}{meaning}"


class MachineType(Part):
    """All there is to know of a kind of machine before any model.

    Attributes:
        name: Short name.
        title: Name for people.
        source: Where the description comes from.
        step: What one reading counts.
        window: What a model looks at.
        conditions: How it is run; may be none.
        channels: What is measured, used or not, in the order of the source.
    """

    name: Annotated[str, Field(pattern=SLUG_PATTERN)]
    title: str = ""
    source: str = ""
    step: Step = Step()
    window: Window = Window()
    conditions: Annotated[tuple[Condition, ...], Field(alias="condition", max_length=16)] = ()
    channels: Annotated[
        tuple[Channel, ...], Field(alias="channel", min_length=1, max_length=MAX_CHANNELS)
    ]

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        names = [condition.name for condition in self.conditions]
        names += [channel.name for channel in self.channels]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"{', '.join(twice)} came twice; each name once was expected")
        if not any(channel.used for channel in self.channels):
            raise ValueError("no channel is used; at least one was expected")
        return self

    @cached_property
    def condition_names(self) -> tuple[str, ...]:
        """Names of the conditions, in order."""
        return tuple(condition.name for condition in self.conditions)

    @cached_property
    def used(self) -> tuple[Channel, ...]:
        """The channels that models look at, in order."""
        return tuple(channel for channel in self.channels if channel.used)

    @cached_property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the used channels: the columns of a window."""
        return tuple(channel.name for channel in self.used)

    @cached_property
    def limits(self) -> tuple[tuple[float, float], ...]:
        """Smallest and largest plausible value of each used channel."""
        return tuple(channel.limits for channel in self.used)

    @cached_property
    def row_width(self) -> int:
        """Values in a row: the conditions, then the used channels."""
        return len(self.conditions) + len(self.used)

    @cached_property
    def digest(self) -> bytes:
        """What makes two rows mean the same: 16 bytes over names and units, in order, and clock."""
        step = self.step
        parts = [
            self.name,
            [step.clock, step.interval_s if step.clock == "time" else None],
            [[condition.name, condition.unit] for condition in self.conditions],
            [[channel.name, channel.unit] for channel in self.used],
        ]
        return hashlib.sha256(json.dumps(parts).encode()).digest()[:DIGEST_BYTES]

    def using(self, names: tuple[str, ...], window_length: int | None = None) -> MachineType:
        """Return the machine type with other channels in use, and perhaps another window.

        Raises:
            ValueError: If there is no channel of a name, or the order is not the source's.
        """
        known = tuple(channel.name for channel in self.channels)
        if not names or names != tuple(name for name in known if name in names):
            raise ValueError(
                f"channels {', '.join(names) or 'none'} came; distinct ones of "
                f"{', '.join(known)} were expected, in this order"
            )
        changed = [
            channel.model_copy(update={"used": channel.name in names}) for channel in self.channels
        ]
        fields = {name: getattr(self, name) for name in MachineType.model_fields}
        if window_length is not None:
            fields["window"] = Window(length=window_length)
        return MachineType(**{**fields, "channels": tuple(changed)})
