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


@dataclass(frozen=True, slots=True)
class Topics:
    """The three topics of one installation.

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
    def dead_letter(self) -> str:
        """Messages that could not be used, with the reason."""
        return f"{self.prefix}.dead-letter"


@dataclass(frozen=True, slots=True)
class StateKeys:
    """Redis keys of one installation.

    Attributes:
        prefix: First part of every key.
    """

    prefix: str = "surgeline"

    def asset_state(self, asset_id: str, run_id: str) -> str:
        """Return the key of one asset's ring and alarm state.

        The asset id is length-prefixed, so that no choice of ids can make two assets share a key.
        The braces are Redis Cluster's hash tag: all runs of an asset live in one slot.
        """
        return f"{self.prefix}:state:{{{len(asset_id)}:{asset_id}}}:{run_id}"

    def intent(self, partition: int) -> str:
        """Return the key of the alerts that are about to be published of a partition."""
        return f"{self.prefix}:intent:{partition}"

    def progress(self, partition: int) -> str:
        """Return the key that says how far a partition of the readings topic has been applied."""
        return f"{self.prefix}:progress:{partition}"
