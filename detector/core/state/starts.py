"""Where a batch's assets start from: what is remembered of each, as the model takes it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detector.core.fleet import Fleet
from detector.core.state.asset import AssetState
from detector.core.state.known import Key, States
from detector.core.state.table import StateTable, is_plain


@dataclass(frozen=True, slots=True)
class Starts:
    """The states of assets of one fleet.

    Attributes:
        table: Those that go on under the fleet's model as they are, in the order of the assets.
        places: Which of all assets these are, ascending, shape ``(len(table),)``.
        alone: The others, by asset.
    """

    table: StateTable
    places: NDArray[np.int64]
    alone: Mapping[int, AssetState]

    def __len__(self) -> int:
        return len(self.places) + len(self.alone)

    def some(self, which: Sequence[int]) -> list[AssetState]:
        """Return the states of some assets, in the order asked for."""
        found = dict(self.alone)
        if rows := [asset for asset in which if asset not in found]:
            at = np.searchsorted(self.places, rows)
            found.update(zip(rows, self.table.take(at).states(), strict=True))
        return [found[asset] for asset in which]

    @classmethod
    def of(cls, states: Sequence[AssetState], fleet: Fleet) -> Self:
        """Return states that stand alone as what a fleet's assets start from."""
        spec = fleet.spec
        alone = {asset: state.under(spec) for asset, state in enumerate(states)}
        channels = len(spec.machine.used)
        plain = [
            asset
            for asset, state in alone.items()
            if is_plain(state)
            and state.fleet == fleet.name
            and state.history.sums.shape[1] in (0, channels)
        ]
        table = StateTable.of([alone[asset] for asset in plain]) if plain else None
        if table is None:  # or a number is too large for its field: the definition says so
            return cls(_nothing(fleet), np.empty(0, np.int64), alone)
        others = {asset: state for asset, state in alone.items() if asset not in set(plain)}
        return cls(table, np.array(plain), others)

    @classmethod
    def known(
        cls, keys: Sequence[Key], states: States, new: Mapping[Key, AssetState], fleet: Fleet
    ) -> Self:
        """Return what assets start from, given what is known of them.

        Args:
            keys: The assets.
            states: What is known.
            new: The states of those of whom nothing is known.
            fleet: Theirs.
        """
        spec = fleet.spec
        table = next((row[0] for key in keys if (row := states.row(key))), None)
        places: list[int] = []
        rows: list[int] = []
        alone: dict[int, AssetState] = {}
        for asset, key in enumerate(keys):
            row = states.row(key)
            if row is not None and row[0] is table:
                places.append(asset)
                rows.append(row[1])
            else:
                alone[asset] = new[key] if key in new else states[key].under(spec)
        if table is None:
            return cls.of(list(alone.values()), fleet)
        if rows != list(range(len(table))):
            table = table.take(np.array(rows))
        at = np.array(places)
        good = table.goes_on_under(spec)
        odd = table.where(~good).states() if not good.all() else ()
        for asset, state in zip(at[~good].tolist(), odd, strict=True):
            alone[asset] = state.under(spec)
        return cls(table.where(good), at[good], alone)


def _nothing(fleet: Fleet) -> StateTable:
    return StateTable.nothing(fleet.name, fleet.spec.machine.row_width)
