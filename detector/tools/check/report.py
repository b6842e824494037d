"""How many readings would be scored, and why not the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

ENOUGH: Final = 0.5
"""Where a smaller part would be scored, the machine type does not fit the data."""


class Outcome(StrEnum):
    """What would become of a row of the data."""

    SCORED = "scored"
    WARMING_UP = "warming up"
    GAP = "gap"
    BLANK_TOO_LONG = "blank too long"
    NOTHING_MEASURED = "all blank"
    OUT_OF_RANGE = "out of range"
    NO_CONDITION = "no condition"
    UNKNOWN_REGIME = "unknown regime"
    SAME_TICK = "same tick"
    OFF_TICK = "off its tick"
    WITHOUT_TIME = "no time"
    WITHOUT_ASSET = "no asset"
    NO_CYCLE = "no cycle"
    REPEATED = "repeated"

    @property
    def meaning(self) -> str:
        """The outcome in words."""
        return MEANINGS[self]


MEANINGS: Final[Mapping[Outcome, str]] = {
    Outcome.SCORED: "a full window ends here",
    Outcome.WARMING_UP: "the window is not full yet: at the start, or after a gap",
    Outcome.GAP: "the first reading after a gap that is too long to span",
    Outcome.BLANK_TOO_LONG: "a channel is blank for longer than max_hold, or from the start",
    Outcome.NOTHING_MEASURED: "every channel is blank",
    Outcome.OUT_OF_RANGE: "a channel is below lowest or above highest",
    Outcome.NO_CONDITION: "a condition is blank",
    Outcome.UNKNOWN_REGIME: "the model has learned nothing like its conditions",
    Outcome.SAME_TICK: "another reading of the same tick, or cycle, came first",
    Outcome.OFF_TICK: "the time is too far from a tick of interval_s",
    Outcome.WITHOUT_TIME: "the time, or the count, is blank",
    Outcome.WITHOUT_ASSET: "the column of assets is blank",
    Outcome.NO_CYCLE: "its cycle is beyond what a message may have",
    Outcome.REPEATED: "it repeats a cycle",
}


class ChannelTally(NamedTuple):
    """One channel.

    Attributes:
        blank: Readings in which it is blank.
        held: Those of them that are used, with its last value standing in.
        lost: Readings refused for blanks, in which it is blank, too.
        out_of_range: Readings refused because it is not plausible.
    """

    blank: int = 0
    held: int = 0
    lost: int = 0
    out_of_range: int = 0

    def plus(self, other: ChannelTally) -> ChannelTally:
        """Return the sums."""
        return ChannelTally(*(mine + its for mine, its in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class AssetTally:
    """One asset.

    Attributes:
        asset_id: Which.
        outcomes: How many rows became what.
        held: Rows that are used although something is blank.
        channels: By name.
    """

    asset_id: str
    outcomes: Mapping[Outcome, int]
    held: int
    channels: Mapping[str, ChannelTally]

    @property
    def rows(self) -> int:
        """Rows of the data."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All assets.

    Attributes:
        source: What was read.
        machine: Name of the machine type.
        window_length: Readings in a window.
        assets: In the order of the source.
        remarks: What was decided while it was read.
        without_asset: Rows that are of no asset.
    """

    source: str
    machine: str
    window_length: int
    assets: tuple[AssetTally, ...]
    remarks: tuple[str, ...] = ()
    without_asset: int = 0

    @property
    def rows(self) -> int:
        """Rows of the data."""
        return sum(asset.rows for asset in self.assets) + self.without_asset

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many rows became what, over all assets."""
        found = Counter({Outcome.WITHOUT_ASSET: self.without_asset})
        for asset in self.assets:
            found.update(asset.outcomes)
        return found

    @property
    def held(self) -> int:
        """Rows that are used although something is blank."""
        return sum(asset.held for asset in self.assets)

    @property
    def channels(self) -> dict[str, ChannelTally]:
        """By name, over all assets."""
        found: dict[str, ChannelTally] = {}
        for asset in self.assets:
            for name, tally in asset.channels.items():
                found[name] = found.get(name, ChannelTally()).plus(tally)
        return found

    @property
    def scored(self) -> int:
        """Rows that would be scored."""
        return self.outcomes[Outcome.SCORED]

    @property
    def enough(self) -> bool:
        """Whether half of the rows would be scored, at least."""
        return self.scored > 0 and self.scored >= ENOUGH * self.rows

    def sentence(self) -> str:
        """Return the finding in one sentence."""
        part = self.scored / self.rows if self.rows else 0.0
        return f"{self.scored:,} of {self.rows:,} readings would be scored ({part:.1%})."

    def as_json(self) -> dict[str, object]:
        """Return the report as JSON values."""
        return {
            "source": self.source,
            "machine": self.machine,
            "window_length": self.window_length,
            "rows": self.rows,
            "scored": self.scored,
            "enough": self.enough,
            "held": self.held,
            "outcomes": _named(self.outcomes),
            "channels": {name: tally._asdict() for name, tally in self.channels.items()},
            "assets": [
                {
                    "asset_id": asset.asset_id,
                    "rows": asset.rows,
                    "held": asset.held,
                    "outcomes": _named(asset.outcomes),
                    "channels": {name: tally._asdict() for name, tally in asset.channels.items()},
                }
                for asset in self.assets
            ],
            "remarks": list(self.remarks),
        }


def _named(outcomes: Mapping[Outcome, int]) -> dict[str, int]:
    return {each.name.lower(): outcomes[each] for each in Outcome if outcomes.get(each)}
