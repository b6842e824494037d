"""What somebody has recorded of machines: one type of machine, and each asset's readings in order.

Readers make recordings (``common/readers/``); models learn from them, tools count what is in them,
and a replay sends them. None of these asks what file they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
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

    def part(self, rows: slice | NDArray[np.bool_]) -> AssetRecord:
        """Return some of the readings: a stretch, or those at which a mask is true."""
        optional: dict[str, Any] = {
            name: None if (values := getattr(self, name)) is None else values[rows]
            for name in ("clock_us", "healthy", "faulty", "life_left")
        }
        return replace(
            self,
            cycles=self.cycles[rows],
            conditions=self.conditions[rows],
            channels=self.channels[rows],
            **optional,
        )

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


def divided(recording: Recording, part: float) -> tuple[Recording, Recording]:
    """Return the first part of each asset's readings, and the rest of each.

    Assets of which nothing is left are left out.

    Args:
        recording: What to divide.
        part: How much of each asset comes first, 0 to 1; rounded down to whole readings.

    Raises:
        UserError: If it is no such part.
    """
    if not 0.0 <= part <= 1.0:  # nan is no part either
        raise UserError(f"{part} came; a part from 0 to 1 was expected, such as 0.6.")
    cuts = [int(len(asset) * part) for asset in recording.assets]
    pairs = tuple(zip(recording.assets, cuts, strict=True))
    first = (asset.part(slice(None, cut)) for asset, cut in pairs if cut)
    rest = (asset.part(slice(cut, None)) for asset, cut in pairs if cut < len(asset))
    return replace(recording, assets=tuple(first)), replace(recording, assets=tuple(rest))


def unlabelled(recording: Recording) -> Recording:
    """Return a recording of which nobody says what is healthy and what is not."""
    assets = tuple(replace(record, healthy=None, faulty=None) for record in recording.assets)
    return replace(recording, assets=assets)
