"""Load and save a trained model: a folder of ``manifest.json`` and, if it has one, its network.

Nothing is unpickled or executed. The manifest holds the digest of the network's bytes; the digest
of the manifest names the whole. What does not fit is refused with what came, what was expected and
what to do. No torch and no onnxruntime here: opening for scoring is ``serving.open_scorer``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from common.errors import ArtifactError
from common.records import ModelRef
from models.manifest import SCHEMA_VERSION, Manifest

SHIPPED: Final = Path(__file__).parent / "artifacts"
"""Artifacts that come with the package, one folder each, called by the folder's name."""

MANIFEST_FILE: Final = "manifest.json"
MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024
MAX_NETWORK_BYTES: Final = 256 * 1024 * 1024
RETRAIN: Final = "Train it again with `surgeline train`, or restore the folder from its source."


@dataclass(frozen=True, slots=True)
class Artifact:
    """A trained model in memory, checked.

    Attributes:
        manifest: What it is.
        network: Bytes of the ONNX network; none for a score without one.
    """

    manifest: Manifest
    network: bytes | None

    @property
    def sha256(self) -> str:
        """Digest of the manifest, which itself holds the network's digest; hexadecimal."""
        return hashlib.sha256(self.manifest.to_json()).hexdigest()

    @property
    def ref(self) -> ModelRef:
        """What alerts carry."""
        return ModelRef(name=self.manifest.name, version=self.manifest.version, sha256=self.sha256)


def shipped_names() -> tuple[str, ...]:
    """Return the names of the artifacts that come with the package, sorted."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{MANIFEST_FILE}")))


def load_artifact(name_or_path: str) -> Artifact:
    """Load a shipped artifact by name, or any artifact by its folder.

    A shipped name wins over a folder of the same name; write ``./fd001`` for the folder.

    Raises:
        ArtifactError: If it is missing, damaged, tampered with or of an unknown layout.
    """
    folder = _find(name_or_path)
    manifest = _read_manifest(folder / MANIFEST_FILE)
    if manifest.network is None:
        return Artifact(manifest, None)
    path = folder / manifest.network.file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ArtifactError(
            f"{path} leads out of the artifact's folder, to {path.resolve()}; a file inside it was "
            f"expected. {RETRAIN}"
        )
    network = _read(path, MAX_NETWORK_BYTES)
    digest = hashlib.sha256(network).hexdigest()
    if digest != manifest.network.sha256:
        raise ArtifactError(
            f"{path} has sha256 {digest}; its manifest expects {manifest.network.sha256}: the file "
            f"was changed or damaged. {RETRAIN}"
        )
    return Artifact(manifest, network)


def save_artifact(artifact: Artifact, folder: Path) -> None:
    """Write an artifact to a folder, which is made if need be.

    Each file is written whole under another name first and the manifest goes last, so a reader
    never sees a manifest without its network. Other files in the folder are left alone.

    Raises:
        ArtifactError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if artifact.manifest.network is not None and artifact.network is not None:
            _write(folder / artifact.manifest.network.file, artifact.network)
        _write(folder / MANIFEST_FILE, artifact.manifest.to_json())
    except OSError as exc:
        raise ArtifactError(
            f"The artifact cannot be written to {folder}: {exc.strerror}. Choose another folder."
        ) from exc


def _find(name_or_path: str) -> Path:
    names = shipped_names()
    if name_or_path in names:
        return SHIPPED / name_or_path
    folder = Path(name_or_path)
    if name_or_path and folder.is_dir():
        return folder
    raise ArtifactError(
        f"No artifact {name_or_path!r}: neither a shipped name ({', '.join(names) or 'none'}) nor "
        "a folder. Name one of these, or train one with `surgeline train`."
    )


def _read(path: Path, limit: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > limit:
            raise ArtifactError(f"{path} is {size} bytes; at most {limit} are accepted. {RETRAIN}")
        return path.read_bytes()
    except OSError as exc:
        raise ArtifactError(f"{path} cannot be read: {exc.strerror}. {RETRAIN}") from exc


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(_read(path, MAX_MANIFEST_BYTES))
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(
            f"{path} is not a manifest of layout {SCHEMA_VERSION}: "
            f"{where + ': ' if where else ''}{first['msg']} ({exc.error_count()} problem(s)). "
            f"{RETRAIN}"
        ) from exc


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)
