"""A model with a part for each asset: fitted, written to a folder, and opened again to score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.recording import AssetRecord, Recording
from models.artifact.asset_parts import (
    NORMALISATION,
    PAST,
    AboutParts,
    Arrays,
    AssetParts,
    Draft,
    save_parts,
)
from models.artifact.onnx_scorer import (
    OnnxReconstructor,
    Reconstructor,
    TunedReconstructor,
)
from models.artifact.parts_scorer import (
    NETWORK,
    OWN_BIAS,
    OWN_WEIGHTS,
    normaliser_of_part,
    open_network,
    params_of_part,
    reconstructor_of_part,
)
from models.scoring.finals import final_after
from models.scoring.head import Head
from models.training.series.catalogue import SERIES_MODELS, SeriesModel, Shared
from models.training.series.network import SharedNetwork, Tuning, head_of
from models.training.series.part import AssetPart, RowScores, fit_part, past_scores, score_rows

WEIGHTS, BIAS = "weights", "bias"
DEFAULT_THRESHOLD: Final = "trailing"


def train_parts(
    recording: Recording,
    name: str,
    model: SeriesModel,
    network: SharedNetwork | None,
    folder: Path,
    threshold: str = DEFAULT_THRESHOLD,
    on_asset: Callable[[str], None] = lambda asset: None,
) -> AboutParts:
    """Fit a part for each asset and write the artifact.

    Args:
        recording: Training readings; a part is fitted on the healthy ones.
        name: Of the artifact.
        model: Which.
        network: What all assets share; none for a model without.
        folder: Where to write.
        threshold: The rule from scores to flags, as typed.
        on_asset: Told each asset that is done.

    Raises:
        DatasetError: If an asset has too few healthy readings.
        UserError: If the folder cannot be written.
    """
    machine = recording.machine
    shared: dict[str, NDArray[np.generic]] | None = None
    if network is not None:
        shared = {NETWORK: np.frombuffer(network.content, np.uint8)}
        if network.head is not None:
            shared |= {WEIGHTS: network.head.weights, BIAS: network.head.bias}
    fields = {
        "name": name,
        "machine": machine,
        "model": model.name,
        "score": model.score,
        "half_life": model.half_life,
        "final_after": final_after(machine.window.length),
        "threshold": threshold,
        "trained_on": recording.sha256,
    }
    parts = _parts(recording.assets, machine, model, network, on_asset)
    return save_parts(Draft(fields, shared, parts), folder)


def _parts(
    records: Sequence[AssetRecord],
    machine: MachineType,
    model: SeriesModel,
    network: SharedNetwork | None,
    on_asset: Callable[[str], None],
) -> Iterator[tuple[str, Arrays]]:
    tuning = Tuning(machine, network)
    for record in sorted(records, key=lambda each: each.asset_id):
        heads: list[Head] = []

        def tune(windows: NDArray[np.float32], kept: list[Head] = heads) -> Reconstructor:
            if model.shared is Shared.TUNED and network is not None and tuning.opened is not None:
                kept.append(head_of(network, tuning.opened, windows))
                return TunedReconstructor(tuning.opened, kept[-1])
            return tuning.of(model.shared)(windows)

        part = fit_part(model, machine, record, tune)
        arrays = {key: np.asarray(getattr(part.normaliser, key)) for key in NORMALISATION}
        arrays |= part.params
        if heads:
            arrays |= {OWN_WEIGHTS: heads[0].weights, OWN_BIAS: heads[0].bias}
        past = past_scores(model, machine, record, tuning.of(model.shared))
        yield record.asset_id, {**arrays, PAST: past.final.astype(np.float32)}
        on_asset(record.asset_id)


@dataclass(frozen=True, slots=True)
class PartScorer:
    """An artifact of parts, ready to score any of its assets.

    Attributes:
        parts: The artifact.
        network: What all assets share, opened once; none for a model without.
    """

    parts: AssetParts
    network: OnnxReconstructor | None

    @classmethod
    def open(cls, folder: Path) -> PartScorer:
        """Open an artifact.

        Raises:
            ArtifactError: If it is missing, damaged or of an unknown layout.
        """
        parts = AssetParts(folder)
        return cls(parts, open_network(parts))

    def part(self, asset_id: str) -> AssetPart | None:
        """Return an asset's part, ready to use; none for an asset without one."""
        arrays = self.parts.of(asset_id)
        if arrays is None:
            return None
        return AssetPart(
            normaliser_of_part(arrays),
            params_of_part(self.parts.about.score, arrays),
            reconstructor_of_part(self.network, arrays),
        )

    def past(self, asset_id: str) -> NDArray[np.float64]:
        """Return final scores of an asset's training readings: what thresholds follow from."""
        arrays = self.parts.of(asset_id)
        return np.empty(0) if arrays is None else arrays[PAST].astype(np.float64)

    def score(self, record: AssetRecord) -> RowScores | None:
        """Return both scores of each reading of a record; none for an asset without a part."""
        part = self.part(record.asset_id)
        if part is None:
            return None
        about = self.parts.about
        model = replace(SERIES_MODELS[about.model], half_life=about.half_life)
        return score_rows(model, about.machine, part, record)
