"""Bodies that are none of ours come no further than this; it stands behind the door."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.bodies import RuleOf, checked_body
from api.http.gate import READING_METHODS
from api.http.matching import matched
from api.http.problems import problem_response
from common.errors import RequestRefusedError


class BodyGate:
    """ASGI middleware that answers 415, 413 or 408 to a body that must not come further.

    Args:
        app: What is behind it.
        bodies: Tells what a body may be, by the path.
        routes: Every route that there is: a path that has no such method takes no body.
    """

    def __init__(self, app: ASGIApp, bodies: RuleOf, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._bodies = bodies
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer why not."""
        if (
            scope["type"] == "http"
            and scope["method"] not in READING_METHODS
            and matched(self._routes, scope)[0] is Match.FULL
        ):
            rule, headers = self._bodies(scope["path"]), Headers(scope=scope)
            try:
                receive = await checked_body(rule, headers, receive)
            except RequestRefusedError as exc:
                refusal = problem_response(HTTPStatus(exc.status), exc.code, str(exc))
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)
