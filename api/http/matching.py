"""Which route a request is for, as the router will find it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope


def matched(routes: Sequence[BaseRoute], scope: Scope) -> tuple[Match, str]:
    """Return how well a request matches the routes, and the path of the first that it is for.

    PARTIAL is a path that there is, and a method that it has not.
    """
    best = Match.NONE
    for route in routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return match, route.path if isinstance(route, Mount) else getattr(route, "path", "")
        best = max(best, match, key=lambda each: each.value)
    return best, ""
