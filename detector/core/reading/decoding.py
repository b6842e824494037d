"""From the bytes of a record to a reading, or to the reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import isfinite, nan
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import InvalidRecordError, RejectReason
from common.machines.machine import Channel, MachineType
from common.records.ids import DEFAULT_FLEET, ONLY_RUN, AssetId, FleetName, RunId
from common.records.quick_readings import QuickReading, read_plain
from common.records.readings import IncomingReading
from common.records.times import EARLIEST, UtcTimestamp
from common.records.wire import Cycle
from detector.core.fleet import Fleets
from detector.core.reading.source import Reading, SourceRecord

SHOWN_CHARACTERS: Final = 120
NAMED: Final = 8
MICROSECOND: Final = timedelta(microseconds=1)

NUMBERS: Final = frozenset({int, float})
"""Not ``bool``, which is an ``int`` to Python and no measurement to anyone."""

LARGEST: Final = 1e18
"""Of any value. Far beyond any machine, and far enough from the largest 32-bit float: squares of
deviations stay finite."""


class ReadingIdentity(BaseModel):
    """Whose reading an otherwise unusable message claims to be."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    schema_version: int = 1
    fleet: FleetName = DEFAULT_FLEET
    asset_id: AssetId
    run_id: RunId = ONLY_RUN
    cycle: Cycle
    ts: UtcTimestamp


def decode(record: SourceRecord, fleets: Fleets) -> Reading:
    """Return the reading a record holds.

    A channel that is missing or not finite is no reason to refuse a reading, as long as others are
    there: whether an earlier value may stand in for it is seen beside the readings before
    (``holding.py``). What the model does not look at may be anything.

    Args:
        record: What came.
        fleets: Whose models say what is measured, and what is plausible.

    Raises:
        InvalidRecordError: With the reason code and a sentence.
    """
    value = record.value
    if not value:
        raise InvalidRecordError(RejectReason.EMPTY, "The message has no value.")
    most = max(fleet.inputs.max_reading_bytes for fleet in fleets.values())
    if len(value) > most:
        raise InvalidRecordError(
            RejectReason.TOO_LARGE,
            f"The message has {len(value):,} bytes; a reading has at most {most:,}.",
        )
    came = read_plain(value) or _read(value)
    if record.key != came.asset_id.encode():
        raise InvalidRecordError(
            RejectReason.KEY_MISMATCH,
            f"The key is {_shown(record.key)}, the reading's asset_id {came.asset_id!r}; they "
            "must be equal, or the readings of one asset lose their order.",
        )
    name = fleet_named(came)
    fleet = fleets.get(name)
    if fleet is None:
        raise InvalidRecordError(
            RejectReason.UNKNOWN_FLEET,
            f"fleet: {name!r} is none of {_few(fleets)}. Add it to the file that "
            "SURGELINE_FLEETS names, or mend the source.",
        )
    machine = fleet.spec.machine
    cycle = cycle_of(came, machine)
    values = (*_conditions(came.settings, machine), *_channels(came.sensors, machine))
    return Reading(name, came.asset_id, came.run_id, cycle, came.ts, tuple(map(float, values)))


def _read(value: bytes) -> IncomingReading:
    try:
        return IncomingReading.model_validate_json(value)
    except ValidationError as exc:
        raise _rejection(value, exc) from exc


def fleet_named(came: IncomingReading | QuickReading) -> str:
    """Return the fleet a reading is of; version 1 knows none."""
    return came.fleet if came.schema_version > 1 else DEFAULT_FLEET


def _few(fleets: Fleets) -> str:
    names = sorted(fleets)
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if names[NAMED:] else "")


