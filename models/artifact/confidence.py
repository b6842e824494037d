"""How sure: the severities of healthy validation windows, as a compact table beside the manifest.

``confidence`` of a window is the part of these windows whose severity is lower. Nothing is decided
by it, so the table is no part of the manifest: it can be made of an artifact that is in use, and
the artifact keeps its digest and version. The table names the manifest it was made of; beside
another it counts as missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from common.machines.machine import Part
from models.artifact.provenance import Digest

CONFIDENCE_FILE: Final = "confidence.json"
MAX_CONFIDENCE_BYTES: Final = 256 * 1024

MOST_STEPS: Final = 1000
"""Severities kept: enough to say how many of 1,000 healthy windows reach one.

Of more windows, the part that is read is the exact one or less, by under a thousandth.
"""

DIGITS: Final = 7
"""Significant digits kept of a severity."""

HOW_TO_MAKE: Final = "`surgeline confidence --artifact ...` makes it, from the training file."


class ConfidenceTable(Part):
    """``confidence.json``.

    Attributes:
        schema_version: Of this layout.
        manifest_sha256: Digest of the manifest it was made of.
        windows: How many healthy validation windows there were.
        severities: Their severities, ascending; of more than ``MOST_STEPS``, as many quantiles.
    """

    schema_version: Literal[1] = 1
    manifest_sha256: Digest
    windows: Annotated[int, Field(ge=1)]
    severities: Annotated[tuple[float, ...], Field(min_length=1, max_length=MOST_STEPS)]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.severities) != sorted(self.severities):
            raise ValueError("severities do not ascend")
        if len(self.severities) > self.windows:
            raise ValueError(f"{len(self.severities)} severities came of {self.windows} windows")
        return self

    def to_json(self) -> bytes:
        """Return the bytes of the file."""
        return self.model_dump_json().encode() + b"\n"


@dataclass(frozen=True, slots=True, eq=False)
class Confidence:
    """How sure a model is.

    Attributes:
        windows: How many healthy validation windows it was measured on.
        severities: Shape ``(n,)``, ascending.
    """

    windows: int
    severities: NDArray[np.float64]

    def of(self, severities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the part of the healthy windows with a lower severity, shape ``(n,)``, 0 to 1.

        Args:
            severities: Shape ``(n,)``, finite.

        Example:
            >>> Confidence(4, np.array([0.1, 0.2, 0.3, 0.9])).of(np.array([0.1, 0.5, 2.0])).tolist()
            [0.0, 0.75, 1.0]
        """
        rounded = _rounded(severities)  # as the table is: what is equal is not lower
        below = np.searchsorted(self.severities, rounded, side="left")
        return below / len(self.severities)


def table_of(severities: NDArray[np.float64], manifest_sha256: str) -> ConfidenceTable:
    """Return the table of healthy windows.

    Args:
        severities: Shape ``(n,)``, finite, ``n`` at least 1; in any order.
        manifest_sha256: Digest of the manifest they were scored with.
    """
    kept = np.sort(severities)
    if len(kept) > MOST_STEPS:
        # the quantiles k / MOST_STEPS, in whole numbers: of a float's last bit comes a window more
        kept = kept[-(-np.arange(1, MOST_STEPS + 1) * len(kept) // MOST_STEPS) - 1]
    return ConfidenceTable(
        manifest_sha256=manifest_sha256,
        windows=len(severities),
        severities=tuple(_rounded(kept).tolist()),
    )


def read_confidence(content: bytes | None, manifest_sha256: str) -> Confidence | str:
    """Return what an artifact says of how sure it is, or a sentence why it says nothing.

    Args:
        content: Bytes of the file; none where there is none.
        manifest_sha256: Digest of the artifact's manifest.
    """
    if content is None:
        return f"This artifact has no table of healthy windows. {HOW_TO_MAKE}"
    try:
        table = ConfidenceTable.model_validate_json(content)
    except ValidationError as exc:
        why = exc.errors()[0]["msg"]
        return f"This artifact's {CONFIDENCE_FILE} cannot be used: {why}. {HOW_TO_MAKE}"
    if table.manifest_sha256 != manifest_sha256:
        return f"This artifact's {CONFIDENCE_FILE} is that of another manifest. {HOW_TO_MAKE}"
    return Confidence(table.windows, np.array(table.severities))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([float(f"{value:.{DIGITS}g}") for value in values.tolist()], np.float64)
