"""A rule of a what-if replay: a model, thresholds of one's own, and when scores become alarms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields, replace
from typing import Final

from pydantic import ValidationError

from common.errors import UserError
from common.settings import AlarmSettings
from detector.core.fleet import Fleet
from models.alarm import AlarmPolicy
from models.scoring.scorer import Thresholds

THRESHOLD_NAMES: Final = tuple(each.name for each in fields(Thresholds))

ALARM_FIELDS: Final = {
    "on_delay": "on_delay_cycles",
    "on_window": "on_window_cycles",
    "off_delay": "off_delay_cycles",
    "min_length": "min_length_cycles",
    "merge_gap": "merge_gap_cycles",
    "deadband": "deadband",
}


def in_words(fleet: Fleet) -> str:
    """Return what makes alerts out of a fleet's readings."""
    spec, alarm, bridge = fleet.spec, fleet.alarm, fleet.inputs.bridge_cycles
    gaps = f"gaps of up to {bridge} bridged" if bridge else "gaps refused"
    thresholds, word = spec.thresholds, spec.machine.step.word
    parts = [spec.ref.label, f"warning from {thresholds.warning:.4g}"]
    if thresholds.channel is not None:
        parts.append(f"of single channels from {thresholds.channel:.4g}")
    if thresholds.life is None:
        parts.append(f"critical from {thresholds.critical:.4g}")
    else:
        parts.append(f"critical at {thresholds.life:g} {word}s left")
    return ", ".join([*parts, *_alarm_in_words(alarm), gaps])


def _alarm_in_words(alarm: AlarmPolicy) -> Iterator[str]:
    among = "" if alarm.in_a_row else f" of {alarm.on_window_cycles}"
    yield f"on-delay {alarm.on_delay_cycles}{among}, off-delay {alarm.off_delay_cycles}"
    yield f"deadband {alarm.deadband:g}"
    if alarm.min_length_cycles:
        yield f"open for {alarm.min_length_cycles} at least"
    if alarm.merge_gap_cycles:
        yield f"merged over {alarm.merge_gap_cycles}"


def check_thresholds(texts: Iterable[str]) -> list[tuple[str, float]]:
    """Return names and values of texts such as ``warning=0.6``.

    Raises:
        UserError: If a text is no such thing.
    """
    return list(_assignments(texts, THRESHOLD_NAMES, "threshold"))


def parse_thresholds(texts: Iterable[str], base: Thresholds) -> Thresholds:
    """Return thresholds with some of them set, from texts such as ``warning=0.6``.

    Raises:
        UserError: If a text is no such thing, or warning would be above critical.
    """
    thresholds = base
    for name, value in check_thresholds(texts):
        _require_used(name, value, base)
        thresholds = replace(thresholds, **{name: value})
    if thresholds.life is None and thresholds.warning > thresholds.critical:
        raise UserError(
            f"The warning threshold {thresholds.warning:.6g} would be above the critical one, "
            f"{thresholds.critical:.6g}; set both, such as --threshold warning=1 "
            "--threshold critical=2."
        )
    return thresholds


def _require_used(name: str, value: float, base: Thresholds) -> None:
    """Refuse a threshold that this model has not, or that would count for nothing."""
    if name == "critical" and base.life is not None:
        raise UserError(
            f"critical={value:g} came; of this model what is critical is said by how much life is "
            f"left: set life, now {base.life:g}."
        )
    if name in ("channel", "life") and getattr(base, name) is None:
        kind = "score of single channels" if name == "channel" else "remaining life"
        raise UserError(f"{name}={value:g} came; this model has no {kind}. Leave it out.")
    if name in ("channel", "life") and value <= 0:
        raise UserError(f"{name}={value:g} came; expected a number above 0.")


def parse_alarm(texts: Iterable[str], base: AlarmPolicy) -> AlarmPolicy:
    """Return the alarm rule with some of it set, from texts such as ``on_delay=5``.

    Raises:
        UserError: If a text is no such thing, or out of bounds.
    """
    values = asdict(base)
    for name, value in _assignments(texts, tuple(ALARM_FIELDS), "alarm"):
        values[ALARM_FIELDS[name]] = value
    try:
        return AlarmPolicy(**AlarmSettings.model_validate(values).model_dump())
    except ValidationError as exc:
        first = exc.errors()[0]
        raise UserError(
            f"--alarm {first['loc'][0]}: {first['msg']} (got {first['input']:g})."
        ) from exc
    except ValueError as exc:
        raise UserError(f"--alarm: {exc}.") from exc


def _assignments(
    texts: Iterable[str], names: Sequence[str], option: str
) -> Iterable[tuple[str, float]]:
    for text in texts:
        name, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if name.strip() not in names or not math.isfinite(value):
            raise UserError(
                f"--{option} {text!r} came; expected NAME=NUMBER with NAME one of "
                f"{', '.join(names)}."
            )
        yield name.strip(), value
