"""From a transition to the message a person reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.records.alerts import (
    Alert,
    ChannelShare,
    RemainingLife,
    Transition,
    derive_alert_id,
)
from common.records.verdicts import Evidence, Level
from detector.core.reading.source import Reading
from models.alarm import AlarmChange
from models.scoring.scorer import ScorerSpec

TOP_CHANNELS: Final = 3
"""How many channels the sentence names; the list in the alert holds all of them."""

MOST: Final = 0.5
"""The channels named must hold more than this part together; else many contribute alike."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an alarm changed.

    Attributes:
        evidence: What is held against the asset.
        severity: How much; 1 is a warning.
        score: Of that evidence.
        threshold: What it was compared with.
        channels: Contributions, largest first.
        life: How long is left, if the model knows.
    """

    evidence: Evidence
    severity: float
    score: float
    threshold: float
    channels: tuple[ChannelShare, ...]
    life: RemainingLife | None


def contributions(
    names: tuple[str, ...],
    shares: NDArray[np.float64],
    directions: NDArray[np.int8],
    against: NDArray[np.int8],
) -> tuple[ChannelShare, ...]:
    """Return each channel's contribution, largest first; ties in channel order.

    Args:
        names: Of the channels.
        shares: Shape ``(n_channels,)``.
        directions: Shape ``(n_channels,)``; above or below the healthy level.
        against: Shape ``(n_channels,)``; above or below what the model expects.
    """
    order = np.argsort(-shares, kind="stable")
    return tuple(
        ChannelShare(
            name=names[index],
            share=float(shares[index]),
            direction="high" if directions[index] > 0 else "low",
            against=None
            if against[index] == directions[index]
            else ("high" if against[index] > 0 else "low"),
        )
        for index in order
    )


def make_alert(
    reading: Reading,
    run_id: str,
    alarm_id: str,
    change: AlarmChange,
    cause: Cause,
    spec: ScorerSpec,
    warning: str = "",
) -> Alert:
    """Return the message of a transition; its ids are the same on every redelivery.

    Args:
        reading: Whose score caused it.
        run_id: Its run: the source's, or one opened by rule.
        alarm_id: Whose transition.
        change: The transition.
        cause: Why.
        spec: Of the model that scored it.
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
        flaps=change.flaps,
        onset_cycle=change.onset_cycle,
        cycle=reading.cycle,
        ts=reading.ts,
        evidence=cause.evidence,
        severity=cause.severity,
        score=cause.score,
        threshold=cause.threshold,
        life=cause.life,
        channels=cause.channels,
        model=spec.ref,
        reason=" ".join(filter(None, [_sentence(change, cause, spec), warning])),
    )


def life_in_words(life: RemainingLife, step: str) -> str:
    """Return how long is left as a person says it, without a full stop.

    Args:
        life: How long.
        step: What one step is called, such as ``cycle``.

    Example:
        >>> life_in_words(RemainingLife(expected=60.2, low=40.4, high=84.6), "cycle")
        'about 40 to 85 cycles left (90 %)'
        >>> life_in_words(RemainingLife(expected=110, low=81, high=125, at_least=True), "cycle")
        'more than 81 cycles left (95 %)'
    """
    if life.at_least:
        sure = (1 + life.coverage) / 2  # the other side is open
        return f"more than {life.low:.0f} {step}s left ({100 * sure:.0f} %)"
    return f"about {life.low:.0f} to {life.high:.0f} {step}s left ({100 * life.coverage:.0f} %)"


def _sentence(change: AlarmChange, cause: Cause, spec: ScorerSpec) -> str:
    if change.state is Transition.CLEARED:
        return (
            f"Cleared: {_scored(cause)} below {cause.threshold:.3g} "
            f"for {change.row} readings in a row.{_came_again(change)}"
        )
    verb = "Escalated" if change.state is Transition.ESCALATED else "Raised"
    parts = [
        f"{verb} to {change.level.value}: {_held(cause, spec)} for {_row(change)}, "
        f"since cycle {change.onset_cycle}.{_came_again(change)}",
        _named(cause),
    ]
    if cause.life is not None:
        said = life_in_words(cause.life, spec.machine.step.word)
        parts.append(f"{said[:1].upper()}{said[1:]}.")
    return " ".join(filter(None, parts))


def _row(change: AlarmChange) -> str:
    if change.among:
        return f"{change.row} of the last {change.among} readings"
    return f"{change.row} readings in a row"


def _came_again(change: AlarmChange) -> str:
    times = "once" if change.flaps == 1 else f"{change.flaps} times"
    return f" It had ended and come again {times}." if change.flaps else ""


def _scored(cause: Cause) -> str:
    return {
        Evidence.CHANNEL: f"channel score {cause.score:.3g}",
        Evidence.FROZEN: f"unmoved for {cause.score:.0f} readings,",
    }.get(cause.evidence, f"score {cause.score:.3g}")


def _held(cause: Cause, spec: ScorerSpec) -> str:
    if cause.evidence is Evidence.LIFE:
        return f"at most {spec.thresholds.life:.3g} {spec.machine.step.word}s expected to be left"
    if cause.evidence is Evidence.FROZEN:
        name = cause.channels[0].name
        return f"{name} has not moved for {cause.score:.0f} readings, which no sound one does,"
    return f"{_scored(cause)} at or above {cause.threshold:.3g}"


def _named(cause: Cause) -> str:
    if cause.evidence is Evidence.FROZEN:
        return ""
    top = cause.channels[:TOP_CHANNELS]
    if cause.evidence is Evidence.CHANNEL:
        top = top[:1]
    if sum(channel.share for channel in top) <= MOST and cause.evidence is not Evidence.CHANNEL:
        return "Spread over many sensors."
    listed = ", ".join(_direction(channel) for channel in top)
    return f"{'Above all' if cause.evidence is Evidence.CHANNEL else 'Mostly'} {listed}."


def _direction(channel: ChannelShare) -> str:
    said = f"{channel.name} {channel.direction}"
    if channel.against is not None:
        said += f", yet {channel.against} for this state"
    return f"{said} ({channel.share:.0%})"
