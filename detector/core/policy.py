"""What is made of readings that are not as they should be: the rules, as the core needs them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InputPolicy:
    """The rules. Their defaults are the settings' (``common.settings.InputSettings``).

    Attributes:
        max_reading_bytes: A larger message is a dead letter.
        bridge_cycles: Longest gap, in missing cycles, that a window may span. Nothing is filled in:
            such a window holds the last readings there are. 0 refuses every gap.
        follow_after: Readings in a row that contradict what is known of an asset (its counter, its
            partition) and agree with each other, until they are believed. 0 never believes them.
    """

    max_reading_bytes: int
    bridge_cycles: int
    follow_after: int = 30
