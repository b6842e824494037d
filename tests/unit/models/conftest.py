"""One small artifact, trained once, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from models.artifact.store import Artifact
from models.training.build import build_artifact
from models.training.config import TrainingConfig
from models.training.preparation.windows import Prepared, prepare
from tests.support.fleets import fleet
from tests.support.quick_bins import quick_bins

SMALL = TrainingConfig(seed=3, epochs=2, hidden=6, latent=3)


@pytest.fixture(scope="session")
def prepared() -> Prepared:
    """A made-up fleet, split and cut."""
    return prepare(fleet())


@pytest.fixture(scope="session")
def artifact(prepared: Prepared) -> Artifact:
    """A network of 14 channels, hardly trained."""
    return build_artifact(prepared, "toy", SMALL, "mse")


@pytest.fixture(scope="session", autouse=True)
def bins_are_found_quickly() -> Iterator[None]:
    """Of trees that are grown by the tests of this folder."""
    with quick_bins():
        yield
