"""Where an artifact comes from, as its manifest has it: data, parts, training, choice of score."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from common.machines.machine import SLUG_PATTERN, Part

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Slug = Annotated[str, Field(pattern=SLUG_PATTERN)]


class RangeSection(Part):
    """Assets ``first`` to ``last`` in the order of the data, both included."""

    first: Annotated[int, Field(ge=1)]
    last: Annotated[int, Field(ge=1)]

    def __str__(self) -> str:
        """Return ``first-last``."""
        return f"{self.first}-{self.last}"


class OwnDataSection(Part):
    """What a recording held that is not one of NASA's files.

    Attributes:
        assets: How many.
        rows: Readings that were used.
        split_by: ``asset``: parts are other assets. ``time``: later readings of the same.
        healthy_rows: How many of the readings count as of a sound machine.
        faulty_rows: How many are known to be of a failing one.
    """

    assets: Annotated[int, Field(ge=1)]
    rows: Annotated[int, Field(ge=1)]
    split_by: Literal["asset", "time"]
    healthy_rows: Annotated[int, Field(ge=1)]
    faulty_rows: Annotated[int, Field(ge=0)]


class TrainingSection(Part):
    """Where the artifact comes from: enough to make it again.

    ``own`` says that it is somebody's own data; the two RULs are then none, and nothing need have
    been held out. It is not written where there is none, so that digests of C-MAPSS models hold.
    """

    dataset: str
    split: Literal["train"]
    data_sha256: Digest
    fit: RangeSection
    validate_: RangeSection = Field(alias="validate")
    heldout: RangeSection | None
    healthy_rul: int | None
    fault_rul: int | None
    seed: int
    config: dict[str, float]
    train_loss: float | None
    validation_loss: float | None
    libraries: dict[str, str]
    own: OwnDataSection | None = None

    @model_validator(mode="after")
    def _told(self) -> Self:
        engines = (self.healthy_rul, self.fault_rul, self.heldout)
        if self.own is None and None in engines:
            raise ValueError("healthy_rul, fault_rul and heldout may be missing of own data alone")
        return self

    @model_serializer(mode="wrap")
    def _without_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if self.own is None:
            del written["own"]
        return written

    @property
    def origin(self) -> str:
        """The data in words: their name, and whether they are somebody's own."""
        if self.own is None:
            return self.dataset
        many = "s" * (self.own.assets != 1)
        return f"{self.dataset} (own data, {self.own.assets} asset{many})"


class CandidateSection(Part):
    """How one score ranks the windows of the engines a choice was made on."""

    auc: float
    pr_auc: float


class SelectionSection(Part):
    """Why this score: those it was chosen from, the engines, the rule in words."""

    rule: str
    engines: RangeSection
    candidates: dict[Slug, CandidateSection] = Field(min_length=1)
