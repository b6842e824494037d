"""The states a batch comes to, each with what must be stored now for it to be written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from detector.core.pipeline import AssetRun, NextState
from detector.core.state.asset import AssetState, Fence
from detector.core.state.known import Stand, States


class NextStates(Mapping[AssetRun, NextState]):
    """By asset and run; those that stand in a table are made one by one only if asked for.

    Attributes:
        after: The states.
        expected: What the stored ones must be for each to be written.
    """

    def __init__(self, states: Mapping[AssetRun, NextState] | None = None) -> None:
        given = states or {}
        self.after = States({key: item.state for key, item in given.items()})
        self.expected: dict[AssetRun, Fence] = {key: item.expected for key, item in given.items()}

    @classmethod
    def of(cls, states: Mapping[AssetRun, NextState]) -> NextStates:
        """Return states as these; without a copy where they are."""
        return states if isinstance(states, cls) else cls(states)

    def __getitem__(self, key: AssetRun) -> NextState:
        return NextState(self.after[key], self.expected[key])

    def __iter__(self) -> Iterator[AssetRun]:
        return iter(self.after)  # those of one table are neighbours

    def __len__(self) -> int:
        return len(self.expected)

    def __contains__(self, key: object) -> bool:
        return key in self.expected

    def add(
        self,
        alone: Mapping[AssetRun, AssetState],
        stands: Iterable[Stand],
        expected: Mapping[AssetRun, Fence],
    ) -> None:
        """Add states, and what is expected of each."""
        self.after.update(States(alone, stands))
        self.expected.update(expected)

    def update(self, other: NextStates) -> None:
        """Take in others."""
        self.after.update(other.after)
        self.expected.update(other.expected)

    def pack(self, keys: Sequence[AssetRun]) -> tuple[bytes, list[int]]:
        """Return the values of some, one behind the other, and the bytes of each."""
        return self.after.pack(keys)
