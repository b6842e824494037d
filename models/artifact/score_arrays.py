"""What was learned, to bytes and back: plain arrays, never pickled.

A score's are in an ``.npz`` file. The trees of remaining life ship with the package, and so are in
``.safetensors``, a format for weights alone: nothing in the repository looks like data.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_weights
from safetensors.numpy import save as save_weights

from common.errors import ArtifactError
from models.artifact.store import RETRAIN, Artifact
from models.scoring.life import LIFE_ARRAYS, check_life
from models.scoring.measures.contributions import ScoreParams, check_deviations
from models.scoring.scores import SCORES

DAMAGE: Final = (
    ValueError, OSError, EOFError, KeyError, IndexError, zipfile.BadZipFile, SafetensorError,
)  # fmt: skip
"""What reading arrays raises that are damaged, or not what they are called."""


def pack_weights(params: ScoreParams) -> bytes:
    """Return the arrays as a ``.safetensors`` file; the same arrays always give the same bytes."""
    return save_weights({name: np.ascontiguousarray(values) for name, values in params.items()})


def pack_arrays(params: ScoreParams) -> bytes:
    """Return the arrays as an ``.npz`` file; the same arrays always give the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(params):
            # an entry made by name alone would carry the time of day
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, params[name], allow_pickle=False)
    return content.getvalue()


def learned_params(artifact: Artifact) -> ScoreParams:
    """Return all that an artifact's score learned, checked.

    Raises:
        ArtifactError: If the arrays are missing, of another kind, or do not fit the manifest.
    """
    manifest = artifact.manifest
    score = SCORES[manifest.score.name]
    params = manifest.score.vectors()
    if artifact.arrays is None:
        return params

    def check(arrays: ScoreParams) -> None:
        score.check(arrays, manifest.window_length, len(manifest.channels))
        check_deviations(arrays)

    arrays = _checked(
        lambda content: _from_npz(content, score.array_names),
        artifact.arrays,
        f"score {score.name!r}",
        check,
    )
    return {**params, **arrays}


def life_params(artifact: Artifact) -> ScoreParams | None:
    """Return all that an artifact learned of remaining life, checked; none if it learned nothing.

    Raises:
        ArtifactError: If the arrays are missing, of another kind, or do not fit the manifest.
    """
    manifest = artifact.manifest
    if manifest.life is None or artifact.life is None:
        return None
    return _checked(
        _from_weights,
        artifact.life,
        "remaining life",
        lambda arrays: check_life(arrays, manifest.window_length, len(manifest.channels)),
    )


def _from_npz(content: bytes, names: Collection[str]) -> dict[str, NDArray[Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in sorted(names)}


def _from_weights(content: bytes) -> dict[str, NDArray[Any]]:
    found = load_weights(content)
    return {name: found[name] for name in LIFE_ARRAYS}


def _checked(
    read: Callable[[bytes], ScoreParams],
    content: bytes,
    whose: str,
    check: Callable[[ScoreParams], None],
) -> ScoreParams:
    try:
        arrays = read(content)
        check(arrays)
    except DAMAGE as exc:
        raise ArtifactError(f"The arrays of {whose} do not fit: {exc}. {RETRAIN}") from exc
    return arrays
