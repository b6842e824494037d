"""Two small models, and an empty registry in memory."""

from __future__ import annotations

import pytest

from models.artifact.store import Artifact
from models.training.build import build_artifact
from models.training.config import TrainingConfig
from models.training.preparation.windows import Prepared, prepare
from tests.support.fleets import fleet
from tests.support.registry import MemoryRegistry


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture(scope="session")
def prepared() -> Prepared:
    return prepare(fleet())


@pytest.fixture(scope="session")
def good(prepared: Prepared) -> Artifact:
    return build_artifact(prepared, "good", TrainingConfig(), "input_trend")


@pytest.fixture(scope="session")
def other(prepared: Prepared) -> Artifact:
    return build_artifact(prepared, "other", TrainingConfig(), "last_row")
