"""Every message on the wire and every row in the score store, once.

Readings, alerts and dead letters are JSON, UTF-8, keyed by ``asset_id``. Score records go to the
score store, not to a topic; they are plain dataclasses because one is made for every reading.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)

SCHEMA_VERSION: Final = 1
READING_VERSION: Final = 2
"""Of readings: version 2 brought the fleet, and sources without a counter or runs."""

ALERT_NAMESPACE: Final = uuid.UUID("6d0c0d5e-6a2b-5c38-9a0f-5a1d1f5b7a10")
"""Namespace of all derived ids. Changing it changes every id ever published."""

MAX_ID_CHARS: Final = 128
ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}$"
"""Asset and run ids: what is safe in a URL path, a Redis key and an InfluxDB tag alike."""

DEFAULT_FLEET: Final = "default"
"""Of readings that name none, and of all readings of version 1."""

FLEET_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,63}$"

ONLY_RUN: Final = "only"
"""The run of a source that knows no runs."""

SIMULATED_PREFIX: Final = "simulated"
"""First part of the run id of every simulated run, and what screens look for to say so."""


def utc_text(moment: datetime) -> str:
    """Return RFC 3339 text in UTC, with a ``Z``, and microseconds only where there are any.

    Example:
        >>> utc_text(datetime(2026, 1, 1, tzinfo=UTC))
        '2026-01-01T00:00:00Z'
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2262, 1, 1, tzinfo=UTC)
"""What InfluxDB can keep: nanoseconds since 1970 in 64 bits."""


_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _is_dated(value: object) -> object:
    """Refuse what has no date, digits as text too: a number's unit would have to be guessed."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value)):
        return value
    raise ValueError("a time as in 2026-01-31T12:00:00Z is expected")


def _as_utc(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"a time from {EARLIEST:%Y} to {LATEST:%Y} is expected")
    return moment.astimezone(UTC)


def require_wire_times(first: datetime, interval: timedelta, count: int) -> None:
    """Refuse a series of timestamps that readings may not have.

    Args:
        first: The first one.
        interval: Between two of them.
        count: How many.

    Raises:
        ValueError: If one of them is none a message may have (``EARLIEST`` to ``LATEST``), or they
            do not rise; a sentence for whoever gave them.
    """
    if first.tzinfo is None:
        raise ValueError(f"The time {first.isoformat()} came; expected one with its zone.")
    if not EARLIEST <= first < LATEST:
        raise ValueError(
            f"The start {first.isoformat()} came; expected a time from {EARLIEST:%Y} to "
            f"{LATEST:%Y}."
        )
    if interval <= timedelta(0):
        raise ValueError(f"The interval {interval} came; expected one above 0.")
    most = -((first - LATEST) // interval)
    if count > most:
        raise ValueError(
            f"{count} cycles, one every {interval}, from {utc_text(first)} run past the year "
            f"{LATEST:%Y}, the last that a message may have. Choose an earlier start, a shorter "
            f"interval, or at most {most} cycles."
        )


UtcTimestamp = Annotated[
    AwareDatetime,
    Field(strict=False),
    BeforeValidator(_is_dated),
    AfterValidator(_as_utc),
    PlainSerializer(utc_text, return_type=str, when_used="json"),
]
AssetId = Annotated[str, Field(pattern=ID_PATTERN)]
RunId = Annotated[str, Field(pattern=ID_PATTERN)]
FleetName = Annotated[str, Field(pattern=FLEET_PATTERN)]
MAX_CYCLE: Final = 2**53 - 1
"""The largest whole number that every reader of JSON gets right."""

Cycle = Annotated[int, Field(ge=1, le=MAX_CYCLE)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Level(StrEnum):
    """How bad, from the thresholds alone."""

    NONE = "none"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for none, 1 for warning, 2 for critical."""
        return ("none", "warning", "critical").index(self.value)


class Evidence(StrEnum):
    """What is held against an asset: each kind has a score and a threshold of its own."""

    DEGRADATION = "degradation"
    CHANNEL = "channel"
    FROZEN = "frozen"
    LIFE = "life"


class Transition(StrEnum):
    """How an alarm changed when its alert was published."""

    RAISED = "raised"
    ESCALATED = "escalated"
    CLEARED = "cleared"

    @property
    def sequence(self) -> int:
        """1 for raised, 2 for escalated, 3 for cleared: the order an alarm goes through them."""
        return ("raised", "escalated", "cleared").index(self.value) + 1


class Verdict(StrEnum):
    """What became of one reading. Every reading gets exactly one."""

    SCORED = "scored"
    WARMING_UP = "warming_up"
    GAP = "gap"
    LATE = "late"
    DUPLICATE = "duplicate"
    UNKNOWN_REGIME = "unknown_regime"
    REJECTED = "rejected"

    @property
    def of_message(self) -> bool:
        """Whether the verdict is on a message and not on a cycle.

        The message repeats a cycle (late, duplicate) or could not be used (rejected; a usable one
        for the same cycle may still come). Such verdicts are told apart by where the message stood
        on the topic, and never stand in the place of the cycle's own verdict.
        """
        return self in (Verdict.LATE, Verdict.DUPLICATE, Verdict.REJECTED)


