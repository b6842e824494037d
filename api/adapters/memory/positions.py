"""How far topics have been read, in memory."""

from __future__ import annotations

from collections.abc import Mapping

from api.ports import FeedPosition

Positions = dict[tuple[str, int], FeedPosition]
"""By topic and partition."""


def positions_of(source: str, kept: Positions) -> Mapping[int, FeedPosition]:
    """Return how far each partition of a topic was read."""
    return {partition: position for (name, partition), position in kept.items() if name == source}
