"""Who acts: the name that goes into the logs beside what was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends
from fastapi.requests import HTTPConnection

from api.access.guard import Identity
from api.access.roles import Role
from api.http.problems import invalid
from common.errors import RequestRefusedError

LOCAL: Final = "local"
"""Who acts where no keys are in use and nobody says a name."""

IDENTITY: Final = "surgeline.identity"
"""Where the door notes, in a request's scope, whose it is."""

OPERATOR: Final = "surgeline.operator"
"""Where a request without a key notes whom it names, for the audit log."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who sent a request.

    Attributes:
        scope: The request's scope.
    """

    scope: dict[str, Any]

    @property
    def identity(self) -> Identity | None:
        """Whose request it is; none where keys are not in use."""
        found = self.scope.get(IDENTITY)
        return found if isinstance(found, Identity) else None

    def name(self, operator: str | None) -> str:
        """Return who acts.

        Args:
            operator: Whom the body names.

        Raises:
            RequestValidationError: If a body names anybody where the key says who it is.
        """
        if self.identity is None:
            self.scope[OPERATOR] = operator or LOCAL
            return operator or LOCAL
        if operator is not None:
            raise invalid("body", "operator", "the key says who acts; leave it out", operator)
        return self.identity.key.name

    def require(self, role: Role, what: str) -> None:
        """Refuse what needs more than the route itself.

        Raises:
            RequestRefusedError: 403, if the key's role is not enough.
        """
        if self.identity is not None and not self.identity.key.role.may(role):
            raise forbidden(self.identity.key.role, role, what)


def forbidden(has: Role, needed: Role, what: str) -> RequestRefusedError:
    """Return the refusal that says which role is needed."""
    return RequestRefusedError(
        403, "role_too_low", f"{what} needs the role {needed}; this key's is {has}."
    )


def actor_of(request: HTTPConnection) -> Actor:
    """Return who sent a request, or opened a WebSocket."""
    return Actor(request.scope)  # type: ignore[arg-type]  # a mutable mapping, and a dictionary


ActorDep = Annotated[Actor, Depends(actor_of)]
