"""What the live detector does unless settings say otherwise, for maths that must reckon with it.

Settings take their defaults from here, so that a threshold is chosen for the very alarm that will
use it. Constants alone: the pure rooms of ``models`` may import them.
"""

from __future__ import annotations

from typing import Final

ON_DELAY_CYCLES: Final = 3
"""Anomalous cycles in a row that raise an alarm."""

BRIDGE_CYCLES: Final = 3
"""Missing cycles that a row of scores may span; after more the warm-up begins anew."""
