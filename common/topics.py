"""What things are called outside the process: topics, Redis keys, measurements.

A name written anywhere else is a defect; ``tests/architecture`` looks for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCORE_MEASUREMENT: Final = "score"
REPEAT_MEASUREMENT: Final = "repeat"

COARSE_POLICY: Final = "coarse"
"""InfluxDB's retention policy of hourly scores; in 2.x it follows the bucket's name and a slash."""

COARSE_MEASUREMENT: Final = "score_hour"

HASH_TAGS: Final = 64
"""Slots of a Redis Cluster an installation's keys are gathered in: few enough for a batch to need
few commands, many enough to be spread evenly over some ten nodes. Another number is another place
for every key, and all states would be rebuilt from the topic."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The four topics of one installation.

    Attributes:
        prefix: First part of every name; installations sharing a broker differ in it.
    """

    prefix: str = "surgeline"

    @property
    def readings(self) -> str:
        """Readings of all assets, keyed by asset id."""
        return f"{self.prefix}.readings"

    @property
    def alerts(self) -> str:
        """Alarm transitions, keyed by asset id."""
        return f"{self.prefix}.alerts"

    @property
    def evidence(self) -> str:
        """What each alert rests on, keyed by asset id."""
        return f"{self.prefix}.evidence"

    @property
    def dead_letter(self) -> str:
        """Messages that could not be used, with the reason."""
        return f"{self.prefix}.dead-letter"


@dataclass(frozen=True, slots=True)
class StateKeys:
    """Redis keys of one installation.

    On a single server the braces mean nothing. In a Redis Cluster they are the hash tag: keys with
    the same tag are in one slot, so that one command reads or writes them all.

    Attributes:
        prefix: First part of every key.
        clustered: Whether keys are gathered in ``HASH_TAGS`` slots, as a cluster needs it.
    """

    prefix: str = "surgeline"
    clustered: bool = False

    def asset_state(self, asset_id: str, run_id: str, tag: int = 0) -> str:
        """Return the key of one asset's ring and alarm state.

        The asset id is length-prefixed, so that no choice of ids can make two assets share a key.

        Args:
            asset_id: Whose.
            run_id: Of which run.
            tag: Which of the ``HASH_TAGS`` the asset has; of no account on a single server.
        """
        name = f"{len(asset_id)}:{asset_id}"
        if self.clustered:
            return f"{self.prefix}:state:{self._tag(tag)}:{name}:{run_id}"
        return f"{self.prefix}:state:{{{name}}}:{run_id}"

    def partition(self, partition: int) -> str:
        """Return the key of what is known of a partition of the readings topic.

        A hash: how far the partition has been applied, the alerts that are about to be published of
        it, and how far the state of each asset reaches that is at home there.
        """
        if self.clustered:
            return f"{self.prefix}:partition:{self._tag(partition % HASH_TAGS)}:{partition}"
        return f"{self.prefix}:partition:{partition}"

    def earlier_progress(self, partition: int) -> str:
        """Return the key earlier versions used for how far a partition had been applied."""
        return f"{self.prefix}:progress:{partition}"

    def earlier_intent(self, partition: int) -> str:
        """Return the key earlier versions used for the alerts that are about to be published."""
        return f"{self.prefix}:intent:{partition}"

    def _tag(self, number: int) -> str:
        return f"{{{self.prefix}.{number}}}"
