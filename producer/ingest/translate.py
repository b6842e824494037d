"""Their bytes to readings of ours, or the reason why not. Pure and total: it never raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from pydantic_core import from_json

from common.readers.names import asset_id
from common.records.ids import ONLY_RUN
from common.records.readings import READING_VERSION, IncomingReading
from producer.fleet import Message
from producer.ingest import values
from producer.ingest.map_file import Measured, MessageMap
from producer.ingest.paths import Find, parse_path

MAX_RECORDS: Final = 10_000
"""Most readings in one message: beyond it, a megabyte would become gigabytes of objects."""


class Reason(StrEnum):
    """Why there is no reading."""

    EMPTY = "empty"
    NOT_JSON = "not_json"
    NO_RECORDS = "no_records"
    TOO_MANY = "too_many_records"
    ASSET = "asset"
    TIME = "time"
    CYCLE = "cycle"
    RUN = "run_id"
    CONDITION = "condition"
    NOT_A_NUMBER = "not_a_number"
    OVERFLOW = "overflow"
    NO_VALUES = "no_values"
    SAME_NAME = "same_name"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record is no reading.

    Attributes:
        reason: For counting.
        message: What came, what was expected.
    """

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Translated:
    """A reading, and what its asset is called where it came from.

    Attributes:
        reading: As it goes on the wire.
        called: Their name of the asset.
        zoned: Whether the time says its zone.
    """

    reading: IncomingReading
    called: str
    zoned: bool

    def message(self) -> Message:
        """Return the record of the readings topic; the same bytes for the same reading."""
        return Message(self.reading.asset_id.encode(), self.reading.to_json())


Outcome: TypeAlias = Translated | Refusal


class _RefusedError(Exception):
    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(reason, message)


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    find: Find
    how: Measured

    @classmethod
    def of(cls, entries: Mapping[str, Measured]) -> tuple[_Wanted, ...]:
        return tuple(cls(name, parse_path(how.path), how) for name, how in entries.items())


class Translator:
    """Makes readings by one map.

    Args:
        wanted: The map.
    """

    def __init__(self, wanted: MessageMap) -> None:
        self._map = wanted
        self._records = None if wanted.records is None else parse_path(wanted.records)
        self._asset = parse_path(wanted.asset)
        self._time = parse_path(wanted.time)
        self._cycle = None if wanted.cycle is None else parse_path(wanted.cycle)
        self._run = None if wanted.run_id is None else parse_path(wanted.run_id)
        self._channels = _Wanted.of(wanted.channels)
        self._conditions = _Wanted.of(wanted.conditions)

    def translate(self, payload: bytes | None) -> Iterator[Outcome]:
        """Yield what each record of a message becomes, in order; one thing at least."""
        try:
            document = _document(payload)
            records = self._records_of(document)
        except _RefusedError as exc:
            yield exc.refusal
            return
        for record in records:
            try:
                yield self._reading(record, document)
            except _RefusedError as exc:
                yield exc.refusal

    def _records_of(self, document: object) -> list[object]:
        if self._records is None:
            return [document]
        records = self._records(document)
        if not isinstance(records, list) or not records:
            raise _RefusedError(
                Reason.NO_RECORDS,
                f"{values.shown(records)} came at {self._map.records!r}; a list of readings was "
                "expected",
            )
        if len(records) > MAX_RECORDS:
            raise _RefusedError(
                Reason.TOO_MANY, f"{len(records):,} readings in a message; {MAX_RECORDS:,} at most"
            )
        return records

    def _reading(self, record: object, document: object) -> Translated:
        called = self._called(record, document)
        time = _either(self._time, record, document)
        run_id, cycle = self._position(record, document)
        try:
            ts = values.moment(time, self._map.time_format)
        except ValueError as exc:
            raise _RefusedError(Reason.TIME, f"time, at {self._map.time!r}: {exc}") from exc
        conditions = {each.name: _measured("conditions", each, record) for each in self._conditions}
        missing = [name for name, value in conditions.items() if value is None]
        if missing:
            raise _RefusedError(
                Reason.CONDITION,
                f"no value of {', '.join(missing)}; all conditions were expected",
            )
        channels = {each.name: _measured("channels", each, record) for each in self._channels}
        if all(value is None for value in channels.values()):
            raise _RefusedError(
                Reason.NO_VALUES, "no channel has a value; at least one was expected"
            )
        reading = IncomingReading(
            schema_version=READING_VERSION,
            fleet=self._map.fleet,
            asset_id=asset_id(called),
            run_id=run_id,
            cycle=cycle,
            ts=ts,
            settings=conditions,
            sensors=channels,
        )
        return Translated(reading, called, values.has_zone(time))

    def _called(self, record: object, document: object) -> str:
        try:
            return values.called(_either(self._asset, record, document))
        except ValueError as exc:
            raise _RefusedError(Reason.ASSET, f"asset, at {self._map.asset!r}: {exc}") from exc

    def _position(self, record: object, document: object) -> tuple[str, int | None]:
        run_id, cycle = ONLY_RUN, None
        try:
            if self._run is not None:
                run_id = values.run_name(_either(self._run, record, document))
        except ValueError as exc:
            raise _RefusedError(Reason.RUN, f"run_id, at {self._map.run_id!r}: {exc}") from exc
        try:
            if self._cycle is not None:
                cycle = values.count(self._cycle(record))
        except ValueError as exc:
            raise _RefusedError(Reason.CYCLE, f"cycle, at {self._map.cycle!r}: {exc}") from exc
        return run_id, cycle


def _document(payload: bytes | None) -> object:
    if not payload:
        raise _RefusedError(Reason.EMPTY, "the message has no value")
    try:
        document: object = from_json(payload)
    except ValueError as exc:  # also what is not UTF-8, or nested too deeply
        raise _RefusedError(Reason.NOT_JSON, f"not JSON: {exc}") from exc
    return document


def _either(find: Find, record: object, document: object) -> object:
    """Look in the record, then in the message around it."""
    found = find(record)
    return find(document) if found is None and record is not document else found


def _measured(
    group: Literal["channels", "conditions"], wanted: _Wanted, record: object
) -> float | None:
    how = wanted.how
    try:
        return values.number(wanted.find(record), how.factor, how.offset)
    except ValueError as exc:
        too_large = isinstance(exc, values.OverflowedError)
        raise _RefusedError(
            Reason.OVERFLOW if too_large else Reason.NOT_A_NUMBER,
            f"{group}.{wanted.name}, at {how.path!r}: {exc}",
        ) from exc
