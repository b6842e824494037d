"""The runs of an asset, as the api shows them."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.views.schemas import RunView


class RunPage(BaseModel):
    """Runs of an asset, a page at a time."""

    items: list[RunView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")
