"""One hardly trained network and its comparison, shared by the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from models.artifact.store import Artifact
from models.report.comparison import Comparison, Measured, compare
from models.training.build import build_artifact
from models.training.config import TrainingConfig
from models.training.preparation.windows import Prepared, prepare
from tests.support.fleets import fleet


@dataclass(frozen=True)
class Case:
    """What a report is made of."""

    artifact: Artifact
    prepared: Prepared
    comparison: Comparison


@pytest.fixture(scope="session")
def case() -> Case:
    """A made-up fleet of 10 engines, the last 2 held out."""
    data = fleet(10)
    prepared = prepare(data)
    config = TrainingConfig(seed=3, epochs=2, hidden=6, latent=3)
    artifact = build_artifact(prepared, "toy", config)
    measured = Measured(data, "heldout", prepared.split.heldout)
    return Case(artifact, prepared, compare(artifact, prepared, measured))
