"""Somebody who takes keys of a state store away, or puts older values in their place."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any, Final

from redis import Redis, RedisCluster

from common.settings import RedisSettings
from detector.adapters.memory import MemoryStateStore
from detector.failpoints import Point

Content = dict[Hashable, Any]

AFTER: Final = frozenset(
    {
        Point.RECEIVED,
        Point.STATES_READ,
        Point.CLAIMED,
        Point.INTENDED,
        Point.PUBLISHED,
        Point.STATES_WRITTEN,
        Point.REBUILDING,
        Point.REBUILT,
    }
)
"""The points between which the state store is asked something."""


class Vandal(ABC):
    """Strikes at some of the points of the protocol.

    Attributes:
        strikes: How many keys it has touched.
    """

    def __init__(self, chance: random.Random, eager: float) -> None:
        self.strikes = 0
        self._chance, self._eager = chance, eager
        self._past: list[Content] = []

    def __call__(self, point: Point) -> None:
        """Look at the store, and strike at times."""
        if point not in AFTER:
            return
        content = self._content()
        self._past.append(content)
        if self._chance.random() > self._eager:
            return
        known = sorted({name for then in self._past for name in then}, key=repr)
        for name in self._chance.sample(known, self._chance.randint(0, len(known))):
            older = self._chance.choice(self._past).get(name)
            value = older if self._chance.random() < 0.5 else None
            if value != content.get(name):
                self.strikes += 1
                self._put(name, value)

    @abstractmethod
    def _content(self) -> Content:
        """Return what the store holds, key by key."""

    @abstractmethod
    def _put(self, name: Hashable, value: Any) -> None:
        """Put a value under a key, or take it away."""


class MemoryVandal(Vandal):
    """Strikes at a store in memory."""

    def __init__(self, store: MemoryStateStore, chance: random.Random, eager: float) -> None:
        super().__init__(chance, eager)
        self._store = store

    def _content(self) -> Content:
        store = self._store
        records: Content = {
            number: (progress, store.intents.get(number), dict(store.ledgers.get(number, {})))
            for number, progress in store.progress.items()
        }
        return records | dict(store.values)

    def _put(self, name: Hashable, value: Any) -> None:
        store = self._store
        if not isinstance(name, int):
            _put(store.values, name, value)
            return
        progress, intent, ledger = value or (None, None, None)
        _put(store.progress, name, progress)
        _put(store.intents, name, intent)
        _put(store.ledgers, name, dict(ledger) if ledger is not None else None)


class RedisVandal(Vandal):
    """Strikes at a real server, or at a cluster."""

    def __init__(self, settings: RedisSettings, chance: random.Random, eager: float) -> None:
        super().__init__(chance, eager)
        url, self._prefix = settings.url.get_secret_value(), settings.key_prefix
        kind = RedisCluster if settings.cluster else Redis
        self._redis: Any = kind.from_url(url)

    def close(self) -> None:
        """Disconnect."""
        self._redis.close()

    def _content(self) -> Content:
        names = list(self._redis.scan_iter(f"{self._prefix}:*", count=1000))
        return {name: self._redis.dump(name) for name in names}

    def _put(self, name: Hashable, value: Any) -> None:
        if value is None:
            self._redis.delete(name)
        else:
            self._redis.restore(name, 0, value, replace=True)


def _put(into: dict[Any, Any], name: Hashable, value: Any) -> None:
    if value is None:
        into.pop(name, None)
    else:
        into[name] = value
