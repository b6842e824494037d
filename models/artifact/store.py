"""Load and save a trained model: a folder of ``manifest.json`` and the files that it names.

These are the network and the arrays that its score learned, if it has any. Nothing is unpickled or
executed. The manifest holds the digests of both; its own digest names the whole, and its version is
one of its content. What does not fit is refused with what came, what was expected and what to do.
No torch and no onnxruntime here: opening for scoring is ``opening.open_scorer``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from common.errors import ArtifactError
from common.records.alerts import ModelRef
from models.artifact.confidence import CONFIDENCE_FILE, MAX_CONFIDENCE_BYTES
from models.artifact.evidence_sections import ArraysSection, WeightsSection
from models.artifact.manifest import SCHEMA_VERSION, Manifest, NetworkSection, read_manifest
from models.artifact.version import check_version

SHIPPED: Final = Path(__file__).parent / "shipped"
"""Artifacts that come with the package, one folder each, called by the folder's name."""

MANIFEST_FILE: Final = "manifest.json"
PARTS_ABOUT_FILE: Final = "assets.json"
"""In its place, where each asset has a part of its own (``asset_parts.py``)."""

REGISTRY_SCHEME: Final = "models:/"
"""Begins the URL of an artifact in a registry, such as ``models:/surgeline@production``."""

RegistryFolder = Callable[[str], Path]
"""From a registry URL to its artifact's folder: ``models.tracking.resolve.registry_folder``."""

MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
RETRAIN: Final = "Train it again with `surgeline train`, or restore the folder from its source."


@dataclass(frozen=True, slots=True)
class Artifact:
    """A trained model in memory, checked.

    Attributes:
        manifest: What it is.
        network: Bytes of the ONNX network; none for a score without one.
        arrays: Bytes of the ``.npz`` file; none for a score without one.
        life: Bytes of the ``.safetensors`` file of remaining life; none for a model that does not
            know it.
        as_written: Bytes of ``manifest.json`` where that is of an older layout; else none.
        confidence: Bytes of ``confidence.json``, unread; none where nobody made it.
    """

    manifest: Manifest
    network: bytes | None
    arrays: bytes | None = None
    life: bytes | None = None
    as_written: bytes | None = None
    confidence: bytes | None = None

    @property
    def manifest_json(self) -> bytes:
        """Bytes of ``manifest.json``: of an older layout as they were, so that digests hold."""
        return self.as_written or self.manifest.to_json()

    @property
    def sha256(self) -> str:
        """Digest of the manifest, which itself holds the network's digest; hexadecimal."""
        return hashlib.sha256(self.manifest_json).hexdigest()

    @property
    def ref(self) -> ModelRef:
        """What alerts carry."""
        return ModelRef(name=self.manifest.name, version=self.manifest.version, sha256=self.sha256)


def shipped_names() -> tuple[str, ...]:
    """Return the names of the artifacts that come with the package, sorted."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{MANIFEST_FILE}")))


def load_artifact(name_or_path: str, registry: RegistryFolder | None = None) -> Artifact:
    """Load a shipped artifact by name, or any artifact by its folder or registry URL.

    A shipped name wins over a folder of the same name; write ``./fd001`` for the folder.

    Args:
        name_or_path: Which.
        registry: Says where the artifact of a registry URL is; none where none is at hand.

    Raises:
        ArtifactError: If it is missing, damaged, tampered with or of an unknown layout.
        BackendError: If the registry does not answer, or refuses.
    """
    folder = artifact_folder(name_or_path, registry)
    if is_of_parts(folder):
        raise ArtifactError(
            f"{folder} is an artifact with a part for each asset; one model for all was expected. "
            "Workers serve it as the artifact of a fleet; for anything else train one with "
            "`surgeline train --one-for-all`."
        )
    manifest, as_written = _read_manifest(folder / MANIFEST_FILE)
    network, arrays, life = (
        None if named is None else _read_named(folder, named.file, named.sha256)
        for named in _files(manifest)
    )
    return Artifact(manifest, network, arrays, life, as_written, _read_confidence(folder))


def save_artifact(artifact: Artifact, folder: Path) -> None:
    """Write an artifact to a folder, which is made if need be.

    Each file is written whole under another name first and the manifest goes last, so a reader
    never sees a manifest without its files. Other files in the folder are left alone.

    Raises:
        ArtifactError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        contents = (artifact.network, artifact.arrays, artifact.life)
        for named, content in zip(_files(artifact.manifest), contents, strict=True):
            if named is not None and content is not None:
                _write(folder / named.file, content)
        if artifact.confidence is not None:
            _write(folder / CONFIDENCE_FILE, artifact.confidence)
        _write(folder / MANIFEST_FILE, artifact.manifest_json)
    except OSError as exc:
        raise ArtifactError(
            f"The artifact cannot be written to {folder}: {exc.strerror}. Choose another folder."
        ) from exc


