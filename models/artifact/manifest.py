"""What an artifact says of itself: ``manifest.json``. Numbers and names only, nothing executable.

Strict and closed: an unknown field, a wrong type, a length that does not fit the channels or a
score this version does not know is refused. A layout change raises :data:`SCHEMA_VERSION`;
:func:`read_manifest` reads the layouts before it, too.
"""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, model_validator

from common.machines.machine import MachineType, Part
from common.machines.turbofan import TURBOFAN
from models.artifact.evidence_sections import (
    ArraysSection,
    ChannelSection,
    LifeSection,
    ThresholdSection,
)
from models.artifact.metrics import Metrics
from models.artifact.provenance import (
    Digest,
    SelectionSection,
    Slug,
    TrainingSection,
)
from models.scoring.measures.contributions import check_deviations
from models.scoring.normaliser import Normaliser
from models.scoring.scores import SCORES

SCHEMA_VERSION: Final = 4
ONE_SCORE: Final = 3
"""The layout that knew one kind of evidence: neither single channels nor remaining life."""
TURBOFANS_ONLY: Final = 2
"""The layout that knew no machine types: its models are all of turbofans."""

Positive = Annotated[float, Field(gt=0.0)]


class RegimeSection(Part):
    """One operating regime: where it is, and each channel's healthy mean and deviation."""

    centre: tuple[float, ...]
    mean: tuple[float, ...]
    sd: tuple[Positive, ...]


class NormalisationSection(Part):
    """The regime table (``models.scoring.normaliser.Normaliser``)."""

    tolerances: tuple[Positive, ...]
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
            np.array([regime.centre for regime in self.regimes]).reshape(
                len(self.regimes), len(self.tolerances)
            ),
            np.array([regime.mean for regime in self.regimes]),
            np.array([regime.sd for regime in self.regimes]),
        )


class NetworkSection(Part):
    """The network's file. ``file`` is a plain name inside the artifact's folder.

    ``int8`` networks round differently for another number of windows in a call: a live score then
    equals a batch score only about, so parity must not be asked of them.
    """

    kind: Slug
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.onnx$")]
    sha256: Digest
    parameters: Annotated[int, Field(ge=0)]
    precision: Literal["fp32", "int8"]


class ScoreSection(Part):
    """The score's name and what it learned: per channel here, anything else in a file."""

    name: str
    params: dict[str, tuple[float, ...]]
    arrays: ArraysSection | None

    def vectors(self) -> dict[str, NDArray[np.float64]]:
        """Return the numbers per channel, each array of shape ``(n_channels,)``."""
        return {name: np.array(values) for name, values in self.params.items()}


class ThresholdsSection(Part):
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


class Manifest(Part):
    """The whole of ``manifest.json``."""

    schema_version: Literal[4]
    name: Slug
    version: Slug
    machine: MachineType
    normalisation: NormalisationSection
    network: NetworkSection | None
    score: ScoreSection
    thresholds: ThresholdsSection
    channel: ChannelSection | None
    life: LifeSection | None
    training: TrainingSection
    selection: SelectionSection | None
    heldout_metrics: Metrics | None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        n_channels, n_conditions = len(self.channels), len(self.machine.conditions)
        for what, count in (
            ("tolerances", len(self.normalisation.tolerances)),
            *(("coordinates of a regime", len(at.centre)) for at in self.normalisation.regimes),
        ):
            if count != n_conditions:
                raise ValueError(
                    f"normalisation has {count} {what}; {n_conditions} were expected, one per "
                    "condition"
                )
        for regime in self.normalisation.regimes:
            if not len(regime.mean) == len(regime.sd) == n_channels:
                raise ValueError(
                    f"normalisation has {len(regime.mean)} means and {len(regime.sd)} deviations; "
                    f"{n_channels} of each were expected, one per channel"
                )
        self._check_score(n_channels)
        if self.channel is not None:
            self.channel.check(n_channels, self.window_length)
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
        check_deviations(self.score.vectors())

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels it looks at, in the order of a window's last axis."""
        return self.machine.channel_names

    @property
    def window_length(self) -> int:
        """Readings in a window."""
        return self.machine.window.length

    def to_json(self) -> bytes:
        """Return the bytes of ``manifest.json``; the same manifest always gives the same bytes."""
        return self.model_dump_json(indent=2, by_alias=True).encode() + b"\n"


class _Layout(BaseModel):
    schema_version: int


class _TurbofansOnly(_Layout):
    channels: tuple[str, ...]
    window_length: Annotated[int, Field(ge=2, le=10_000)]


def read_manifest(content: bytes) -> tuple[Manifest, bool]:
    """Return the manifest that ``manifest.json`` holds, and whether it was of this layout.

    Raises:
        ValueError: If it is of no layout this program knows, or contradicts itself.
    """
    version = _Layout.model_validate_json(content).schema_version
    if version not in (ONE_SCORE, TURBOFANS_ONLY):
        return Manifest.model_validate_json(content), True
    fields = json.loads(content)
    if version == TURBOFANS_ONLY:
        old = _TurbofansOnly.model_validate_json(content)
        machine = TURBOFAN.using(old.channels, old.window_length)
        fields["machine"] = machine.model_dump(by_alias=True)
        del fields["channels"], fields["window_length"]
    fields |= {"schema_version": SCHEMA_VERSION, "channel": None, "life": None}
    return Manifest.model_validate_json(json.dumps(fields)), False
