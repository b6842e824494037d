"""The states of a batch's assets: most stand in tables, and are made one by one only if asked for.

Who asks for an asset's state gets it, as of any mapping; who asks for how far all of them reach, or
for those of one fleet, makes none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, repeat
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from detector.core.state.asset import AssetState, Fence
from detector.core.state.many import pack_many
from detector.core.state.table import StateTable

Key = tuple[str, str]
"""(asset_id, run_id)."""

NOBODY: Final[Mapping[Key, AssetState]] = MappingProxyType({})

Row = tuple[StateTable, int]
"""A table, and where in it a state stands."""


class Stand(NamedTuple):
    """States that stand in a table.

    Attributes:
        keys: Whose they are.
        table: Where they stand.
        rows: At which of its rows each.
    """

    keys: Sequence[Key]
    table: StateTable
    rows: Sequence[int]


class States(Mapping[Key, AssetState]):
    """States by asset and run.

    Args:
        alone: Those that stand alone.
        stands: Those that stand in tables.

    Attributes:
        fences: How far each is applied.
    """

    def __init__(
        self, alone: Mapping[Key, AssetState] = NOBODY, stands: Iterable[Stand] = ()
    ) -> None:
        self._alone = dict(alone)
        self._rows: dict[Key, Row] = {}
        self.fences = {key: state.fence for key, state in alone.items()}
        for keys, table, rows in stands:
            fences = list(table.fences())
            self._rows.update(zip(keys, zip(repeat(table), rows), strict=False))
            self.fences.update(zip(keys, map(fences.__getitem__, rows), strict=True))

    @classmethod
    def of(cls, states: Mapping[Key, AssetState]) -> States:
        """Return states as these; without a copy where they are."""
        return states if isinstance(states, cls) else cls(states)

    def __getitem__(self, key: Key) -> AssetState:
        found = self._rows.get(key)
        if found is None:
            return self._alone[key]
        table, row = found
        return next(table.take(np.array([row])).states())

    def __iter__(self) -> Iterator[Key]:
        return iter(self.fences)

    def __len__(self) -> int:
        return len(self.fences)

    def __contains__(self, key: object) -> bool:
        return key in self.fences

    def made(self) -> dict[Key, AssetState]:
        """Return all of them as what stands alone."""
        found = dict(self._alone)
        for table, keys in self._by_table():
            rows = [self._rows[key][1] for key in keys]
            found.update(zip(keys, table.some(rows), strict=True))
        return found

    def _by_table(self) -> Iterator[tuple[StateTable, list[Key]]]:
        for table, keys in groupby(self._rows, self._table):
            if table is not None:
                yield table, list(keys)

    def row(self, key: Key) -> Row | None:
        """Return where a state stands, if it is in a table."""
        return self._rows.get(key)

    def fleet_of(self, key: Key) -> str:
        """Return of which fleet an asset is in a run."""
        found = self._rows.get(key)
        return self._alone[key].fleet if found is None else found[0].fleet

    def former(self, key: Key) -> Sequence[Fence]:
        """Return where an asset was at home before, oldest first."""
        found = self._alone.get(key)
        return () if found is None else found.former

    def update(self, other: States) -> None:
        """Take in others, in place of those that were there of the same assets' runs."""
        for key in self.fences.keys() & other.fences.keys():
            self._rows.pop(key, None)
            self._alone.pop(key, None)
        self._rows.update(other._rows)
        self._alone.update(other._alone)
        self.fences.update(other.fences)

    def without(self, keys: Collection[Key]) -> States:
        """Return those of all others."""
        found = States({key: state for key, state in self._alone.items() if key not in keys})
        found._rows = {key: row for key, row in self._rows.items() if key not in keys}
        found.fences.update((key, self.fences[key]) for key in found._rows)
        return found

    def pack(self, keys: Sequence[Key]) -> tuple[bytes, list[int]]:
        """Return the values of some, one behind the other, and the bytes of each."""
        parts: list[bytes] = []
        sizes: list[int] = []
        for table, group in groupby(keys, self._table):
            some = list(group)
            if table is None:
                packed, each = pack_many([self._alone[key] for key in some])
            else:
                rows = np.array([self._rows[key][1] for key in some])
                packed, each = table.take(rows).pack()
            parts.append(packed)
            sizes += each
        return parts[0] if len(parts) == 1 else b"".join(parts), sizes

    def _table(self, key: Key) -> StateTable | None:
        found = self._rows.get(key)
        return None if found is None else found[0]
