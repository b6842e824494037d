"""Remaining life as a file: what is packed is read, and what is damaged is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from common.errors import ArtifactError
from models.artifact.score_arrays import life_params, pack_weights
from models.artifact.store import Artifact, load_artifact

SHIPPED = load_artifact("fd001")
WEIGHTS = SHIPPED.life or b""


def test_what_is_packed_is_read_to_the_bit_and_packs_to_the_same_bytes() -> None:
    params = life_params(SHIPPED)

    assert params is not None
    assert pack_weights(params) == WEIGHTS
    assert pack_weights(dict(sorted(params.items(), reverse=True))) == WEIGHTS


def of(content: bytes) -> Artifact:
    return replace(SHIPPED, life=content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(WEIGHTS[:-1], id="cut"),
        pytest.param(b"\xff" * 64, id="another format"),
        pytest.param(save({"leaf": np.zeros(3)}), id="arrays that are others"),
        pytest.param(save({**load(WEIGHTS), "cap": np.array([np.nan])}), id="not a number"),
        pytest.param(save({**load(WEIGHTS), "wear": np.zeros(3)}), id="of another machine"),
    ],
)
def test_a_damaged_file_is_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError, match="arrays of remaining life do not fit"):
        life_params(of(content))


def test_a_model_that_knows_no_failures_has_no_file() -> None:
    assert life_params(load_artifact("fd001-patchtst")) is None
