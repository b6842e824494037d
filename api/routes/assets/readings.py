"""Readings of an asset, in the machine's units."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from api.http.answers import json_answer
from api.http.problems import illustrated
from api.http.queries import ReadingsQuery
from api.readings import PastReading, latest_run, merged, of_ring
from api.routes import API_PREFIX
from api.services import Services, ServicesDep
from api.views.readings import ReadingList
from common.errors import BackendError, RequestRefusedError
from common.machines.machine import MachineType
from common.records.run_names import source_run
from common.scorestore.port import RunSummary

router = APIRouter(prefix=f"{API_PREFIX}/readings", tags=["assets"])

MOST_EVIDENCE: Final = 50
"""Windows looked through: of the shipped models 1,500 readings."""


@router.get(
    "",
    summary="The latest readings of an asset, in the machine's units",
    response_model=ReadingList,
    responses=illustrated(
        404,
        unknown_asset="There is no verdict on a reading of asset 'x'.",
        no_readings="No reading of asset 'P-103' in run 'only' is kept: it has no ring in the "
        "workers' state store, and no alert.",
    ),
)
async def list_readings(
    services: ServicesDep, query: Annotated[ReadingsQuery, Query()]
) -> Response:
    """What is kept of the readings themselves, the oldest first, each cycle once.

    The latest are in the ring of the workers' state store (`source: ring`), as many as the model
    looks at; around every alert those of its evidence are kept as well (`source: evidence`). In
    between nothing is: scores are kept of all readings (`/api/v1/scores`), values are not. Without
    `run_id` the latest run is meant. `notes` says what could not be asked.
    """
    run, others = await _run(services, query)
    known = await services.catalogue.fleets()
    machine = known.machine(run.fleet)
    notes: list[str] = []
    ring = await _ring(services, run, others, machine, notes)
    evidence = await services.evidence.of_run(run.asset_id, run.run_id, MOST_EVIDENCE)
    if not ring and not evidence:
        why = "; ".join(notes) or "it has no ring in the workers' state store, and no alert"
        raise RequestRefusedError(
            404,
            "no_readings",
            f"No reading of asset {run.asset_id!r} in run {run.run_id!r} is kept: {why}.",
        )
    return await json_answer(
        lambda: ReadingList.of(run, merged(ring, evidence, query.limit), machine, evidence, notes)
    )


async def _run(services: Services, query: ReadingsQuery) -> tuple[RunSummary, list[RunSummary]]:
    """Return the run that is asked for, and all runs of the asset.

    Raises:
        RequestRefusedError: 404, if there is none.
    """
    page = await services.scores.run_page(1, asset_id=query.asset_id)
    matching = [
        run
        for run in page.runs
        if query.run_id in (None, run.run_id) and query.fleet in (None, run.fleet)
    ]
    found = latest_run(matching)
    if found is None:
        within = f" in run {query.run_id!r}" if query.run_id else ""
        within += f" of fleet {query.fleet!r}" if query.fleet else ""
        raise RequestRefusedError(
            404,
            "unknown_asset",
            f"There is no verdict on a reading of asset {query.asset_id!r}{within}.",
        )
    return found, list(page.runs)


async def _ring(
    services: Services,
    run: RunSummary,
    runs: list[RunSummary],
    machine: MachineType | None,
    notes: list[str],
) -> list[PastReading]:
    """Return the readings of the ring; nothing, and why not in ``notes``, where there are none."""
    name = source_run(run.run_id)
    alike = [other for other in runs if source_run(other.run_id) == name]
    latest = latest_run(alike)
    if latest is not None and latest.run_id != run.run_id:
        notes.append(f"the ring holds readings of the run {latest.run_id!r}, which followed this")
        return []
    try:
        kept = await services.rings.read(run.asset_id, name)
    except BackendError as exc:
        notes.append(f"the ring could not be read: {exc}")
        return []
    if kept is None:
        return []
    if machine is None or kept.machine != machine.digest:
        notes.append(
            f"the ring holds values of another machine type than fleet {run.fleet!r} has here"
        )
        return []
    return of_ring(kept, machine)
