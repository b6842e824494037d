"""Parts that several answers share: how long is left, and up to when readings were removed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from common.records.times import UtcTimestamp

RemovedUntil = Annotated[
    UtcTimestamp | None,
    Field(
        description="Of readings up to this time some, or all, were removed "
        "(retention): what is not on this page may have been there. Null where "
        "nothing was removed."
    ),
]


class LifeView(BaseModel):
    """How long is left, in steps of the machine type."""

    expected: float = Field(description="Most likely.", examples=[41.5])
    low: float = Field(description="In 19 of 20 cases more is left.", examples=[28.0])
    high: float = Field(description="In 19 of 20 cases less is left.", examples=[60.5])


class AlertLifeView(LifeView):
    """How long is left, as an alert says it."""

    at_least: bool = Field(
        description="Whether `high` is as far as the model looks: then more may be left."
    )
    coverage: float = Field(
        description="Part of cases in which `low` to `high` holds what is left.", examples=[0.9]
    )
