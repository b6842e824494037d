"""What all messages have in common."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Final = 1


MAX_CYCLE: Final = 2**53 - 1

"""The largest whole number that every reader of JSON gets right."""


Cycle = Annotated[int, Field(ge=1, le=MAX_CYCLE)]


Finite = Annotated[float, Field(allow_inf_nan=False)]


class WireRecord(BaseModel):
    """Base of all messages: immutable; unknown fields are kept out, not refused."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, ser_json_inf_nan="null")

    def to_json(self) -> bytes:
        """Return the message as UTF-8 JSON."""
        return self.model_dump_json().encode()
