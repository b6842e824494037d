"""Values that are missing: for a few steps a channel's last measured value stands in for it.

Only while the machine is run as before: under other conditions the value would be another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import InvalidRecordError, RejectReason
from common.machines.machine import MachineType

NAMED: Final = 5
"""How many channels a sentence names."""

MOST_STEPS: Final = 2**16 - 1
"""What a state can remember; no channel is held for so long."""


class Held(NamedTuple):
    """A reading whose missing values were filled in.

    Attributes:
        row: The whole row, shape ``(width,)``.
        ages: Steps since each channel was last measured.
        detail: Which are held, and since when.
    """

    row: NDArray[np.float32]
    ages: tuple[int, ...]
    detail: str


class Holder:
    """Fills in what is missing in an asset's readings.

    Args:
        machine: Says how long each channel may be held.
        ages: Steps since each channel was last measured, at the latest row; empty for 0 each.
        latest: The latest row, shape ``(width,)``; none where there is nothing to hold.
    """

    def __init__(
        self, machine: MachineType, ages: tuple[int, ...], latest: NDArray[np.float32] | None
    ) -> None:
        self._machine = machine
        self._first = len(machine.conditions)
        self._ages = ages
        self._latest = latest

    @property
    def ages(self) -> tuple[int, ...]:
        """Steps since each channel was last measured; empty where all were just now."""
        return self._ages

    def forget(self) -> None:
        """Begin anew: what was measured before is of another run."""
        self._ages, self._latest = (), None

    def measured(self, row: NDArray[np.float32]) -> None:
        """Take note of a row in which nothing is missing."""
        self._ages, self._latest = (), row

    def fill(self, row: NDArray[np.float32], cycle: int, steps: int, *, anew: bool) -> Held:
        """Return a row with its missing values filled in; nothing is taken note of yet.

        Args:
            row: As measured, NaN where nothing was.
            cycle: Its cycle.
            steps: How many steps after the latest row it comes.
            anew: Whether a new run begins with it, which has nothing to hold.

        Raises:
            InvalidRecordError: If a channel has been missing for longer than it may be held, or the
                machine is no longer run as it was.
        """
        missing = np.isnan(row[self._first :])
        latest = None if anew else self._latest
        if latest is None:
            raise _nothing_held(_names(self._machine, np.flatnonzero(missing)))
        before = self._ages or (0,) * len(missing)
        ages = tuple(
            min(age + steps, MOST_STEPS) if absent else 0
            for age, absent in zip(before, missing.tolist(), strict=True)
        )
        used = self._machine.used
        worn = [index for index, age in enumerate(ages) if age > used[index].max_hold]
        if worn:
            raise _held_too_long(self._machine, worn, ages, cycle)
        if self._run_otherwise(row, latest):
            raise _of_other_conditions(self._machine, np.flatnonzero(missing), cycle - steps)
        filled = row.copy()
        filled[self._first :][missing] = latest[self._first :][missing]
        return Held(filled, ages, _detail(self._machine, ages, cycle))

    def _run_otherwise(self, row: NDArray[np.float32], latest: NDArray[np.float32]) -> bool:
        tolerances = np.array([each.tolerance for each in self._machine.conditions], np.float32)
        return bool((np.abs(row[: self._first] - latest[: self._first]) > tolerances).any())

    def take(self, held: Held) -> None:
        """Take note of a row that was filled in."""
        self._ages, self._latest = held.ages, held.row


def _detail(machine: MachineType, ages: Sequence[int], cycle: int) -> str:
    """Return which channels are held, such as ``held: P30 as of cycle 118``."""
    names, word = machine.channel_names, machine.step.word
    told = [f"{names[i]} as of {word} {cycle - age}" for i, age in enumerate(ages) if age]
    return f"held: {_listed(told)}"


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more


def _names(machine: MachineType, indices: Sequence[int] | NDArray[np.int64]) -> str:
    return _listed([machine.channel_names[index] for index in indices])


def _nothing_held(names: str) -> InvalidRecordError:
    return InvalidRecordError(
        RejectReason.MISSING_CHANNEL,
        f"sensors lacks {names}, which the model needs, and there is no earlier value to hold.",
    )


def _of_other_conditions(
    machine: MachineType, missing: NDArray[np.int64], cycle: int
) -> InvalidRecordError:
    return InvalidRecordError(
        RejectReason.MISSING_CHANNEL,
        f"sensors lacks {_names(machine, missing)}, which the model needs; the values of "
        f"{machine.step.word} {cycle} cannot stand in, since the machine was run otherwise then.",
    )


def _held_too_long(
    machine: MachineType, worn: Sequence[int], ages: Sequence[int], cycle: int
) -> InvalidRecordError:
    word, first = machine.step.word, worn[0]
    most = machine.used[first].max_hold
    return InvalidRecordError(
        RejectReason.MISSING_CHANNEL,
        f"sensors lacks {_names(machine, worn)}, which the model needs; a value is held for at "
        f"most {most} {word}{'' if most == 1 else 's'}, and that of {machine.channel_names[first]} "
        f"is of {word} {cycle - ages[first]}.",
    )
