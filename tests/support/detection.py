"""Toy models and files for scoring on request."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from api.adapters.memory.scoring import MemoryScoring
from api.adapters.scoring.models import OpenModel
from api.detection.values import ModelSource
from api.known_fleets import KnownFleet, KnownFleets, KnownModel
from common.errors import ArtifactError
from common.machines.machine import MachineType
from common.settings import AlarmSettings
from models.artifact.confidence import Confidence
from models.scoring.scorer import WindowScorer
from tests.support.builders import MeanScorer

SCORER = MeanScorer()
"""Three channels, windows of four, three conditions; known while the altitude is not negative."""

SURE = Confidence(4, np.array([0.1, 0.2, 0.4, 0.9]))


def known_model(scorer: WindowScorer, folder: str = "toy") -> KnownModel:
    """Return a model as the catalogue knows it."""
    spec = scorer.spec
    thresholds = spec.thresholds
    return KnownModel(
        spec.ref, spec.machine, thresholds.warning, thresholds.critical, thresholds.channel,
        thresholds.life, folder,
    )  # fmt: skip


def toy_fleets(alarm: AlarmSettings | None = None) -> KnownFleets:
    """Return a fleet ``toy`` of one model, and ``gone``, whose artifact cannot be read."""
    rule = alarm or AlarmSettings(on_delay_cycles=2, off_delay_cycles=2)
    return KnownFleets(
        {
            "toy": KnownFleet("toy", "toy", known_model(SCORER), alarm=rule),
            "gone": KnownFleet("gone", "./gone", None, "./gone is not there."),
        }
    )


def toy_scoring(confidence: Confidence | str = SURE) -> MemoryScoring:
    """Return what asks the toy model."""

    def open_it(source: ModelSource) -> OpenModel:
        if source.folder != "toy":
            raise ArtifactError(f"{source.folder} is not there.")
        return OpenModel(SCORER, confidence)

    return MemoryScoring(open_it)


def toy_rows(levels: Sequence[float], altitude: float = 0.0) -> NDArray[np.float64]:
    """Return a row for each level, which all three channels have; it is their score too."""
    machine = SCORER.spec.machine
    conditions = np.full((len(levels), len(machine.conditions)), altitude)
    return np.column_stack([conditions, *([np.asarray(levels, np.float64)] * 3)])


def as_objects(rows: NDArray[np.float64], machine: MachineType) -> list[dict[str, float]]:
    """Return rows as objects by name."""
    names = (*machine.condition_names, *machine.channel_names)
    return [dict(zip(names, row, strict=True)) for row in rows.tolist()]


def csv_of(rows: NDArray[np.float64], machine: MachineType) -> str:
    """Return rows as a file."""
    names = (*machine.condition_names, *machine.channel_names)
    lines = [",".join(names), *(",".join(map(repr, row)) for row in rows.tolist())]
    return "\n".join(lines) + "\n"
