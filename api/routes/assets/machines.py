"""Machines: each fleet's model, and what its machines report."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from api.http.answers import json_answer
from api.http.problems import documented
from api.http.queries import no_query
from api.routes import API_PREFIX
from api.services import ServicesDep
from api.views.machines import FleetList, FleetView
from common.errors import RequestRefusedError
from common.terminal.nearest import suggestion

router = APIRouter(
    prefix=f"{API_PREFIX}/machines", tags=["machines"], dependencies=[Depends(no_query)]
)


@router.get("", summary="Fleets, and what their machines report", response_model=FleetList)
async def list_machines(services: ServicesDep) -> Response:
    """Names, meanings, units and limits of all channels, from the model that judges each fleet.

    Read from the file of fleets and the artifacts themselves, as a worker reads them, and again
    when they change. A fleet whose artifact cannot be read is listed with its `problem`.
    """
    known = await services.catalogue.fleets()
    return await json_answer(lambda: FleetList.of(known))


@router.get(
    "/{fleet}",
    summary="One fleet, and what its machines report",
    response_model=FleetView,
    responses=documented(404),
)
async def get_machine(
    services: ServicesDep,
    fleet: Annotated[str, Path(max_length=200, description="Its name.", examples=["FD001"])],
) -> Response:
    """Return one fleet by its name."""
    known = await services.catalogue.fleets()
    found = known.fleets.get(fleet)
    if found is None:
        near = suggestion(fleet, known.fleets)
        why = f" {known.problem}" if known.problem else ""
        raise RequestRefusedError(404, "unknown_fleet", f"There is no fleet {fleet!r}.{near}{why}")
    return await json_answer(lambda: FleetView.of(found))
