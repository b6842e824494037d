"""Maintenance windows: when an asset or a fleet is out of service. They end; none is deleted."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Response

from api.access.actors import Actor, ActorDep
from api.access.roles import Role
from api.http import cursors
from api.http.answers import json_answer
from api.http.problems import documented, illustrated
from api.http.queries import no_query
from api.routes import API_PREFIX
from api.routes.alerts import sequence_position
from api.services import ServicesDep
from api.views.alarms.alarms import MaintenancePage, MaintenanceView
from api.views.alarms.requests import EndBody, MaintenanceQuery, PlanBody, RescheduleBody

router = APIRouter(prefix=f"{API_PREFIX}/maintenance", tags=["maintenance"])

UNKNOWN: Final = illustrated(404, unknown_maintenance="There is no maintenance window '0b7d5f0e'.")
REFUSED: Final = {
    **documented(400, 403, 408, 413, 415),
    **illustrated(
        409,
        maintenance_over="This maintenance window is over; plan another one.",
        maintenance_too_long="A maintenance window lasts 366 days at most, and begins within as "
        "many.",
        request_id_reused="The request id '5e1f7c0e' stood for another plan before: give each "
        "request an id of its own.",
    ),
}

WindowId = Annotated[str, Path(max_length=200, description="Its id.")]


@router.get("", summary="Maintenance windows, the last first", response_model=MaintenancePage)
async def list_maintenance(
    services: ServicesDep, query: Annotated[MaintenanceQuery, Query()]
) -> Response:
    """All windows there ever were, or only those that run or are planned (`current=true`)."""
    mark, now = cursors.query_mark(query), services.clock.now()
    found = await services.alarms.windows(
        query.limit + 1,
        ends_after=now if query.current else None,
        before=None if query.cursor is None else sequence_position(mark, query.cursor),
    )
    shown, more = found[: query.limit], len(found) > query.limit
    return await json_answer(
        lambda: MaintenancePage(
            items=[MaintenanceView.of(window, now) for window in shown],
            next_cursor=cursors.encode(mark, shown[-1].events[0].sequence) if more else None,
        )
    )


@router.post(
    "",
    status_code=201,
    summary="Take an asset or a fleet out of service",
    responses={201: {"headers": {"Location": {"schema": {"type": "string"}}}}, **REFUSED},
    dependencies=[Depends(no_query)],
)
async def plan_maintenance(
    services: ServicesDep, actor: ActorDep, body: PlanBody, response: Response
) -> MaintenanceView:
    """From now or later on, for 366 days at most. Its alarms stay in the list, marked."""
    _check_scope(actor, body.fleet)
    window = await services.desk.plan(
        body.request(actor.name(body.operator)),
        asset_id=body.asset_id,
        fleet=body.fleet,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
    )
    response.headers["Location"] = f"{API_PREFIX}/maintenance/{window.window_id}"
    return MaintenanceView.of(window, services.clock.now())


@router.get(
    "/{maintenance_id}",
    summary="One maintenance window",
    responses=UNKNOWN,
    dependencies=[Depends(no_query)],
)
async def get_maintenance(services: ServicesDep, maintenance_id: WindowId) -> MaintenanceView:
    """Return one window with all that was done about it."""
    window = await services.desk.window(maintenance_id)
    return MaintenanceView.of(window, services.clock.now())


@router.patch(
    "/{maintenance_id}",
    summary="Give a maintenance window another end",
    responses={**UNKNOWN, **REFUSED},
    dependencies=[Depends(no_query)],
)
async def reschedule_maintenance(
    services: ServicesDep, actor: ActorDep, maintenance_id: WindowId, body: RescheduleBody
) -> MaintenanceView:
    """Earlier or later; how it was before stays in its events."""
    request = body.request(actor.name(body.operator))
    _check_scope(actor, (await services.desk.window(maintenance_id)).plan.fleet)
    window = await services.desk.reschedule(maintenance_id, body.ends_at, request)
    return MaintenanceView.of(window, services.clock.now())


@router.post(
    "/{maintenance_id}/end",
    summary="End a maintenance window now",
    responses={**UNKNOWN, **REFUSED},
    dependencies=[Depends(no_query)],
)
async def end_maintenance(
    services: ServicesDep, actor: ActorDep, maintenance_id: WindowId, body: EndBody
) -> MaintenanceView:
    """One that has not begun is cancelled. Both stay in the list."""
    request = body.request(actor.name(body.operator))
    _check_scope(actor, (await services.desk.window(maintenance_id)).plan.fleet)
    window = await services.desk.end(maintenance_id, request)
    return MaintenanceView.of(window, services.clock.now())


def _check_scope(actor: Actor, fleet: str | None) -> None:
    """Leave whole fleets to admins: everything they say would be out of sight."""
    if fleet is not None:
        actor.require(Role.ADMIN, f"maintenance of the whole fleet {fleet}")
