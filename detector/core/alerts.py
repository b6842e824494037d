"""From a transition to the message a person reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.records import (
    Alert,
    ChannelShare,
    Level,
    ModelRef,
    Transition,
    derive_alert_id,
)
from detector.core.source import Reading
from models.alarm import AlarmChange

TOP_CHANNELS = 3
"""How many channels the sentence names; the list in the alert holds all of them."""


def model_label(model: ModelRef) -> str:
    """Return how score records and derived ids name a model: ``name@version``."""
    return f"{model.name}@{model.version}"


def contributions(
    names: tuple[str, ...], shares: NDArray[np.float64], directions: NDArray[np.int8]
) -> tuple[ChannelShare, ...]:
    """Return each channel's contribution, largest first; ties in channel order."""
    order = np.argsort(-shares, kind="stable")
    return tuple(
        ChannelShare(
            name=names[index],
            share=float(shares[index]),
            direction="high" if directions[index] > 0 else "low",
        )
        for index in order
    )


def make_alert(
    reading: Reading,
    run_id: str,
    alarm_id: str,
    score: float,
    change: AlarmChange,
    channels: tuple[ChannelShare, ...],
    model: ModelRef,
    warning: str = "",
) -> Alert:
    """Return the message of a transition; its ids are the same on every redelivery.

    Args:
        reading: Whose score caused it.
        run_id: Its run: the source's, or one opened by rule.
        alarm_id: Whose transition.
        score: That score.
        change: The transition.
        channels: Contributions, largest first.
        model: The model that scored it.
        warning: A sentence to add to the reason, such as that a sensor is stuck.
    """
    return Alert(
        alert_id=derive_alert_id(alarm_id, change.state, reading.cycle),
        alarm_id=alarm_id,
        fleet=reading.fleet,
        asset_id=reading.asset_id,
        run_id=run_id,
        level=Level.CRITICAL if change.level is Level.CRITICAL else Level.WARNING,
        state=change.state,
        alarm_sequence=change.state.sequence,
        onset_cycle=change.onset_cycle,
        cycle=reading.cycle,
        ts=reading.ts,
        score=score,
        threshold=change.threshold,
        channels=channels,
        model=model,
        reason=" ".join(filter(None, [_sentence(score, change, channels), warning])),
    )


def _sentence(score: float, change: AlarmChange, channels: tuple[ChannelShare, ...]) -> str:
    if change.state is Transition.CLEARED:
        return (
            f"Cleared: score {score:.3g} below {change.threshold:.3g} "
            f"for {change.row} readings in a row."
        )
    top = ", ".join(
        f"{channel.name} {channel.direction} ({channel.share:.0%})"
        for channel in channels[:TOP_CHANNELS]
    )
    verb = "Escalated" if change.state is Transition.ESCALATED else "Raised"
    return (
        f"{verb} to {change.level.value}: score {score:.3g} at or above {change.threshold:.3g} "
        f"for {change.row} readings in a row, since cycle {change.onset_cycle}. Mostly {top}."
    )
