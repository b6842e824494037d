"""The api as a user starts it, beside an installation of the detector."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bench.support.installation import Installation
from bench.support.processes import program, running, wait_until

LISTENING: Final = re.compile(r"listening on (http://\S+)")


@dataclass(frozen=True, slots=True)
class Api:
    """An api that listens.

    Attributes:
        url: Where.
        pid: Its process.
    """

    url: str
    pid: int


def alerts_url(installation: Installation) -> str:
    """Return the database of its alerts."""
    return f"sqlite+aiosqlite:///{installation.folder}/alerts.db"


@contextmanager
def api_running(installation: Installation, **extra: str) -> Iterator[Api]:
    """Run an api with stores of its own until the block ends.

    Args:
        installation: Whose topics and score store it reads.
        extra: More settings.
    """
    log = installation.folder / "api.log"
    environment = installation.environment(
        SURGELINE_ALERTS__URL=alerts_url(installation),
        SURGELINE_API__PORT="0",
        SURGELINE_API__DETECTOR_URL=f"http://127.0.0.1:{installation.http_port}",
        **extra,
    )
    log.unlink(missing_ok=True)  # an earlier one said where it listened, too
    with program([sys.executable, "-m", "api"], log, environment) as process:

        def listens() -> bool:
            running(process, "the api", log)
            return LISTENING.search(log.read_text(errors="replace")) is not None

        wait_until(listens, "the api listens", 60.0)
        found = LISTENING.search(log.read_text(errors="replace"))
        assert found is not None
        yield Api(found[1], process.pid)
