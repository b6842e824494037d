"""The names of assets, runs and fleets: what they may look like, and those that have a meaning."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

from pydantic import Field

MAX_ID_CHARS: Final = 128


ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}$"

"""Asset and run ids: what is safe in a URL path, a Redis key and an InfluxDB tag alike."""


DEFAULT_FLEET: Final = "default"

"""Of readings that name none, and of all readings of version 1."""


FLEET_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,63}$"


ONLY_RUN: Final = "only"

"""The run of a source that knows no runs."""


SIMULATED_PREFIX: Final = "simulated"

"""First part of the run id of every simulated run, and what screens look for to say so."""


AssetId = Annotated[str, Field(pattern=ID_PATTERN)]


RunId = Annotated[str, Field(pattern=ID_PATTERN)]


FleetName = Annotated[str, Field(pattern=FLEET_PATTERN)]


def renewed_run_id(run_id: str, partition: int, offset: int) -> str:
    """Return the id of a run that was opened by rule where the source's counter began anew.

    Args:
        run_id: What the source calls it.
        partition: Where the reading that opened it stood.
        offset: Where the reading that opened it stood.

    Example:
        >>> renewed_run_id("run-1", 3, 120)
        'run-1:from-3-120'
    """
    suffix = f":from-{partition}-{offset}"
    room = MAX_ID_CHARS - len(suffix)
    if len(run_id) > room:
        digest = hashlib.sha256(run_id.encode()).hexdigest()[:12]
        run_id = f"{run_id[: room - len(digest) - 1]}-{digest}"
    return run_id + suffix
