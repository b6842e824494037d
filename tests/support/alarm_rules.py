"""Alarm rules of every kind, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from models.alarm import AlarmPolicy


@st.composite
def alarm_rules(draw: st.DrawFn) -> AlarmPolicy:
    """Draw a rule: short rows, so that short streams raise and clear."""
    on_delay = draw(st.integers(1, 4))
    return AlarmPolicy(
        on_delay,
        draw(st.integers(1, 5)),
        draw(st.sampled_from([0.0, 0.05])),
        draw(st.one_of(st.just(0), st.integers(on_delay, 9))),
        draw(st.integers(0, 12)),
        draw(st.integers(0, 8)),
    )
