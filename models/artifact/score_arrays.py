"""What a score learned, to bytes and back: plain arrays in an ``.npz`` file, never pickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection

import numpy as np

from common.errors import ArtifactError
from models.artifact.store import RETRAIN, Artifact
from models.scoring.contributions import ScoreParams, check_deviations
from models.scoring.life import LIFE_ARRAYS, check_life
from models.scoring.scores import SCORES


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

    arrays = _unpacked(artifact.arrays, score.array_names, f"score {score.name!r}", check)
    return {**params, **arrays}


def life_params(artifact: Artifact) -> ScoreParams | None:
    """Return all that an artifact learned of remaining life, checked; none if it learned nothing.

    Raises:
        ArtifactError: If the arrays are missing, of another kind, or do not fit the manifest.
    """
    manifest = artifact.manifest
    if manifest.life is None or artifact.life is None:
        return None
    return _unpacked(
        artifact.life,
        LIFE_ARRAYS,
        "remaining life",
        lambda arrays: check_life(arrays, manifest.window_length, len(manifest.channels)),
    )


def _unpacked(
    content: bytes, names: Collection[str], whose: str, check: Callable[[ScoreParams], None]
) -> ScoreParams:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in sorted(names)}
        check(arrays)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, IndexError) as exc:
        raise ArtifactError(f"The arrays of {whose} do not fit: {exc}. {RETRAIN}") from exc
    return arrays
