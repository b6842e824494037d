"""Logging in and out, keys, and the audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.access.actors import LOCAL, OPERATOR, ActorDep
from api.access.door import COOKIE, address_of
from api.access.guard import make_key
from api.access.roles import Role
from api.http import cursors
from api.http.problems import documented, illustrated
from api.http.queries import no_query
from api.routes import API_PREFIX
from api.routes.alerts import sequence_position
from api.services import Services, ServicesDep
from api.views.access import (
    AuditPage,
    AuditQuery,
    AuditView,
    KeyList,
    KeyView,
    LoginBody,
    NewKeyBody,
    NewKeyView,
    SessionView,
)
from common.errors import RequestRefusedError

router = APIRouter(prefix=API_PREFIX, tags=["access"])


@router.post(
    "/login",
    summary="Log a browser in by its key",
    responses=documented(400, 408, 413, 415),
    dependencies=[Depends(no_query)],
)
async def log_in(
    services: ServicesDep, request: Request, body: LoginBody, response: Response
) -> SessionView:
    """Set a cookie that scripts cannot read and other pages cannot send.

    Where keys are not in use there is nothing to log in to, and no cookie is set.
    """
    if not services.guard.keys_on:
        return _session(services, None)
    identity, session = await services.guard.log_in(body.key, address_of(request.scope))
    request.scope[OPERATOR] = identity.key.name
    left = session.expires_at - services.clock.now()
    response.set_cookie(
        COOKIE,
        identity.token or "",
        max_age=int(left.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return SessionView(
        keys=True,
        logged_in=True,
        who=identity.key.name,
        role=identity.key.role,
        expires_at=identity.key.expires_at,
    )


@router.post("/logout", status_code=204, summary="End a browser's session")
async def log_out(services: ServicesDep, actor: ActorDep, response: Response) -> None:
    """End the session of the cookie, here and in the store; harmless without one."""
    identity = actor.identity
    if identity is not None and identity.token is not None:
        await services.guard.log_out(identity.token)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


@router.get("/session", summary="Who asks?", dependencies=[Depends(no_query)])
async def get_session(services: ServicesDep, actor: ActorDep) -> SessionView:
    """Say whose key or session this request bears, and what they may do."""
    return _session(services, actor)


@router.get(
    "/keys", summary="All keys", dependencies=[Depends(no_query)], responses=documented(403)
)
async def list_keys(services: ServicesDep) -> KeyList:
    """Return all keys ever made, without what opens anything."""
    now = services.clock.now()
    return KeyList(items=[KeyView.of(key, now) for key in await services.access.keys()])


@router.post(
    "/keys",
    status_code=201,
    summary="Make a key",
    dependencies=[Depends(no_query)],
    responses={
        **documented(400, 408, 413, 415),
        **illustrated(409, key_name_taken="There is, or was, a key named 'anna'; the logs tell …"),
    },
)
async def create_key(services: ServicesDep, body: NewKeyBody) -> NewKeyView:
    """Make a key for somebody. The answer shows it, and nothing does again."""
    now = services.clock.now()
    lifetime = None if body.days is None else timedelta(days=body.days)
    secret, key = await make_key(services.access, body.name, body.role, now, lifetime)
    return NewKeyView(key=secret, **KeyView.of(key, now).model_dump())


@router.delete(
    "/keys/{prefix}",
    summary="Revoke a key",
    dependencies=[Depends(no_query)],
    responses=illustrated(404, unknown_key="There is no valid key 0a1b2c3d."),
)
async def revoke_key(
    services: ServicesDep, prefix: Annotated[str, Path(max_length=100, description="Its prefix.")]
) -> KeyView:
    """End a key and its sessions at once. It stays in the list."""
    now = services.clock.now()
    if not await services.access.revoke(prefix, now):
        raise RequestRefusedError(404, "unknown_key", f"There is no valid key {prefix!r}.")
    key = await services.access.key(prefix)
    assert key is not None  # noqa: S101 - it was just revoked
    return KeyView.of(key, now)


@router.get("/audit", summary="Who asked for what, the last first")
async def list_audit(services: ServicesDep, query: Annotated[AuditQuery, Query()]) -> AuditPage:
    """All that changed something, and all that was refused but for coming too often."""
    mark = cursors.query_mark(query)
    found = await services.access.audit(
        query.limit + 1,
        before=None if query.cursor is None else sequence_position(mark, query.cursor),
        who=query.who,
        refused=query.refused,
    )
    shown, more = found[: query.limit], len(found) > query.limit
    return AuditPage(
        items=[AuditView.of(entry) for entry in shown],
        next_cursor=cursors.encode(mark, shown[-1].sequence) if more else None,
    )


def _session(services: Services, actor: ActorDep | None) -> SessionView:
    identity = None if actor is None else actor.identity
    if not services.guard.keys_on:
        return SessionView(keys=False, logged_in=True, who=LOCAL, role=Role.ADMIN, expires_at=None)
    return SessionView(
        keys=True,
        logged_in=identity is not None,
        who=None if identity is None else identity.key.name,
        role=None if identity is None else identity.key.role,
        expires_at=None if identity is None else identity.key.expires_at,
    )
