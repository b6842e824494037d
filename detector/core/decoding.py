"""From the bytes of a record to a reading, or to the reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from common.channels import BY_NAME, SETTING_NAMES
from common.errors import InvalidRecordError, RejectReason
from common.records import AssetId, Cycle, IncomingReading, RunId, UtcTimestamp
from detector.core.policy import InputPolicy
from detector.core.source import SourceRecord

SHOWN_CHARACTERS: Final = 120

NUMBERS: Final = frozenset({int, float})
"""Not ``bool``, which is an ``int`` to Python and no measurement to anyone."""

LARGEST: Final = 1e18
"""Of any value. Far beyond any machine, and far enough from the largest 32-bit float: squares of
deviations stay finite."""

Limits = tuple[tuple[str, float, float], ...]
"""Of each used sensor: name, lowest and highest plausible value."""


class ReadingIdentity(BaseModel):
    """Whose reading an otherwise unusable message claims to be."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    asset_id: AssetId
    run_id: RunId
    cycle: Cycle
    ts: UtcTimestamp


def decode(record: SourceRecord, channels: tuple[str, ...], policy: InputPolicy) -> IncomingReading:
    """Return the reading a record holds; what the model uses of it is a plausible number.

    Args:
        record: What came.
        channels: The sensors the model uses; all must be there.
        policy: What is too large, and whether values must be plausible.

    Raises:
        InvalidRecordError: With the reason code and a sentence.
    """
    value = record.value
    if not value:
        raise InvalidRecordError(RejectReason.EMPTY, "The message has no value.")
    if len(value) > policy.max_reading_bytes:
        raise InvalidRecordError(
            RejectReason.TOO_LARGE,
            f"The message has {len(value):,} bytes; a reading has at most "
            f"{policy.max_reading_bytes:,}.",
        )
    try:
        reading = IncomingReading.model_validate_json(value)
    except ValidationError as exc:
        raise _rejection(value, exc) from exc
    if record.key != reading.asset_id.encode():
        raise InvalidRecordError(
            RejectReason.KEY_MISMATCH,
            f"The key is {_shown(record.key)}, the reading's asset_id {reading.asset_id!r}; they "
            "must be equal, or the readings of one asset lose their order.",
        )
    _require_numbers(reading.settings, SETTING_NAMES, "settings")
    _require_numbers(reading.sensors, channels, "sensors")
    if policy.check_ranges:
        _require_plausible(reading.sensors, _limits(channels))
    return reading


def identify(record: SourceRecord) -> ReadingIdentity | None:
    """Return whose reading a rejected record claims to be, if it says so intelligibly."""
    if not record.value:
        return None
    try:
        return ReadingIdentity.model_validate_json(record.value)
    except ValidationError:
        return None


def _rejection(value: bytes, exc: ValidationError) -> InvalidRecordError:
    first = exc.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])[:SHOWN_CHARACTERS] or "message"
    kind = first["type"]
    came = _excerpt(first["input"]) if first["loc"] else _shown(value)
    if kind == "json_invalid":
        reason = RejectReason.MALFORMED_JSON if _is_utf8(value) else RejectReason.NOT_UTF8
    elif first["loc"] == ("cycle",):
        reason = RejectReason.INVALID_CYCLE
    else:
        reason = RejectReason.SCHEMA
    more = exc.error_count() - 1
    others = f" ({more} more)" if more else ""
    return InvalidRecordError(reason, f"{field}: {first['msg']}; got {came}{others}.")


def _require_numbers(values: Mapping[str, Any], names: Sequence[str], group: str) -> None:
    """Refuse a reading in which a value the model uses is no number; the others may be anything."""
    try:
        used = [values[name] for name in names]
        if NUMBERS.issuperset(map(type, used)) and sum(map(abs, used)) <= LARGEST:
            return
    except (KeyError, OverflowError):
        pass  # told apart below, where there is time for it
    missing = [name for name in names if values.get(name) is None]
    if missing:
        raise InvalidRecordError(
            RejectReason.MISSING_CHANNEL,
            f"{group} lacks {', '.join(missing)}, which the model needs.",
        )
    for name in names:
        reason, expected = _fault(values[name])
        if reason is not None:
            raise InvalidRecordError(
                reason, f"{group}.{name}: {expected}; got {_excerpt(values[name])}."
            )


def _fault(value: object) -> tuple[RejectReason | None, str]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return RejectReason.SCHEMA, "a number is expected"
    if isinstance(value, float) and not isfinite(value):
        return RejectReason.NON_FINITE, "a finite number is expected"
    if abs(value) > LARGEST:
        return RejectReason.OUT_OF_RANGE, f"no machine shows more than {LARGEST:g}"
    return None, ""


def _require_plausible(sensors: Mapping[str, float], limits: Limits) -> None:
    for name, lowest, highest in limits:
        if not lowest <= sensors[name] <= highest:
            break
    else:
        return
    beyond = [name for name, low, high in limits if not low <= sensors[name] <= high]
    first = BY_NAME[beyond[0]]
    others = f" (also {', '.join(beyond[1:])})" if beyond[1:] else ""
    raise InvalidRecordError(
        RejectReason.OUT_OF_RANGE,
        f"{first.name}, {first.meaning}, is {sensors[first.name]:g} {first.unit}".rstrip()
        + f"; plausible is {first.lowest:g} to {first.highest:g}{others}. A broken sensor, or "
        "another unit?",
    )


@cache
def _limits(channels: tuple[str, ...]) -> Limits:
    """The limits as plain tuples: they are looked at for every reading."""
    found = [BY_NAME[name] for name in channels]
    return tuple((channel.name, channel.lowest, channel.highest) for channel in found)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(value: bytes | None) -> str:
    return "missing" if value is None else repr(value[:SHOWN_CHARACTERS])


def _excerpt(value: object) -> str:
    """Return what came, as Python writes it, cut; whatever it is."""
    try:
        return repr(value)[:SHOWN_CHARACTERS]
    except ValueError:  # an integer of more than 4,300 digits
        return f"{type(value).__name__} that is too long to write"
