"""Models that are open, a few at a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from api.detection.values import ModelSource, Sureness
from common.errors import ArtifactError
from models.artifact.confidence import Confidence
from models.scoring.scorer import WindowScorer

MOST_OPEN: Final = 8
"""Each takes some megabytes; fleets with one artifact share it."""


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model ready to be asked.

    Attributes:
        scorer: What scores.
        confidence: How sure it is, or a sentence why it does not say.
    """

    scorer: WindowScorer
    confidence: Confidence | str

    @property
    def sureness(self) -> Sureness:
        """What is told of how sure it can be."""
        if isinstance(self.confidence, str):
            return Sureness(windows=None, missing=self.confidence)
        return Sureness(windows=self.confidence.windows, missing=None)

    def confidences(self, severities: NDArray[np.float64]) -> list[float] | list[None]:
        """Return how sure it is at each severity, shape ``(n,)``."""
        if isinstance(self.confidence, str):
            return [None] * len(severities)
        found: list[float] = self.confidence.of(severities).tolist()
        return found


OpenIt = Callable[[ModelSource], OpenModel]


class OpenModels:
    """Opens models and keeps the latest used.

    Args:
        open_it: Opens one; raises ``ArtifactError``.
    """

    def __init__(self, open_it: OpenIt) -> None:
        self._open_it = open_it
        self._open: OrderedDict[str, OpenModel] = OrderedDict()

    def get(self, source: ModelSource) -> OpenModel:
        """Return a model.

        Raises:
            ArtifactError: If it is not there, or no longer what it was.
        """
        found = self._open.pop(source.sha256, None) or self._opened(source)
        self._open[source.sha256] = found
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return found

    def _opened(self, source: ModelSource) -> OpenModel:
        found = self._open_it(source)
        came = found.scorer.spec.ref.sha256
        if came != source.sha256:
            raise ArtifactError(
                f"{source.folder} holds the artifact {came[:12]} by now; {source.sha256[:12]} was "
                "asked. Ask again in a moment."
            )
        return found
