"""Roles: each may do what the one before it may."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a key may do.

    ``viewer`` reads, and asks models and rules what they would say; ``operator`` acts on alarms, on
    maintenance of single assets and on replays; ``admin`` also takes whole fleets out of service,
    and reads keys and the audit log.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 for viewer, 1 for operator, 2 for admin."""
        return list(Role).index(self)

    def may(self, needed: Role) -> bool:
        """Return whether this role is enough."""
        return self.rank >= needed.rank
