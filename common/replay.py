"""What a replay says of itself while it runs: the lines of ``--progress json``, for all who read.

The api runs ``python -m producer replay ... --progress json`` and reads them from standard output,
and so does the demo. One object a line, about two a second, the last one final::

    {"run_id": "R", "sent": 400, "skipped": 0, "total": 13096, "state": "running", "error": null}

``sent + skipped == total`` when ``state`` is ``done``.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

Count = Annotated[int, Field(ge=0)]


class ReplayState(StrEnum):
    """Where a replay stands: ``running``, then one of the others."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="ignore"))
class ReplayProgress:
    """One report.

    Attributes:
        run_id: Which run; empty until it is known.
        sent: Readings the broker acknowledged in this call.
        skipped: Readings that were on the topic before.
        total: Readings of the replay in all; 0 until it is known.
        state: Where it stands.
        error: Why it failed, in one line; none unless it did.
    """

    run_id: str = ""
    sent: Count = 0
    skipped: Count = 0
    total: Count = 0
    state: ReplayState = ReplayState.RUNNING
    error: str | None = None

    def to_json(self) -> str:
        """Return one JSON object without line breaks."""
        return json.dumps(asdict(self))


_LINE: Final = TypeAdapter(ReplayProgress)


def parse_progress(line: str | bytes) -> ReplayProgress | None:
    """Return what a line says; none if it is no report.

    Example:
        >>> parse_progress('{"sent": 4, "total": 9, "state": "done"}')
        ReplayProgress(run_id='', sent=4, skipped=0, total=9, state=<ReplayState.DONE: 'done'>, \
error=None)
        >>> parse_progress("Traceback")
    """
    try:
        return _LINE.validate_json(line)
    except ValidationError:
        return None
