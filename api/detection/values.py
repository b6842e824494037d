"""What crosses the way to the models: plain values, as JSON between two processes of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from common.records.alerts import Transition
from common.records.verdicts import Evidence, Level
from common.settings import AlarmSettings

RowStatus = Literal["scored", "warming_up", "unknown_regime", "refused"]
Effect = Literal["held", "refused"]

MOST_PROBLEMS: Final = 100
"""Things that are wrong with a file that are spelled out; all are counted."""

MOST_REGIONS: Final = 1000
"""Flagged regions of a file that are listed, the most severe of them; all are counted."""

MOST_CHANGES: Final = 200
"""Alerts gained, lost or moved that are listed, of each; all are counted."""

MOST_ASSETS: Final = 1000
"""Machines in one file."""


class Value(BaseModel):
    """Base of all: immutable, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class ModelSource(Value):
    """Where a model is.

    Attributes:
        folder: Of the artifact.
        sha256: Digest that its manifest has.
    """

    folder: str
    sha256: str


class Share(Value):
    """One channel's part in the evidence."""

    name: str
    share: float
    direction: Literal["high", "low"]
    against: Literal["high", "low"] | None = None


class LifeLeftValue(Value):
    """How long is left, in steps."""

    expected: float
    low: float
    high: float


class Sureness(Value):
    """How sure a model can say it is.

    Attributes:
        windows: Healthy validation windows it was measured on; none where it was not.
        missing: Why not; none where it was.
    """

    windows: int | None
    missing: str | None


class Found(Value):
    """What a model says of one window.

    Attributes:
        score: Higher is more anomalous.
        severity: Of all that is held against the machine; 1 is a warning.
        level: What that comes to.
        evidence: What has that severity.
        threshold: The warning threshold of that evidence.
        confidence: Part of the healthy validation windows with a lower severity.
        life: How long is left, by the window alone; none where the model does not know.
        channels: Shares of the evidence, largest first.
    """

    score: float
    severity: float
    level: Level
    evidence: Evidence
    threshold: float
    confidence: float | None
    life: LifeLeftValue | None
    channels: tuple[Share, ...]


class UnknownRegime(Value):
    """A window that cannot be scored: some rows were run as no training data were.

    Attributes:
        rows: Which, from 0.
    """

    rows: tuple[int, ...]


class WindowsFound(Value):
    """What a model says of some windows, in their order."""

    items: tuple[Found | UnknownRegime, ...]
    sureness: Sureness


class ReadingFound(Value):
    """What a model says of one of several readings in a row.

    Attributes:
        reading: Which, from 0.
        score: Higher is more anomalous.
        severity: 1 is a warning.
        level: What that comes to.
        confidence: Part of the healthy validation windows with a lower severity.
        life: How long is left; none where the model does not know.
    """

    reading: int
    score: float
    severity: float
    level: Level
    confidence: float | None
    life: LifeLeftValue | None


class ReadingsFound(Value):
    """What a model says of readings in a row.

    Attributes:
        found: One for each reading at which a full window ends.
        unscored: How many of the others there are, by the reason.
        sureness: How sure it can be.
    """

    found: tuple[ReadingFound, ...]
    unscored: dict[RowStatus, int]
    sureness: Sureness


class CsvAsked(Value):
    """A file to score.

    Attributes:
        path: Where it is.
        sensor_id: What to call the machine where no column says it.
        max_rows: More are refused.
        alarm: The alarm rule: what it would raise is a region.
        own_alarms: The rules of single machines.
    """

    path: str
    sensor_id: str
    max_rows: int
    alarm: AlarmSettings
    own_alarms: dict[str, AlarmSettings] = {}


class CsvProblem(Value):
    """Something in a file that is not as it should be.

    Attributes:
        row: Which row, from 1 below the names.
        line: Which line of the file, from 1.
        column: Which column; none for the row as a whole.
        received: What came, cut short.
        expected: What was expected.
        effect: What came of it.
    """

    row: int
    line: int
    column: str | None
    received: str
    expected: str
    effect: Effect


