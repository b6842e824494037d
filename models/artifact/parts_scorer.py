"""An artifact of parts, opened to score live: each asset by its own, read when it first speaks.

:class:`PartsScorer` is what a fleet has; :meth:`PartsScorer.of` gives an asset's own
``WindowScorer``. An asset without a part, or whose part is damaged, is not scored, and its verdicts
say why: it stops nobody else.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from common.errors import ArtifactError, UserError
from common.logs import get_logger
from models.artifact.asset_parts import KEPT_PARTS, PAST, Arrays, AssetParts
from models.artifact.onnx_scorer import (
    OnnxReconstructor,
    OpenedScorer,
    Reconstructor,
    TunedReconstructor,
    ZeroReconstructor,
    score_in_chunks,
)
from models.scoring.head import Head
from models.scoring.history import Trail
from models.scoring.measures.contributions import ScoreParams
from models.scoring.normaliser import Normaliser
from models.scoring.scorer import (
    Expected,
    NormalisedRows,
    ScorerSpec,
    Thresholds,
    WindowScorer,
    WindowScores,
)
from models.scoring.scores import SCORES
from models.thresholding.series_rule import AssetFinals, AssetThreshold, parse_threshold
from models.thresholding.trailing import TrailingRule

NETWORK: Final = "network"
OWN_WEIGHTS, OWN_BIAS = "own_weights", "own_bias"

LONGEST_TRAIL: Final = 10_080
"""Readings a live threshold may look back over, a week of minutes: they are part of what is
remembered of each asset, 4 bytes each."""

NO_PART: Final = "not scored: the model has no part of this asset; train it with its readings"

logger = get_logger(__name__)


def open_network(parts: AssetParts, threads: int = 1) -> OnnxReconstructor | None:
    """Return the network that all assets share; none for a model without.

    Raises:
        ArtifactError: If it is none of the machine type's shape.
    """
    if parts.shared is None:
        return None
    machine = parts.about.machine
    return OnnxReconstructor(
        parts.shared[NETWORK].tobytes(),
        window_length=machine.window.length,
        n_channels=len(machine.channel_names),
        threads=threads,
    )


def normaliser_of_part(arrays: Arrays) -> Normaliser:
    """Return an asset's normalisation."""
    return Normaliser(
        arrays["tolerances"],
        float(arrays["radius"]),
        arrays["centres"],
        arrays["means"],
        arrays["sds"],
    )


def params_of_part(score: str, arrays: Arrays) -> ScoreParams:
    """Return what a score learned of an asset."""
    known = SCORES[score]
    return {name: arrays[name] for name in (*known.param_names, *known.array_names)}


def reconstructor_of_part(network: OnnxReconstructor | None, arrays: Arrays) -> Reconstructor:
    """Return what says what is expected of an asset."""
    if network is None:
        return ZeroReconstructor()
    if OWN_WEIGHTS in arrays:
        return TunedReconstructor(network, Head(arrays[OWN_WEIGHTS], arrays[OWN_BIAS]))
    return network


class PartScorer(OpenedScorer):
    """One asset's part, ready to score: a ``WindowScorer``.

    Args:
        spec: The artifact's.
        score: Name of its score.
        arrays: The asset's part.
        network: What all assets share.
    """

    def __init__(
        self, spec: ScorerSpec, score: str, arrays: Arrays, network: OnnxReconstructor | None
    ) -> None:
        super().__init__(spec, normaliser_of_part(arrays), reconstructor_of_part(network, arrays))
        self._score, self._params = SCORES[score], params_of_part(score, arrays)

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        """See :meth:`models.scoring.scorer.WindowScorer.score`."""
        return score_in_chunks(self._score, self._params, self._reconstructor, windows)


