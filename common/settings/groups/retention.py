"""How long what is stored is kept."""

from __future__ import annotations

from pydantic import Field

from common.settings.groups.group import Group


class RetentionSettings(Group):
    """How long what is stored is kept, and how much of it; 0 means no bound."""

    scores_days: float = Field(
        90,
        ge=0,
        le=36_500,
        description="Verdicts are removed so many days after they were stored (SQLite), or after "
        "the reading's time (InfluxDB, a bucket made by `surgeline provision`).",
    )
    scores_max_mib: int = Field(
        5120,
        ge=0,
        description="The SQLite file is kept below so many MiB: the oldest verdicts go first. "
        "InfluxDB cannot be bounded by size.",
    )
    coarse_days: float = Field(
        730,
        ge=0,
        le=36_500,
        description="InfluxDB keeps hourly means and maxima of scores for so many days.",
    )
    alerts_days: float = Field(
        365,
        ge=0,
        le=36_500,
        description="Alerts are removed so many days after they were stored, with all others of "
        "their alarm; never those of an alarm that is open.",
    )
    alerts_max_rows: int = Field(
        1_000_000,
        ge=0,
        description="Only so many alerts are kept, the newest, and those of open alarms.",
    )
    dead_letters_days: float = Field(
        30,
        ge=0,
        le=36_500,
        description="The dead-letter topic is created with so many days of retention.",
    )
    dead_letters_max_mib: int = Field(
        1024,
        ge=0,
        description="The dead-letter topic is created to hold so many MiB.",
    )
    every_s: float = Field(
        60.0, gt=0, le=86_400, description="How often it is looked for what is to go, s."
    )
    logs_mib: int = Field(
        20, ge=1, le=10_000, description="`surgeline up` rotates a log that is larger, MiB."
    )
    logs_kept: int = Field(
        2, ge=0, le=100, description="So many rotated logs of each process are kept."
    )
