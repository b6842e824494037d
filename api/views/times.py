"""Times that several answers give."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from common.records.times import UtcTimestamp

RemovedUntil = Annotated[
    UtcTimestamp | None,
    Field(
        description="Of readings up to this time some, or all, were removed "
        "(retention): what is not on this page may have been there. Null where "
        "nothing was removed."
    ),
]
