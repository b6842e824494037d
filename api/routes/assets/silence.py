"""Which assets ought to send and do not, and of which fleets few readings are scored."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends

from api.http.queries import no_query
from api.routes import API_PREFIX
from api.services import Services, ServicesDep
from api.silence.alerts import words
from api.views.silence import SilenceView, hardly_scored

MOST_NOTES: Final = 5
"""Fleets that are named; there may be hundreds."""

router = APIRouter(
    prefix=f"{API_PREFIX}/silence", tags=["assets"], dependencies=[Depends(no_query)]
)


@router.get("", summary="What is due from each fleet, and what came")
async def silence(services: ServicesDep) -> SilenceView:
    """Deadlines, silent assets and the part of readings that was scored, by fleet.

    The alarms of silent assets are among all others: `/api/v1/alarms`, with `silent` or `unscored`
    as their `evidence`.
    """
    return SilenceView.of(services.silence.report, services.settings.silence)


def silence_notes(services: Services) -> list[str]:
    """Return what people should know, in sentences."""
    report, settings = services.silence.report, services.settings.silence
    notes = []
    if report.suspended:
        notes.append(
            f"No machine is called silent at present, for nobody reads what is sent: "
            f"{report.suspended}"
        )
    silent = sum(numbers.silent for numbers in report.numbers.values())
    if silent:
        are = "machine is" if silent == 1 else "machines are"
        notes.append(
            f"{silent} {are} silent or not scored. GET /api/v1/silence says of which fleet."
        )
    few = hardly_scored(report, settings)
    over = "" if report.window is None else words(report.window.lasted)
    notes += [
        f"Fleet {fleet}: of {counted.readings} readings in {over} only {counted.scored} were "
        f"scored ({counted.share:.0%}). GET /api/v1/assets has the reasons."
        for fleet, counted in list(few.items())[:MOST_NOTES]
    ]
    if len(few) > MOST_NOTES:
        notes.append(f"So of {len(few) - MOST_NOTES} more fleets: GET /api/v1/silence.")
    return notes
