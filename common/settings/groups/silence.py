"""When an asset is silent, and a fleet hardly scored."""

from __future__ import annotations

from pydantic import Field

from common.settings.groups.group import Group


class SilenceSettings(Group):
    """When an asset is silent, and a fleet hardly scored."""

    after_steps: float = Field(
        10.0,
        ge=0,
        le=100_000,
        description="An asset is silent when for so many steps of its machine type "
        "(`interval_s`) no reading came, at least three times `every_s`; 0: none ever is.",
    )
    counted_after_s: float = Field(
        0.0,
        ge=0,
        le=366 * 86_400,
        description="The same for machine types that count readings and say no `interval_s`, s; 0: "
        "they are not watched.",
    )
    every_s: float = Field(
        15.0, gt=0, le=3600, description="How often the api looks what has come, s."
    )
    clock_tolerance_s: float = Field(
        3600.0,
        gt=0,
        le=366 * 86_400,
        description="Only assets whose readings say a time so near to the api's clock, s, are "
        "watched: others are replayed, or their clock is wrong.",
    )
    least_scored: float = Field(
        0.5,
        ge=0,
        le=1,
        description="`/ready` has a note when less than this part of a fleet's readings is scored; "
        "0: never.",
    )
    scored_over_s: float = Field(
        300.0, gt=0, le=86_400, description="Over how long that part is counted, s."
    )
    scored_of_readings: int = Field(
        100, ge=1, le=1_000_000_000, description="Of fewer readings no part is told."
    )
