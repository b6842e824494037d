"""What a score learned, to bytes and back: plain arrays in an ``.npz`` file, never pickled."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from common.errors import ArtifactError
from models.artifact.store import RETRAIN, Artifact
from models.scoring.contributions import ScoreParams
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
    try:
        with np.load(io.BytesIO(artifact.arrays), allow_pickle=False) as file:
            arrays = {name: file[name] for name in sorted(score.array_names)}
        score.check(arrays, manifest.window_length, len(manifest.channels))
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError, IndexError) as exc:
        raise ArtifactError(
            f"The arrays of score {score.name!r} do not fit: {exc}. {RETRAIN}"
        ) from exc
    return {**params, **arrays}
