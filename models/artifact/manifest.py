"""What an artifact says of itself: ``manifest.json``. Numbers and names only, nothing executable.

Strict and closed: an unknown field, a wrong type, a length that does not fit the channels or a
score this version does not know is refused. A layout change raises :data:`SCHEMA_VERSION`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.channels import SENSOR_NAMES
from models.artifact.metrics import Metrics
from models.scoring.normaliser import Normaliser
from models.scoring.scores import SCORES

SCHEMA_VERSION: Final = 2

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SLUG_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$"
"""Names and versions: safe in a path, a Redis key and an InfluxDB tag alike."""

Slug = Annotated[str, Field(pattern=SLUG_PATTERN)]
Positive = Annotated[float, Field(gt=0.0)]
Triple = tuple[float, float, float]


class Section(BaseModel):
    """Base of all parts: immutable, nothing unknown, no silent conversion, finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class RegimeSection(Section):
    """One operating regime: where it is, and each channel's healthy mean and deviation."""

    centre: Triple
    mean: tuple[float, ...]
    sd: tuple[Positive, ...]


class NormalisationSection(Section):
    """The regime table (``models.scoring.normaliser.Normaliser``)."""

    tolerances: tuple[Positive, Positive, Positive]
    radius: Positive
    regimes: tuple[RegimeSection, ...] = Field(min_length=1)

    @classmethod
    def of(cls, normaliser: Normaliser) -> Self:
        """Return the table as it is stored."""
        regimes = [
            {"centre": tuple(centre), "mean": tuple(mean), "sd": tuple(sd)}
            for centre, mean, sd in zip(
                normaliser.centres.tolist(),
                normaliser.means.tolist(),
                normaliser.sds.tolist(),
                strict=True,
            )
        ]
        return cls.model_validate(
            {
                "tolerances": tuple(normaliser.tolerances.tolist()),
                "radius": normaliser.radius,
                "regimes": tuple(regimes),
            }
        )

    def normaliser(self) -> Normaliser:
        """Return the table ready to use."""
        return Normaliser(
            np.array(self.tolerances),
            self.radius,
            np.array([regime.centre for regime in self.regimes]),
            np.array([regime.mean for regime in self.regimes]),
            np.array([regime.sd for regime in self.regimes]),
        )


class NetworkSection(Section):
    """The network's file. ``file`` is a plain name inside the artifact's folder.

    ``int8`` networks round differently for another number of windows in a call: a live score then
    equals a batch score only about, so parity must not be asked of them.
    """

    kind: Slug
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.onnx$")]
    sha256: Digest
    parameters: Annotated[int, Field(ge=0)]
    precision: Literal["fp32", "int8"]


class ArraysSection(Section):
    """The file of what a score learned, if it is more than numbers per channel: ``.npz``."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.npz$")]
    sha256: Digest


class ScoreSection(Section):
    """The score's name and what it learned: per channel here, anything else in a file."""

    name: str
    params: dict[str, tuple[float, ...]]
    arrays: ArraysSection | None

    def vectors(self) -> dict[str, NDArray[np.float64]]:
        """Return the numbers per channel, each array of shape ``(n_channels,)``."""
        return {name: np.array(values) for name, values in self.params.items()}


class RangeSection(Section):
    """Engines ``first`` to ``last``, both included."""

    first: Annotated[int, Field(ge=1)]
    last: Annotated[int, Field(ge=1)]


class ThresholdSection(Section):
    """One threshold, and how it was chosen."""

    value: float
    strategy: Slug
    options: dict[str, float]
    engines: RangeSection
    windows: Annotated[int, Field(ge=1)]
    reason: str


class ThresholdsSection(Section):
    """Both thresholds; anomalous when ``score >= value``."""

    warning: ThresholdSection
    critical: ThresholdSection

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.critical.value < self.warning.value:
            raise ValueError(
                f"critical threshold {self.critical.value} is below warning {self.warning.value}"
            )
        return self


class TrainingSection(Section):
    """Where the artifact comes from: enough to make it again."""

    dataset: str
    split: Literal["train"]
    data_sha256: Digest
    fit: RangeSection
    validate_: RangeSection = Field(alias="validate")
    heldout: RangeSection
    healthy_rul: int
    fault_rul: int
    seed: int
    config: dict[str, float]
    train_loss: float | None
    validation_loss: float | None
    libraries: dict[str, str]


class CandidateSection(Section):
    """How one score ranks the windows of the engines a choice was made on."""

    auc: float
    pr_auc: float


class SelectionSection(Section):
    """Why this score: those it was chosen from, the engines, the rule in words."""

    rule: str
    engines: RangeSection
    candidates: dict[Slug, CandidateSection] = Field(min_length=1)


class Manifest(Section):
    """The whole of ``manifest.json``."""

    schema_version: Literal[2]
    name: Slug
    version: Slug
    channels: tuple[str, ...] = Field(min_length=1)
    window_length: Annotated[int, Field(ge=2, le=10_000)]
    normalisation: NormalisationSection
    network: NetworkSection | None
    score: ScoreSection
    thresholds: ThresholdsSection
    training: TrainingSection
    selection: SelectionSection | None
    heldout_metrics: Metrics

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        n_channels = len(self.channels)
        if self.channels != tuple(name for name in SENSOR_NAMES if name in self.channels):
            raise ValueError(
                f"channels {', '.join(self.channels)} came; distinct sensors in the order of a "
                "reading were expected"
            )
        for regime in self.normalisation.regimes:
            if not len(regime.mean) == len(regime.sd) == n_channels:
                raise ValueError(
                    f"normalisation has {len(regime.mean)} means and {len(regime.sd)} deviations; "
                    f"{n_channels} of each were expected, one per channel"
                )
        self._check_score(n_channels)
        return self

    def _check_score(self, n_channels: int) -> None:
        score = SCORES.get(self.score.name)
        if score is None:
            raise ValueError(
                f"score {self.score.name!r} is unknown; this version has {', '.join(SCORES)}"
            )
        for uses, has, what in (
            (score.uses_network, self.network is not None, "network"),
            (bool(score.array_names), self.score.arrays is not None, "file of arrays"),
        ):
            if uses != has:
                raise ValueError(f"score {score.name!r} {'needs a' if uses else 'uses no'} {what}")
        if set(self.score.params) != score.param_names:
            raise ValueError(
                f"score {score.name!r} came with params {sorted(self.score.params)}; "
                f"{sorted(score.param_names)} were expected"
            )
        for name, values in self.score.params.items():
            if len(values) != n_channels:
                raise ValueError(f"score param {name!r} has {len(values)} values, not {n_channels}")

    def to_json(self) -> bytes:
        """Return the bytes of ``manifest.json``; the same manifest always gives the same bytes."""
        return self.model_dump_json(indent=2, by_alias=True).encode() + b"\n"