class WireRecord(BaseModel):
    """Base of all messages: immutable; unknown fields are kept out, not refused."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, ser_json_inf_nan="null")

    def to_json(self) -> bytes:
        """Return the message as UTF-8 JSON."""
        return self.model_dump_json().encode()


class IncomingReading(WireRecord):
    """A reading as it came: its values may be anything until a model asks for them.

    What a model does not use never refuses a reading, whatever it holds.

    Attributes:
        schema_version: Version of this layout: 1 knows no fleet.
        fleet: Whose model and rule judge it.
        asset_id: One engine, or any machine.
        run_id: One life of the asset; a new run starts with fresh state.
        cycle: 1-based count within the run; none where the machine type's clock is the time.
        ts: When the reading was taken, UTC.
        settings: Operating settings by name.
        sensors: Sensor values by name.
    """

    schema_version: Literal[1, 2] = 1
    fleet: FleetName = DEFAULT_FLEET
    asset_id: AssetId
    run_id: RunId = ONLY_RUN
    cycle: Cycle | None = None
    ts: UtcTimestamp
    settings: dict[str, Any]
    sensors: dict[str, Any]


class SensorReading(IncomingReading):
    """All channels of one asset at one cycle: what a producer sends.

    Attributes:
        schema_version: Version of this layout.
        fleet: Whose model and rule judge it.
        asset_id: One engine, or any machine.
        run_id: One life of the asset; a new run starts with fresh state.
        cycle: 1-based count within the run; none where the machine type's clock is the time.
        ts: When the reading was taken, UTC.
        settings: Operating settings by name: the machine type's conditions.
        sensors: Sensor values by name: the machine type's channels, in the units given there.
    """

    schema_version: Literal[1, 2] = 2
    run_id: RunId
    cycle: Cycle
    settings: dict[str, Finite]
    sensors: dict[str, Finite | None]


class ChannelShare(WireRecord):
    """How much one channel contributed to a score.

    Attributes:
        name: Channel name.
        share: Part of the score, 0 to 1; the shares of one alert sum to 1.
        direction: Whether the channel reads above or below its healthy level, run as it is.
        against: Whether it reads above or below what the model expects of it here, where that is
            the other way round; else none.
    """

    name: str
    share: Annotated[float, Field(ge=0.0, le=1.0)]
    direction: Literal["high", "low"]
    against: Literal["high", "low"] | None = None


class RemainingLife(WireRecord):
    """How long is left, in steps of the machine type; what the model was taught, not a promise.

    Attributes:
        expected: Most likely.
        low: In 19 of 20 cases more is left, where ``coverage`` is 0.9.
        high: In 19 of 20 cases less is left.
        at_least: Whether ``high`` is as far as the model looks: then more may be left.
        coverage: Part of cases in which ``low`` to ``high`` holds what is left.
    """

    expected: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    low: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    high: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    at_least: bool = False
    coverage: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.9


class ModelRef(WireRecord):
    """The model that spoke.

    Attributes:
        name: Artifact name, such as ``fd001``.
        version: Artifact version.
        sha256: Digest of the artifact's manifest, which itself holds the digest of the weights.
    """

    name: str
    version: str
    sha256: str


class Alert(WireRecord):
    """An alarm changed state.

    Attributes:
        schema_version: Version of this layout.
        alert_id: Derived id of this message (:func:`derive_alert_id`).
        alarm_id: Derived id of the alarm (:func:`derive_alarm_id`), the same until it is cleared.
        fleet: Of which fleet.
        asset_id: Whose alarm.
        run_id: In which run.
        level: Level after the transition; for ``cleared``, the highest level it had.
        state: The transition.
        alarm_sequence: 1 for raised, 2 for escalated, 3 for cleared: of several messages on one
            alarm the highest holds, whichever came last (a worker that was frozen may repeat an
            older one); of several alarms of a run, the one with the highest onset. 0 in messages
            of an earlier version.
        onset_cycle: First cycle of the anomalous stretch that raised the alarm.
        cycle: The cycle whose score caused the transition.
        ts: That reading's timestamp, UTC.
        evidence: What caused it; for ``cleared``, what came closest to a warning.
        severity: Of all that is held against the asset: score over warning threshold of the kind
            that has most; 1 is a warning for every model and machine. None in messages of an
            earlier version.
        score: The score of that evidence; higher is more anomalous.
        threshold: The threshold it was compared with.
        life: How long is left; none where the machine type has no failures to learn it from.
        channels: Contribution of each used channel, largest first.
        model: The model that scored it.
        reason: The transition in a sentence or two for a person.
    """

    schema_version: Literal[1] = 1
    alert_id: str
    alarm_id: str
    fleet: FleetName = DEFAULT_FLEET
    asset_id: AssetId
    run_id: RunId
    level: Literal[Level.WARNING, Level.CRITICAL]
    state: Transition
    alarm_sequence: Annotated[int, Field(ge=0, le=3)] = 0
    onset_cycle: Cycle
    cycle: Cycle
    ts: UtcTimestamp
    evidence: Evidence = Evidence.DEGRADATION
    severity: Finite | None = None
    score: Finite
    threshold: Finite
    life: RemainingLife | None = None
    channels: tuple[ChannelShare, ...]
    model: ModelRef
    reason: str


class DeadLetter(WireRecord):
    """A message that could not be used, whole, with the reason.

    Attributes:
        schema_version: Version of this layout.
        reason: Reason code (``common.errors.RejectReason``).
        message: What came, what was expected; at most ``MAX_MESSAGE_CHARS``.
        original_key: The message's key, base64, cut to ``MAX_ORIGINAL_KEY_BYTES``; none if it had
            none. A key of that length may have been longer.
        original: The message's bytes, base64; cut to ``MAX_ORIGINAL_BYTES``.
        original_size: Size of the message before cutting, bytes.
        original_sha256: Digest of the whole message.
        topic: Where it was read.
        partition: Where it was read.
        offset: Where it was read.
        last_offset: For a batch of records that cannot be decoded, the offset of its last one.
        received_at: The broker's timestamp of the message, UTC, so that a redelivery is identical;
            none where it has none that is a time.
    """

    schema_version: Literal[1] = 1
    reason: str
    message: str
    original_key: str | None
    original: str
    original_size: int
    original_sha256: str
    topic: str
    partition: int
    offset: int
    last_offset: int | None = None
    received_at: UtcTimestamp | None


MAX_ORIGINAL_BYTES: Final = 256 * 1024
"""A dead letter keeps this much of its message; base64 of it fits any broker's default limit."""