class CsvAsset(Value):
    """One machine's rows, column by column."""

    sensor_id: str
    rows: tuple[int, ...]
    cycles: tuple[int | None, ...]
    status: tuple[RowStatus, ...]
    scores: tuple[float | None, ...]
    severities: tuple[float | None, ...]
    levels: tuple[Level | None, ...]


class Peak(Value):
    """The most severe row of a region."""

    row: int
    cycle: int
    score: float
    severity: float
    confidence: float | None


class Region(Value):
    """Rows in which an alarm would be open.

    Attributes:
        sensor_id: Of which machine.
        start_row: The first row of the stretch that raised it.
        end_row: The last anomalous row before it cleared.
        start_cycle: Its cycle.
        end_cycle: Its cycle.
        anomalous: Rows of it that are anomalous.
        level: The highest level the alarm reached.
        open: Whether the file ends before it cleared.
        peak: The most severe row.
        channels: Shares there, largest first.
    """

    sensor_id: str
    start_row: int
    end_row: int
    start_cycle: int
    end_cycle: int
    anomalous: int
    level: Level
    open: bool
    peak: Peak
    channels: tuple[Share, ...]


class CsvFound(Value):
    """What a model says of a file, but for its rows one by one."""

    rows: int
    scored: int
    anomalous: int
    regions: tuple[Region, ...]
    regions_total: int
    problems: tuple[CsvProblem, ...]
    problems_total: int
    ignored_columns: tuple[str, ...]
    sureness: Sureness


@dataclass(frozen=True, slots=True)
class CsvScored:
    """What a model says of a file.

    Attributes:
        found: All but the rows one by one.
        assets: JSON of a list of :class:`CsvAsset`. It may have megabytes, and is handed on as it
            is: reading and writing it again would hold up all else.
    """

    found: CsvFound
    assets: bytes


class Wrong(Value):
    """What was asked cannot be answered at all.

    Attributes:
        field: Which column, or field of the request, is at fault; none for all of it.
        message: What came, and what was expected.
    """

    field: str | None
    message: str


class StoredRun(Value):
    """Stored verdicts of one run, column by column, in the order of their cycles.

    A long run is in several, one after the other: each is written and read in one go. What each
    column means: ``models.whatif.stored.Row``.
    """

    asset_id: str
    run_id: str
    cycles: list[int]
    scores: list[float | None]
    severities: list[float | None]
    evidence: list[Evidence | None]
    levels: list[Level]
    warning: list[float | None]
    critical: list[float | None]
    lives: list[float | None]


class OtherRule(Value):
    """What would be other. Thresholds that are none stay as they were.

    Attributes:
        warning: Warning threshold of the score.
        critical: Critical threshold of the score.
        life: Steps left at which a warning is critical.
        alarm: Fields of the alarm rule that would be other.
    """

    warning: float | None = None
    critical: float | None = None
    life: float | None = None
    alarm: dict[str, int | float] = {}


class WhatIfAsked(Value):
    """The rule that is, and the one that would be."""

    alarm: AlarmSettings
    own_alarms: dict[str, AlarmSettings]
    life_limit: float | None
    other: OtherRule


class ToldAlert(Value):
    """An alert as it would be told."""

    state: Transition
    level: Level
    onset_cycle: int
    cycle: int


class OneSided(ToldAlert):
    """An alert that is on one side alone."""

    asset_id: str
    run_id: str


class Moved(Value):
    """An alert that is on both sides, elsewhere."""

    asset_id: str
    run_id: str
    before: ToldAlert
    after: ToldAlert


class WhatIfFound(Value):
    """What would differ."""

    alarms_before: int
    alarms_after: int
    gained: tuple[OneSided, ...]
    lost: tuple[OneSided, ...]
    moved: tuple[Moved, ...]
    gained_total: int
    lost_total: int
    moved_total: int
    same: int
    uncertain: int
