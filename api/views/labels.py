"""What the api says of a run's true anomalies."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from api.labels import KnownLabels


class LabelledInterval(BaseModel):
    """One true anomaly; both ends belong to it."""

    first_cycle: int = Field(examples=[301])
    last_cycle: int = Field(examples=[340])


class LabelList(BaseModel):
    """The true anomalies of one run, as far as they are known."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "asset_id": "A-1",
                "run_id": "SMAP-test-20260701T123000000Z",
                "items": [{"first_cycle": 301, "last_cycle": 340}],
                "source": "labeled_anomalies.csv of SMAP",
                "disputed": None,
                "why_none": None,
            }
        }
    )

    asset_id: str
    run_id: str | None = Field(description="None where no such run is known.")
    items: list[LabelledInterval] = Field(description="Ascending, apart.")
    source: str | None = Field(description="Who labelled them; null where nothing is known.")
    disputed: str | None = Field(description="Why these labels are disputed; null if they are not.")
    why_none: str | None = Field(description="Why nothing is known; null where it is.")

    @classmethod
    def of(cls, asset_id: str, run_id: str | None, known: KnownLabels) -> Self:
        """Return the api's view of what is known of a run."""
        return cls(
            asset_id=asset_id,
            run_id=run_id,
            items=[
                LabelledInterval(first_cycle=first, last_cycle=last) for first, last in known.spans
            ],
            source=known.source,
            disputed=known.disputed,
            why_none=known.why_none,
        )
