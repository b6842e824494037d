"""Alerts: an alarm changed state. JSON in UTF-8, keyed by ``asset_id``, under derived ids."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from common.records.ids import DEFAULT_FLEET, AssetId, FleetName, RunId
from common.records.times import UtcTimestamp
from common.records.verdicts import Evidence, Level
from common.records.wire import Cycle, Finite, WireRecord

ALERT_NAMESPACE: Final = uuid.UUID("6d0c0d5e-6a2b-5c38-9a0f-5a1d1f5b7a10")
"""Namespace of all derived ids. Changing it changes every id ever published."""


MOST_FLAPS: Final = 1_000_000
"""Far more than our workers count to (two bytes). What somebody else's message says beyond that is
no count: it would swamp all others in a sum, and a database's column could not hold it."""


def _at_most(flaps: object) -> object:
    """Take a larger count for the largest: the alert is as true, and none is refused for it."""
    return min(flaps, MOST_FLAPS) if isinstance(flaps, int) else flaps


Flaps = Annotated[int, Field(ge=0, le=MOST_FLAPS), BeforeValidator(_at_most)]


class Transition(StrEnum):
    """How an alarm changed when its alert was published."""

    RAISED = "raised"
    ESCALATED = "escalated"
    CLEARED = "cleared"

    @property
    def sequence(self) -> int:
        """1 for raised, 2 for escalated, 3 for cleared: the order an alarm goes through them."""
        return ("raised", "escalated", "cleared").index(self.value) + 1


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

    @property
    def label(self) -> str:
        """How score records and derived ids name it: ``name@version``."""
        return f"{self.name}@{self.version}"


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
        flaps: How often the alarm had ended and come again, too soon to be another one; a larger
            count than ``MOST_FLAPS`` is read as that.
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
    flaps: Flaps = 0
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
