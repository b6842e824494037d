"""Notifications: who is told of alerts, and how that goes."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.http.queries import no_query
from api.routes import API_PREFIX
from api.services import ServicesDep
from api.views.notifications import ReceiverList, ReceiverView

router = APIRouter(
    prefix=f"{API_PREFIX}/notifications", tags=["notifications"], dependencies=[Depends(no_query)]
)


@router.get("", summary="Receivers of notifications, and how their alerts stand")
async def list_receivers(services: ServicesDep) -> ReceiverList:
    """Who is told by webhook or e-mail, what waits, and what was given up.

    Addresses are in none of it. `surgeline notify test` sends each receiver a test.
    """
    standings = await services.outbox.standings()
    return ReceiverList(items=[ReceiverView.of(each, services.receivers) for each in standings])
