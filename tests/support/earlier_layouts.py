"""States as earlier versions of this program wrote them."""

from __future__ import annotations

from detector.core.state.alarm_codec import pack_more
from detector.core.state.asset import (
    FENCE,
    FORMER,
    HEADER,
    TAIL,
    WITHOUT_HISTORY,
    WITHOUT_MORE,
    AssetState,
)
from detector.core.state.history_codec import pack_history


def as_layout_4(state: AssetState) -> bytes:
    """Return a state as layout 4 has it: without the run's history."""
    value = bytearray(state.pack())
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
