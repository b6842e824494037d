"""States as earlier versions of this program wrote them."""

from __future__ import annotations

from common.ring import Ring, pack_ring
from detector.core.state.alarm_codec import pack_more
from detector.core.state.asset import (
    FENCE,
    FORMER,
    HEADER,
    TAIL,
    WITHOUT_HISTORY,
    WITHOUT_MARKS,
    WITHOUT_MORE,
    AssetState,
)
from detector.core.state.history_codec import pack_history


def as_layout_5(state: AssetState) -> bytes:
    """Return a state as layout 5 has it: its ring is rows alone."""
    value = bytearray(state.pack())
    after_rows = len(pack_ring(Ring(state.ring, state.known_marks))) - state.ring.nbytes
    del value[len(value) - after_rows :]
    value[FENCE.size] = WITHOUT_MARKS
    return bytes(value)


def as_layout_4(state: AssetState) -> bytes:
    """Return a state as layout 4 has it: without the run's history."""
    value = bytearray(as_layout_5(state))
    end = len(value) - state.ring.nbytes
    del value[end - len(pack_history(state.history)) : end]
    value[FENCE.size] = WITHOUT_HISTORY
    return bytes(value)


def as_layout_3(state: AssetState) -> bytes:
    """Return a state as layout 3 has it: without history, and of its alarm the rows alone."""
    value = bytearray(as_layout_4(state))
    at = FENCE.size + HEADER.size + TAIL.size + len(state.former) * FORMER.size + len(state.fleet)
    del value[at : at + len(pack_more(state.alarm))]
    value[FENCE.size] = WITHOUT_MORE
    return bytes(value)
