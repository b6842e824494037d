"""What every peer is told: the broker, Valkey and topic that Surgeline's worker reads, too."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

VARIABLE: Final = "BENCH_PEER"
"""A peer finds its settings here, as JSON: Faust wants the command line for itself."""

ROOT: Final = Path(__file__).parents[2]

FETCH_MAX_WAIT_MS: Final = 25
"""As Surgeline's: the local broker lets an idle consumer wait half of it."""


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """Where a peer reads and writes.

    Attributes:
        brokers: HOST:PORT.
        topic: Of the readings.
        alerts: The topic of its alerts.
        group: Its consumer group.
        redis_url: Where its rings are.
        prefix: First part of its keys.
        database: Its SQLite file.
        model: Whose network it uses.
        scorer_url: Where windows are scored over HTTP; only one peer does that.
    """

    brokers: str
    topic: str
    alerts: str
    group: str
    redis_url: str
    prefix: str
    database: str
    model: str
    scorer_url: str = ""

    def environment(self) -> dict[str, str]:
        """Return the variables of a peer's process; it may work in any folder."""
        found = os.environ | {VARIABLE: json.dumps(asdict(self)), "PYTHONPATH": str(ROOT)}
        return dict(found)

    @property
    def path(self) -> Path:
        """Its SQLite file."""
        return Path(self.database)


def given() -> PeerSettings:
    """Return the settings of this process."""
    return PeerSettings(**json.loads(os.environ[VARIABLE]))


Runner = Callable[[PeerSettings], None]
