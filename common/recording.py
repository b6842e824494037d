"""What somebody has recorded of machines: one type of machine, and each asset's readings in order.

Readers make recordings (``common/readers/``); models learn from them, tools count what is in them,
and a replay sends them. None of these asks what file they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType


@dataclass(frozen=True, slots=True)
class AssetRecord:
    """One asset's readings. The arrays are read-only.

    Attributes:
        asset_id: Whose.
        cycles: Shape ``(n,)``, int64: rising.
        clock_us: Shape ``(n,)``, int64: when each was taken, UTC epoch microseconds; none where
            nobody wrote it down.
        conditions: Shape ``(n, n_conditions)``: how it was run.
        channels: Shape ``(n, n_channels)``: what was measured, used or not, in the machine type's
            order; NaN where nothing was.
        healthy: Shape ``(n,)``: which readings are known to be of a sound machine; none where that
            is not known.
        faulty: Shape ``(n,)``: which are known to be of a failing one; none as above.
        life_left: Shape ``(n,)``: steps until it failed; none where it did not, or nobody knows.
    """

    asset_id: str
    cycles: NDArray[np.int64]
    clock_us: NDArray[np.int64] | None
    conditions: NDArray[np.float64]
    channels: NDArray[np.float64]
    healthy: NDArray[np.bool_] | None = None
    faulty: NDArray[np.bool_] | None = None
    life_left: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Return the number of readings."""
        return len(self.cycles)

    def values(self, machine: MachineType) -> NDArray[np.float64]:
        """Return what models look at: the conditions, then the used channels, ``(n, width)``."""
        columns = [index for index, channel in enumerate(machine.channels) if channel.used]
        return np.concatenate([self.conditions, self.channels[:, columns]], axis=1)


@dataclass(frozen=True, slots=True)
class Recording:
    """Some assets of one machine type.

    Attributes:
        name: What to call it, such as ``FD001`` or the file's name.
        machine: What was recorded.
        assets: In the order of the source.
        sha256: Digest of what it was read from, hexadecimal.
    """

    name: str
    machine: MachineType
    assets: Sequence[AssetRecord]
    sha256: str

    @property
    def rows(self) -> int:
        """Number of readings of all assets."""
        return sum(len(asset) for asset in self.assets)