def is_of_parts(folder: Path) -> bool:
    """Return whether a folder holds an artifact of parts, and no other."""
    return not (folder / MANIFEST_FILE).exists() and (folder / PARTS_ABOUT_FILE).exists()


def artifact_folder(name_or_path: str, registry: RegistryFolder | None = None) -> Path:
    """Return where a shipped artifact, or the artifact of a folder or registry URL, is.

    Args:
        name_or_path: Which.
        registry: Says where the artifact of a registry URL is; none where none is at hand.

    Raises:
        ArtifactError: If there is none of these.
        BackendError: If the registry does not answer, refuses, or its library is not installed.
    """
    if name_or_path.startswith(REGISTRY_SCHEME):
        if registry is None:
            raise ArtifactError(
                f"{name_or_path!r} came; the name of a shipped artifact or a folder was expected."
            )
        return registry(name_or_path)
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


def _files(
    manifest: Manifest,
) -> tuple[NetworkSection | None, ArraysSection | None, WeightsSection | None]:
    """Return what the manifest says of each file beside it: network, arrays, remaining life."""
    life = manifest.life
    return manifest.network, manifest.score.arrays, None if life is None else life.arrays


def _read_named(folder: Path, file: str, sha256: str) -> bytes:
    path = folder / file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ArtifactError(
            f"{path} leads out of the artifact's folder, to {path.resolve()}; a file inside it was "
            f"expected. {RETRAIN}"
        )
    content = _read(path, MAX_FILE_BYTES)
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise ArtifactError(
            f"{path} has sha256 {digest}; its manifest expects {sha256}: the file was changed or "
            f"damaged. {RETRAIN}"
        )
    return content


def _read_confidence(folder: Path) -> bytes | None:
    """Return the file. It decides nothing: one that cannot be read keeps no model from serving."""
    try:
        with (folder / CONFIDENCE_FILE).open("rb") as file:
            return file.read(MAX_CONFIDENCE_BYTES + 1)
    except OSError:
        return None


def _read(path: Path, limit: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > limit:
            raise ArtifactError(f"{path} is {size} bytes; at most {limit} are accepted. {RETRAIN}")
        return path.read_bytes()
    except OSError as exc:
        raise ArtifactError(f"{path} cannot be read: {exc.strerror}. {RETRAIN}") from exc


def _read_manifest(path: Path) -> tuple[Manifest, bytes | None]:
    content = _read(path, MAX_MANIFEST_BYTES)
    try:
        manifest, is_current = read_manifest(content)
        check_version(manifest.version, manifest.to_json() if is_current else content)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(
            f"{path} is not a manifest of layout {SCHEMA_VERSION}: "
            f"{where + ': ' if where else ''}{first['msg']} ({exc.error_count()} problem(s)). "
            f"{RETRAIN}"
        ) from exc
    except ValueError as exc:
        raise ArtifactError(f"{path} is refused: {exc}. {RETRAIN}") from exc
    return manifest, None if is_current else content


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)
