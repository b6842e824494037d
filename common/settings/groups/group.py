"""What all groups of settings are."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    """Base of all groups: immutable, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")
