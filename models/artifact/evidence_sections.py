"""What a manifest says of evidence beside the score: single channels, and how long is left."""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from common.machines.machine import Part
from models.artifact.provenance import Digest, RangeSection, Slug
from models.scoring.channel import CHANNEL_PARAMS
from models.scoring.measures.contributions import check_deviations

Positive = Annotated[float, Field(gt=0.0)]


class ThresholdSection(Part):
    """One threshold, and how it was chosen."""

    value: float
    strategy: Slug
    options: dict[str, float]
    engines: RangeSection
    windows: Annotated[int, Field(ge=1)]
    reason: str


class ArraysSection(Part):
    """A file of what was learned, if it is more than numbers per channel: ``.npz``."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.npz$")]
    sha256: Digest


class WeightsSection(Part):
    """A file of weights that ship: ``.safetensors``."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.safetensors$")]
    sha256: Digest


class ChannelSection(Part):
    """What single channels are measured by (``models.scoring.channel``), and when they warn.

    ``frozen_after`` is in unmoved readings, one number per channel; 0 where a channel stands still
    when healthy, so that standing still says nothing.
    """

    params: dict[str, tuple[float, ...]]
    warning: ThresholdSection
    frozen_after: tuple[Annotated[int, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if set(self.params) != CHANNEL_PARAMS:
            raise ValueError(
                f"the channel score came with params {sorted(self.params)}; "
                f"{sorted(CHANNEL_PARAMS)} were expected"
            )
        if self.warning.value <= 0:
            raise ValueError(
                f"the channel score's threshold is {self.warning.value:g}; one above 0 was expected"
            )
        check_deviations(self.vectors())
        return self

    def check(self, n_channels: int, window_length: int) -> None:
        """Refuse what does not fit the machine type.

        Raises:
            ValueError: Saying what.
        """
        for name, values in (*self.params.items(), ("frozen_after", self.frozen_after)):
            if len(values) != n_channels:
                raise ValueError(
                    f"channel param {name!r} has {len(values)} values, not {n_channels}"
                )
        if self.frozen_after and max(self.frozen_after) > window_length:
            raise ValueError(
                f"a channel counts as frozen after {max(self.frozen_after)} readings, and a window "
                f"has {window_length}"
            )

    def vectors(self) -> dict[str, NDArray[Any]]:
        """Return what was learned, each array of shape ``(n_channels,)``."""
        return {name: np.array(values) for name, values in self.params.items()}


class LifeSection(Part):
    """How long is left (``models.scoring.life``).

    ``limit`` is in steps: a warning is critical when at most so many are expected to be left.
    """

    arrays: WeightsSection
    limit: Positive
    engines: RangeSection
    reason: str
