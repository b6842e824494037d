"""When the next reading and the next score of a machine are due. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from common.machines.machine import MachineType
from common.settings import SilenceSettings

OFF = "SURGELINE_SILENCE__AFTER_STEPS is 0"
COUNTED = (
    "its machines count their readings and say no time between two; "
    "SURGELINE_SILENCE__COUNTED_AFTER_S is 0"
)
NO_MACHINE = "its machine type is not known"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long after the last one the next is overdue.

    Attributes:
        reading: Without any reading for so long, a machine is silent.
        score: Without a score for so long while readings come, it is not being scored: the deadline
            of a reading, and the time that a new window takes to fill.
    """

    reading: timedelta
    score: timedelta


def deadlines_of(machine: MachineType | None, settings: SilenceSettings) -> Deadlines | str:
    """Return a fleet's deadlines, or why it is not watched.

    Nothing is due before a second look could find it: no deadline is shorter than three looks.

    Args:
        machine: The fleet's machine type; none if it is not known.
        settings: How many steps late is too late.
    """
    if settings.after_steps == 0:
        return OFF
    if machine is None:
        return NO_MACHINE
    interval_s = machine.step.interval_s
    if interval_s is None:
        if settings.counted_after_s == 0:
            return COUNTED
        interval_s = settings.counted_after_s / settings.after_steps
    late_s = max(settings.after_steps * interval_s, 3 * settings.every_s)
    return Deadlines(
        timedelta(seconds=late_s),
        timedelta(seconds=late_s + machine.window.length * interval_s),
    )