def cycle_of(came: IncomingReading | QuickReading, machine: MachineType) -> int:
    """Return a reading's cycle: its count within the run, or the tick of its time.

    Raises:
        InvalidRecordError: If it has no count, or is too far off a tick.
    """
    step = machine.step
    if step.clock == "counter":
        if came.cycle is None:
            raise InvalidRecordError(
                RejectReason.INVALID_CYCLE,
                f"cycle: a {machine.name} counts its {step.word}s, and this reading has no count.",
            )
        return came.cycle
    tick, apart_us = step.tick((came.ts - EARLIEST) // MICROSECOND)
    if apart_us > step.tolerance * step.interval_us:
        raise InvalidRecordError(
            RejectReason.OFF_TICK,
            f"ts: {came.ts.isoformat()} is {apart_us / 1e6:g} s off the nearest tick of "
            f"{step.interval_s:g} s; at most {step.tolerance:g} of that is expected.",
        )
    return max(tick, 1)


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


def _conditions(settings: Mapping[str, Any], machine: MachineType) -> list[float]:
    """Return the conditions; all must be numbers, for without them no reading can be judged."""
    names = machine.condition_names
    try:
        values = [settings[name] for name in names]
        if NUMBERS.issuperset(map(type, values)) and sum(map(abs, values)) <= LARGEST:
            return values
    except (KeyError, OverflowError):
        pass  # told apart below, where there is time for it
    missing = [name for name in names if settings.get(name) is None]
    if missing:
        raise _lacks("settings", missing)
    for name in names:
        value = settings[name]
        _refuse_no_number("settings", name, value)
        if isinstance(value, float) and not isfinite(value):
            raise InvalidRecordError(
                RejectReason.NON_FINITE,
                f"settings.{name}: a finite number is expected; got {_excerpt(value)}.",
            )
        _refuse_huge("settings", name, value)
    return [settings[name] for name in names]


def _channels(sensors: Mapping[str, Any], machine: MachineType) -> list[float]:
    """Return the used channels, NaN for what is missing; at least one must be there."""
    names = machine.channel_names
    try:
        values = [sensors[name] for name in names]
        whole = NUMBERS.issuperset(map(type, values)) and sum(map(abs, values)) <= LARGEST
    except (KeyError, OverflowError):
        whole = False
    if not whole:
        values = [_measured(name, sensors.get(name)) for name in names]
        if not any(map(isfinite, values)):
            raise _lacks("sensors", names)
    for value, (low, high) in zip(values, machine.limits, strict=True):
        if value < low or value > high:
            raise _implausible(sensors, machine)
    return values


def _measured(name: str, value: object) -> float:
    """Return a channel's value, NaN if there is none.

    Raises:
        InvalidRecordError: If there is something, but no number that a machine may show.
    """
    if value is None:
        return nan
    _refuse_no_number("sensors", name, value)
    if isinstance(value, float) and not isfinite(value):
        return nan
    _refuse_huge("sensors", name, value)
    return float(value)  # type: ignore[arg-type]


def _lacks(group: str, names: Sequence[str]) -> InvalidRecordError:
    return InvalidRecordError(
        RejectReason.MISSING_CHANNEL,
        f"{group} lacks {', '.join(names)}, which the model needs.",
    )


def _refuse_no_number(group: str, name: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidRecordError(
            RejectReason.SCHEMA, f"{group}.{name}: a number is expected; got {_excerpt(value)}."
        )


def _refuse_huge(group: str, name: str, value: Any) -> None:
    if abs(value) > LARGEST:
        raise InvalidRecordError(
            RejectReason.OUT_OF_RANGE,
            f"{group}.{name}: no machine shows more than {LARGEST:g}; got {_excerpt(value)}.",
        )


def _implausible(sensors: Mapping[str, Any], machine: MachineType) -> InvalidRecordError:
    beyond = [channel for channel in machine.used if _is_beyond(channel, sensors.get(channel.name))]
    first = beyond[0]
    others = ", ".join(channel.name for channel in beyond[1:])
    low, high = first.limits
    return InvalidRecordError(
        RejectReason.OUT_OF_RANGE,
        f"{first} is {sensors[first.name]:g} {first.unit}".rstrip()
        + f"; plausible is {low:g} to {high:g}{f' (also {others})' if others else ''}. "
        "A broken sensor, or another unit?",
    )


def _is_beyond(channel: Channel, value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value) and not channel.plausible(value)


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
