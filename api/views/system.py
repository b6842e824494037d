"""Health, readiness, and what the api says of itself."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Dependency(BaseModel):
    """One thing the api leans on."""

    ok: bool
    needed: bool = Field(description="Whether the api is not ready without it.")
    latency_ms: float = Field(description="How long it took to answer, or to fail, ms.")
    error: str | None = Field(None, description="Why not.")


class Readiness(BaseModel):
    """Whether requests can be served, and by whose fault not."""

    status: Literal["ready", "degraded", "not_ready"] = Field(
        description="`degraded`: something is down that the api itself does not need."
    )
    dependencies: dict[str, Dependency]
    notes: list[str] = Field(
        default=[], description="What is no failure, but good to know, such as gaps."
    )


class Info(BaseModel):
    """What is running here."""

    name: str = "surgeline-api"
    version: str
    artifact: str = Field(description="The artifact the detector is set to use.")
    settings: dict[str, object] = Field(description="All settings; secrets are masked.")


class Landing(BaseModel):
    """Where to go from the root."""

    name: str = "Surgeline"
    version: str
    links: dict[str, str]
