"""From all parts of a model to one artifact, and from an artifact to a changed one.

The version is a digest of everything else in the artifact (``artifact/version.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from models.artifact.manifest import SCHEMA_VERSION, Manifest, NormalisationSection
from models.artifact.opening import open_scorer
from models.artifact.score_arrays import pack_arrays, pack_weights
from models.artifact.store import Artifact
from models.artifact.version import DRAFT, version_of
from models.evaluation.measure import measure_scorer
from models.evaluation.splits import EngineRange
from models.training.calibration import Calibrated, ChosenThreshold
from models.training.confidence import with_confidence
from models.training.evidence import ChannelPart, Evidence, LifePart
from models.training.preparation.windows import Prepared

NETWORK_FILE: Final = "model.onnx"
ARRAYS_FILE: Final = "arrays.npz"
LIFE_FILE: Final = "life.safetensors"

Precision = Literal["fp32", "int8"]


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """A network as it is stored.

    Attributes:
        content: Bytes of the ONNX file.
        kind: What it is.
        parameters: How many numbers it learned.
        precision: Of its weights.
    """

    content: bytes
    kind: str
    parameters: int
    precision: Precision = "fp32"

    def fields(self) -> dict[str, object]:
        """Return its part of the manifest."""
        return {
            "kind": self.kind,
            "file": NETWORK_FILE,
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "parameters": self.parameters,
            "precision": self.precision,
        }


def assemble(
    prepared: Prepared,
    name: str,
    calibrated: Calibrated,
    network: NetworkFile | None,
    training: Mapping[str, object],
    selection: Mapping[str, object] | None = None,
    evidence: Evidence | None = None,
) -> Artifact:
    """Return the artifact of a calibrated model, measured on what was held out.

    Args:
        prepared: What it was fitted on.
        name: Of the artifact, such as ``fd001``.
        calibrated: The score and its thresholds.
        network: What the score compares windows with, if anything.
        training: The manifest's ``training`` part.
        selection: The manifest's ``selection`` part.
        evidence: What is held against an asset beside the score.
    """
    score, params = calibrated.fitted.score, calibrated.fitted.params
    arrays = (
        pack_arrays({key: params[key] for key in score.array_names}) if score.array_names else None
    )
    fields: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "machine": prepared.machine,
        "normalisation": NormalisationSection.of(prepared.normaliser),
        "network": None if network is None else network.fields(),
        "score": {
            "name": score.name,
            "params": {key: tuple(params[key].tolist()) for key in sorted(score.param_names)},
            "arrays": arrays
            and {"file": ARRAYS_FILE, "sha256": hashlib.sha256(arrays).hexdigest()},
        },
        "thresholds": threshold_fields(calibrated),
        "channel": None if evidence is None else _channel_fields(evidence.channel),
        "life": None,
        "training": training,
        "selection": selection,
        "heldout_metrics": None,
    }
    life = None
    if evidence is not None and evidence.life is not None:
        life = pack_weights(evidence.life.arrays)
        fields["life"] = _life_fields(evidence.life, life)
    content = None if network is None else network.content
    artifact = measured(Artifact(_versioned(fields), content, arrays, life), prepared)
    return with_confidence(artifact, prepared, calibrated.unseen)


def threshold_fields(calibrated: Calibrated) -> dict[str, object]:
    """Return what the manifest says of the score's thresholds."""
    return {
        "warning": _threshold_fields(calibrated.warning),
        "critical": _threshold_fields(calibrated.critical),
    }


def measured(artifact: Artifact, prepared: Prepared) -> Artifact:
    """Return an artifact with what it does on what was held out, run as the detector runs it."""
    heldout = prepared.heldout
    if prepared.own and not len(heldout):
        return artifact
    metrics = measure_scorer(open_scorer(artifact), heldout)
    return revise(artifact, {"heldout_metrics": metrics})


def revise(
    artifact: Artifact, changes: Mapping[str, object], network: bytes | None = None
) -> Artifact:
    """Return an artifact with other manifest fields, and another network if one is given.

    It says no more how sure it is: that was of another manifest.
    """
    stored = {
        name: getattr(artifact.manifest, name)
        for name in Manifest.model_fields
        if name != "version"
    }
    return Artifact(
        _versioned({**stored, **changes}),
        network or artifact.network,
        artifact.arrays,
        artifact.life,
    )


def range_fields(engines: EngineRange) -> dict[str, object]:
    """Return a range of engines as the manifest has it."""
    return {"first": engines.first, "last": engines.last}


def _versioned(fields: Mapping[str, object]) -> Manifest:
    draft = Manifest.model_validate({**fields, "version": DRAFT})
    return draft.model_copy(update={"version": version_of(draft.to_json())})


def _channel_fields(channel: ChannelPart) -> dict[str, object]:
    return {
        "params": {key: tuple(channel.params[key].tolist()) for key in sorted(channel.params)},
        "warning": _threshold_fields(channel.warning),
        "frozen_after": channel.frozen_after,
    }


def _life_fields(life: LifePart, content: bytes) -> dict[str, object]:
    return {
        "arrays": {"file": LIFE_FILE, "sha256": hashlib.sha256(content).hexdigest()},
        "limit": life.limit,
        "engines": range_fields(life.engines),
        "reason": life.reason,
    }


def _threshold_fields(chosen: ChosenThreshold) -> dict[str, object]:
    return {
        "value": chosen.value,
        "strategy": chosen.rule.strategy,
        "options": dict(chosen.rule.options),
        "engines": range_fields(chosen.engines),
        "windows": chosen.windows,
        "reason": chosen.reason,
    }
