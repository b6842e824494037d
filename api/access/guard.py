"""The guard: whose request is it, may it be, and how often."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from api.access.keys import (
    ApiKey,
    Session,
    digest_of,
    is_same,
    new_key,
    new_token,
    prefix_of,
)
from api.access.limits import RateLimit
from api.access.ports import AccessStore
from api.access.roles import Role
from api.http.gate import is_loopback
from common.clock import Clock
from common.errors import RequestRefusedError, SettingsError
from common.settings import ApiSettings

STRANGERS_PER_MINUTE: Final = 120
"""Requests without any key, from one address: each is logged, and the log is not theirs to fill."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose request it is.

    Attributes:
        key: Its key.
        token: Its session's cookie; none for a request that bears the key itself.
    """

    key: ApiKey
    token: str | None = None


def keys_are_on(settings: ApiSettings) -> bool:
    """Return whether requests need a key: unless told, where more than this machine can ask."""
    if settings.keys == "auto":
        return not is_loopback(settings.host)
    return settings.keys == "on"


async def check_keys(settings: ApiSettings, store: AccessStore, now: datetime) -> None:
    """Refuse to listen where keys are needed and there is none.

    Raises:
        SettingsError: In one line, with what to do.
    """
    if not keys_are_on(settings) or any(key.is_valid(now) for key in await store.keys()):
        return
    raise SettingsError(
        f"The api would listen on {settings.host} and needs API keys, but there is none. Make one "
        "with `surgeline keys create NAME --role admin`, or set SURGELINE_API__KEYS=off to let "
        "anybody who reaches it do anything."
    )


class Guard:
    """Knows keys and sessions, and counts.

    Attributes:
        keys_on: Whether requests need a key.
    """

    def __init__(self, settings: ApiSettings, store: AccessStore, clock: Clock) -> None:
        self.keys_on = keys_are_on(settings)
        self._session = timedelta(hours=settings.session_hours)
        self._store = store
        self._clock = clock
        self._failures = RateLimit(settings.failed_logins_per_minute, clock.monotonic)
        self._strangers = RateLimit(STRANGERS_PER_MINUTE, clock.monotonic)
        self._changes = RateLimit(settings.changes_per_minute, clock.monotonic)
        self._computations = RateLimit(settings.computations_per_minute, clock.monotonic)

    async def by_key(self, key: str, address: str) -> Identity:
        """Return whose key this is.

        Raises:
            RequestRefusedError: 401 if it opens nothing; 429 after too many that did not. A key
                that is right is never refused for others' failures at its address.
        """
        prefix = prefix_of(key)
        found = None if prefix is None else await self._store.key(prefix)
        same = is_same(key, digest_of("") if found is None else found.digest)
        if found is None or not same or not found.is_valid(self._clock.now()):
            raise self._failed(address, "This API key opens nothing: it is unknown or has ended.")
        return Identity(found)

    async def by_session(self, token: str, address: str) -> Identity:
        """Return whose session this is.

        Raises:
            RequestRefusedError: 401 or 429, as for keys.
        """
        now, session = self._clock.now(), await self._store.session(digest_of(token))
        key = None if session is None else await self._store.key(session.prefix)
        if session is None or key is None or now >= session.expires_at or not key.is_valid(now):
            raise self._failed(address, "This session has ended; log in again.")
        return Identity(key, token)

    async def is_valid(self, identity: Identity) -> bool:
        """Return whether a request that was let in would be let in now.

        Raises:
            BackendError: If the store does not answer.
        """
        now, key = self._clock.now(), await self._store.key(identity.key.prefix)
        if key is None or not key.is_valid(now):
            return False
        if identity.token is None:
            return True
        session = await self._store.session(digest_of(identity.token))
        return session is not None and now < session.expires_at

    async def log_in(self, key: str, address: str) -> tuple[Identity, Session]:
        """Return whose key this is, and a new session of it.

        Raises:
            RequestRefusedError: 401 or 429, as for keys.
        """
        identity = await self.by_key(key, address)
        token, now = new_token(), self._clock.now()
        session = Session(digest_of(token), identity.key.prefix, now + self._session)
        await self._store.forget_sessions(now)
        await self._store.add_session(session)
        return Identity(identity.key, token), session

    async def log_out(self, token: str) -> None:
        """End a session."""
        await self._store.end_session(digest_of(token))

    def check_changes(self, who: str) -> None:
        """Count a change.

        Raises:
            RequestRefusedError: 429, if there are too many.
        """
        wait_s = self._changes.take(who)
        if wait_s:
            raise too_many("changes", wait_s)

    def check_computations(self, who: str) -> None:
        """Count a request that has something worked out and changes nothing.

        Raises:
            RequestRefusedError: 429, if there are too many.
        """
        wait_s = self._computations.take(who)
        if wait_s:
            raise too_many("requests to score or compare", wait_s)

    def stranger(self, address: str) -> RequestRefusedError:
        """Return the refusal of a request that bears nothing: 401, or 429 after too many."""
        wait_s = self._strangers.take(address)
        if wait_s:
            return too_many("requests without a key", wait_s)
        return RequestRefusedError(
            401,
            "unauthorized",
            "This needs an API key: `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
        )

    def _failed(self, address: str, why: str) -> RequestRefusedError:
        wait_s = self._failures.take(address)
        if wait_s:
            return too_many("failed logins", wait_s)
        return RequestRefusedError(401, "unauthorized", why)


def too_many(what: str, wait_s: float) -> RequestRefusedError:
    """Return the refusal of what happens too often."""
    left_s = math.ceil(wait_s)
    return RequestRefusedError(
        429, "too_many_requests", f"Too many {what}; try again in {left_s} s.", left_s
    )


async def make_key(
    store: AccessStore, name: str, role: Role, now: datetime, lifetime: timedelta | None = None
) -> tuple[str, ApiKey]:
    """Make a key, and return it with what is kept of it. It is shown once and never again.

    Raises:
        RequestRefusedError: 409, if the name was ever given: the log would tell two people alike.
    """
    secret, prefix = new_key()
    expires_at = None if lifetime is None else now + lifetime
    key = ApiKey(prefix, name, role, digest_of(secret), now, expires_at)
    if not await store.add_key(key):
        raise RequestRefusedError(
            409,
            "key_name_taken",
            f"There is, or was, a key named {name!r}; the logs tell people apart by these names. "
            "Choose another.",
        )
    return secret, key