MAX_ORIGINAL_KEY_BYTES: Final = 1024
"""And this much of its key: no asset id is a quarter as long."""

MAX_MESSAGE_CHARS: Final = 1000


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """Where on the readings topic a record stood."""

    topic: str
    partition: int
    offset: int


class LifeLeft(NamedTuple):
    """How long is left, in steps: most likely, and from where to where in most cases."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ScoreRecord:
    """The verdict on one reading: a row of the score store.

    Attributes:
        asset_id: Whose reading.
        run_id: In which run.
        cycle: 1-based cycle.
        ts: The reading's timestamp, UTC.
        status: The verdict.
        model: ``name@version`` of the artifact.
        score: Higher is more anomalous; none unless ``status`` is ``scored``.
        warning_threshold: A warning when ``score >= warning_threshold``; none unless scored.
        critical_threshold: As above, for critical; none too where remaining life decides.
        level: What this reading alone comes to (the alarm also waits for delays).
        evidence: What is held against the asset most; none unless scored.
        severity: How much: 1 is a warning; none unless scored, or scored by an earlier version.
        life: How long is left; none unless scored by a model that knows.
        shares: Contribution per channel, summing to 1; empty unless scored.
        detail: One sentence for a person, such as ``12 of 30 cycles``.
        source: Where the reading stood; it identifies a repeat (late, duplicate).
        published_ts_ms: The broker's timestamp, UTC epoch milliseconds; the time of a repeat.
        fleet: Of which fleet.
        timed: Whether the cycle is a tick of the time, not the source's count.
    """

    asset_id: str
    run_id: str
    cycle: int
    ts: datetime
    status: Verdict
    model: str
    score: float | None = None
    warning_threshold: float | None = None
    critical_threshold: float | None = None
    level: Level = Level.NONE
    evidence: Evidence | None = None
    severity: float | None = None
    life: LifeLeft | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    detail: str = ""
    source: SourcePosition = SourcePosition("", 0, 0)
    published_ts_ms: int = 0
    fleet: str = DEFAULT_FLEET
    timed: bool = False


def derive_alarm_id(asset_id: str, run_id: str, onset_cycle: int, model: str) -> str:
    """Return the id of an alarm, the same on every redelivery.

    Args:
        asset_id: Whose alarm.
        run_id: In which run.
        onset_cycle: First cycle of the anomalous stretch.
        model: ``name@version`` of the artifact.
    """
    return str(uuid.uuid5(ALERT_NAMESPACE, f"alarm\n{asset_id}\n{run_id}\n{onset_cycle}\n{model}"))


def derive_alert_id(alarm_id: str, state: Transition, cycle: int) -> str:
    """Return the id of one alert message, the same on every redelivery."""
    return str(uuid.uuid5(ALERT_NAMESPACE, f"alert\n{alarm_id}\n{state.value}\n{cycle}"))


def renewed_run_id(run_id: str, partition: int, offset: int) -> str:
    """Return the id of a run that was opened by rule where the source's counter began anew.

    Args:
        run_id: What the source calls it.
        partition: Where the reading that opened it stood.
        offset: Where the reading that opened it stood.

    Example:
        >>> renewed_run_id("run-1", 3, 120)
        'run-1:from-3-120'
    """
    suffix = f":from-{partition}-{offset}"
    room = MAX_ID_CHARS - len(suffix)
    if len(run_id) > room:
        digest = hashlib.sha256(run_id.encode()).hexdigest()[:12]
        run_id = f"{run_id[: room - len(digest) - 1]}-{digest}"
    return run_id + suffix
