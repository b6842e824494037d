"""Which readings the detector would refuse as they come: for many at once what decoding does.

``detector/core/reading/decoding.py`` decides record by record; a test holds that both agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from common.machines.machine import MachineType
from common.records.wire import Cycle
from detector.core.reading.decoding import LARGEST

CYCLE: Final[TypeAdapter[int]] = TypeAdapter(Cycle)


@dataclass(frozen=True, slots=True, eq=False)
class Refusals:
    """What would be refused, each reading for one reason at most.

    Attributes:
        no_cycle: The cycle is none that a message may have; shape ``(n,)``.
        no_condition: A condition is not there, or is no number a machine shows; shape ``(n,)``.
        nothing_measured: No used channel is there; shape ``(n,)``.
        out_of_range: A channel is not plausible; shape ``(n,)``.
        beyond: Which channels are not, shape ``(n, n_channels)``.
    """

    no_cycle: NDArray[np.bool_]
    no_condition: NDArray[np.bool_]
    nothing_measured: NDArray[np.bool_]
    out_of_range: NDArray[np.bool_]
    beyond: NDArray[np.bool_]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which readings are not refused, shape ``(n,)``."""
        refused = self.no_cycle | self.no_condition | self.nothing_measured | self.out_of_range
        return ~refused


def find_refusals(
    cycles: NDArray[np.int64], values: NDArray[np.float64], machine: MachineType
) -> Refusals:
    """Say which readings decoding would refuse.

    Args:
        cycles: Shape ``(n,)``, rising.
        values: Shape ``(n, width)``: the conditions, then the used channels, NaN where blank.
        machine: What is measured, and what is plausible.
    """
    first = len(machine.conditions)
    conditions, channels = values[:, :first], values[:, first:]
    limits = np.array(machine.limits)
    # a comparison with NaN is false: what is blank is not beyond anything
    beyond = (channels < limits[:, 0]) | (channels > limits[:, 1]) | (np.abs(channels) > LARGEST)
    no_cycle = _no_cycle(cycles)
    no_condition = ~no_cycle & np.any(~(np.abs(conditions) <= LARGEST), axis=1)
    earlier = no_cycle | no_condition
    nothing_measured = ~earlier & np.all(np.isnan(channels), axis=1)
    out_of_range = ~earlier & ~nothing_measured & beyond.any(axis=1)
    return Refusals(
        no_cycle, no_condition, nothing_measured, out_of_range, beyond & out_of_range[:, None]
    )


def _no_cycle(cycles: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Ask the wire's own type, of each cycle only if the first or last one is refused."""
    if all(_is_cycle(cycle) for cycle in (*cycles[:1].tolist(), *cycles[-1:].tolist())):
        return np.zeros(len(cycles), bool)
    return np.array([not _is_cycle(cycle) for cycle in cycles.tolist()], bool)


def _is_cycle(cycle: int) -> bool:
    try:
        CYCLE.validate_python(cycle)
    except ValidationError:
        return False
    return True