class NoPartScorer:
    """Of an asset that cannot be scored: no row of it is known, and it says why.

    Args:
        spec: The artifact's.
        why: The reason.
    """

    def __init__(self, spec: ScorerSpec, why: str) -> None:
        self._spec, self._why = spec, why

    @property
    def spec(self) -> ScorerSpec:
        """See :attr:`models.scoring.scorer.WindowScorer.spec`."""
        return self._spec

    def normalise(
        self, conditions: NDArray[np.float64], channels: NDArray[np.float64]
    ) -> NormalisedRows:
        """Return that no row is known."""
        zeros = np.zeros(channels.shape, np.float32)
        return NormalisedRows(zeros, np.zeros(len(channels), np.bool_), self._why)

    def expect(self, conditions: NDArray[np.float64], windows: NDArray[np.float32]) -> Expected:
        """Return nothing: there are no windows."""
        ones = np.ones(windows.shape)
        return Expected(ones, ones, ones)

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        """Return nothing: there are no windows."""
        n, _, channels = windows.shape
        shares = np.full((n, channels), 1.0 / channels)
        return WindowScores(np.zeros(n), shares, np.ones((n, channels), np.int8))


@dataclass(frozen=True, slots=True)
class OpenedPart:
    """One asset's scorer, and how its scores become final."""

    scorer: WindowScorer
    finals: AssetFinals


class PartsScorer:
    """An artifact of parts: what a fleet is judged by. Batches may ask side by side.

    Args:
        folder: Where it is.
        threads: Threads of the network; scale by workers instead.
        most: Parts in memory at most; the one that was asked for longest ago goes first.

    Raises:
        ArtifactError: If it is missing, damaged or of an unknown layout, or its threshold looks
            back over more readings than a worker remembers.
    """

    def __init__(self, folder: Path, threads: int = 1, most: int = KEPT_PARTS) -> None:
        self._parts = AssetParts(folder, most=1)
        about = self._parts.about
        try:
            rule = parse_threshold(about.threshold)
        except ValueError as exc:
            raise ArtifactError(f"{folder}: its threshold is refused: {exc}.") from exc
        if isinstance(rule, TrailingRule) and rule.length > LONGEST_TRAIL:
            raise ArtifactError(
                f"{folder}: its threshold looks back over {rule.length:,} readings; a worker "
                f"remembers {LONGEST_TRAIL:,} at most. Train it with a shorter length."
            )
        self._network = open_network(self._parts, threads)
        nowhere = Thresholds(float("inf"), float("inf"))
        self._spec = ScorerSpec(self._parts.ref, about.machine, nowhere)
        self._most = most
        self._opened: OrderedDict[str, OpenedPart] = OrderedDict()
        self._lock = Lock()

    @property
    def spec(self) -> ScorerSpec:
        """What it is; its thresholds are each asset's own, and stand nowhere here."""
        return self._spec

    @property
    def in_memory(self) -> int:
        """How many parts are."""
        return len(self._opened)

    def of(self, asset_id: str) -> OpenedPart:
        """Return an asset's scorer; one that says why not, where there is none."""
        with self._lock:
            if asset_id not in self._opened:
                self._opened[asset_id] = self._open(asset_id)
                while len(self._opened) > self._most:
                    self._opened.popitem(last=False)
            self._opened.move_to_end(asset_id)
            return self._opened[asset_id]

    def _open(self, asset_id: str) -> OpenedPart:
        about = self._parts.about
        nothing = AssetFinals(AssetThreshold(None, float("inf"), np.empty(0, np.float32)), None)
        try:
            arrays = self._parts.of(asset_id)
            if arrays is None:
                return OpenedPart(NoPartScorer(self._spec, NO_PART), nothing)
            threshold = AssetThreshold.of(about.threshold, arrays[PAST].astype(np.float32))
        except (ArtifactError, ValueError) as exc:
            logger.error("an asset cannot be scored", asset_id=asset_id, why=str(exc))  # noqa: TRY400 - the file is at fault
            why = "not scored: this asset's part of the model is damaged; the worker's log says how"
            return OpenedPart(NoPartScorer(self._spec, why), nothing)
        scorer = PartScorer(self._spec, about.score, arrays, self._network)
        return OpenedPart(scorer, AssetFinals(threshold, about.half_life))

    def normalise(
        self, conditions: NDArray[np.float64], channels: NDArray[np.float64]
    ) -> NormalisedRows:
        """Refuse: whose rows?"""
        self._refuse()

    def expect(self, conditions: NDArray[np.float64], windows: NDArray[np.float32]) -> Expected:
        """Refuse: whose windows?"""
        self._refuse()

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        """Refuse: whose windows?"""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UserError(
            f"{self._spec.ref.label} has a part for each asset: workers and `surgeline parity` "
            "serve it, and this needs one model for all. Train one with `surgeline train "
            "--one-for-all`."
        )
