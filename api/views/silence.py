"""What the api says of assets that are silent, and of fleets that are hardly scored."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from api.silence.deadlines import Deadlines
from api.silence.ports import Numbers
from api.silence.shares import Counted
from api.silence.watch import Report
from common.records.times import UtcTimestamp
from common.settings import SilenceSettings


class FleetSilence(BaseModel):
    """One fleet: what is due, and what came."""

    fleet: str = Field(examples=["pumps"])
    reading_deadline_s: float | None = Field(
        description="An asset without a reading for so long is silent; none where it is not "
        "watched.",
        examples=[600.0],
    )
    score_deadline_s: float | None = Field(
        description="An asset that sends, without a score for so long, is unscored.",
        examples=[2400.0],
    )
    not_watched_because: str | None = Field(
        description="Why nothing is due; none where it is.",
        examples=["its machine type is not known"],
    )
    watched: int = Field(description="Assets that send live, or did.", examples=[120])
    silent: int = Field(description="Those that are silent or unscored.", examples=[2])
    readings: int | None = Field(
        description="Readings in the last window; none before the first is over.", examples=[3400]
    )
    scored: int | None = Field(description="Those that were scored.", examples=[3390])
    scored_share: float | None = Field(description="The part that was scored.", examples=[0.997])
    hardly_scored: bool = Field(description="Whether that part is less than it should be.")


class SilenceView(BaseModel):
    """What the last look of this api has found."""

    looked_at: UtcTimestamp | None = Field(description="None before the first look.")
    suspended_because: str | None = Field(
        description="Why nothing becomes overdue at present: nobody reads what is sent."
    )
    window_until: datetime | None = Field(description="When the last window ended.")
    window_s: float | None = Field(description="How long it was, s.", examples=[300.0])
    fleets: list[FleetSilence]

    @classmethod
    def of(cls, report: Report, settings: SilenceSettings) -> Self:
        """Return the api's view of a report."""
        window = report.window
        few = hardly_scored(report, settings)
        names = report.deadlines.keys() | (window.fleets.keys() if window else set())
        counted = {} if window is None else window.fleets
        return cls(
            looked_at=report.looked_at,
            suspended_because=report.suspended or None,
            window_until=None if window is None else window.until,
            window_s=None if window is None else window.lasted.total_seconds(),
            fleets=[
                _fleet(
                    name, report, counted.get(name, None if window is None else Counted(0, 0))
                ).model_copy(update={"hardly_scored": name in few})
                for name in sorted(names)
            ],
        )


def hardly_scored(report: Report, settings: SilenceSettings) -> dict[str, Counted]:
    """Return the fleets of which readings come and few are scored."""
    if report.window is None:
        return {}
    return report.window.hardly_scored(settings.least_scored, settings.scored_of_readings)


def _fleet(name: str, report: Report, counted: Counted | None) -> FleetSilence:
    due = report.deadlines.get(name, "no such fleet is known")
    watched, silent = report.numbers.get(name, Numbers(0, 0))
    is_due = isinstance(due, Deadlines)
    return FleetSilence(
        fleet=name,
        reading_deadline_s=due.reading.total_seconds() if isinstance(due, Deadlines) else None,
        score_deadline_s=due.score.total_seconds() if isinstance(due, Deadlines) else None,
        not_watched_because=None if is_due else str(due),
        watched=watched,
        silent=silent,
        readings=None if counted is None else counted.readings,
        scored=None if counted is None else counted.scored,
        scored_share=counted.share if counted is not None and counted.readings else None,
        hardly_scored=False,
    )
