"""An artifact with a part for each asset: what all share once, and what is each one's own.

A folder of three files: ``assets.json`` says what it is, ``shared.npz`` holds what all assets share
(the network and its last layer, if the model has any), ``parts.npz`` one small part per asset: its
normalisation, what its score learned, its own last layer, its thresholds' past. Nothing is pickled.
Parts are read when an asset is first asked for, and only the latest few hundred stay in memory; of
each read part the sum is checked, so a file that was changed under a worker is noticed.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from common.errors import ArtifactError, UserError
from common.files.atomic import write_bytes
from common.machines.machine import MachineType, Part
from common.records.alerts import ModelRef
from common.records.ids import AssetId
from models.artifact.provenance import Digest, Slug
from models.artifact.store import PARTS_ABOUT_FILE
from models.scoring.measures.contributions import check_deviations
from models.scoring.scores import SCORES

ABOUT_FILE: Final = PARTS_ABOUT_FILE
SHARED_FILE: Final = "shared.npz"
PARTS_FILE: Final = "parts.npz"
RETRAIN: Final = "Train it again with `surgeline train`."

MAX_ASSETS: Final = 10_000
MAX_ABOUT_BYTES: Final = 16 * 1024 * 1024
MAX_SHARED_BYTES: Final = 256 * 1024 * 1024
MAX_PART_BYTES: Final = 32 * 1024 * 1024
"""Of one asset's part, unpacked."""

KEPT_PARTS: Final = 256
"""Parts in memory at most; the one that was asked for longest ago goes first."""

Arrays = Mapping[str, NDArray[Any]]

NORMALISATION: Final = ("tolerances", "radius", "centres", "means", "sds")
PAST: Final = "past"
"""Final scores of the asset's training readings, as if they had come later."""


class AboutParts(Part):
    """What the artifact says of itself: ``assets.json``.

    Attributes:
        layout: Of these files.
        name: Of the artifact.
        version: Digest of the sums of all that is in it.
        machine: What is measured, and how long a window is.
        model: Name of the model (``models.training.series.catalogue``).
        score: Name of its score (``models.scoring.scores``).
        half_life: Of its smoothing, in readings; none does not smooth.
        final_after: How many readings later a score is final.
        threshold: The rule from scores to flags, as it is typed.
        shared: sha256 of ``shared.npz``; none for a model that shares nothing.
        parts: sha256 of each asset's part, by asset.
        trained_on: Digest of the recording.
    """

    layout: Literal[1]
    name: Slug
    version: Slug
    machine: MachineType
    model: Annotated[str, Field(min_length=1, max_length=64)]
    score: Annotated[str, Field(min_length=1, max_length=64)]
    half_life: Annotated[float, Field(gt=0.0)] | None
    final_after: Annotated[int, Field(ge=0)]
    threshold: Annotated[str, Field(min_length=1, max_length=500)]
    shared: Digest | None
    parts: Annotated[dict[AssetId, Digest], Field(min_length=1, max_length=MAX_ASSETS)]
    trained_on: Digest


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be written.

    Attributes:
        fields: Of :class:`AboutParts`, but for layout, version and sums.
        shared: What all assets share; none for nothing.
        parts: Each asset's arrays; one after the other, so that they need not be in memory at once.
    """

    fields: Mapping[str, object]
    shared: Arrays | None
    parts: Iterable[tuple[str, Arrays]]


def save_parts(draft: Draft, folder: Path) -> AboutParts:
    """Write an artifact; ``assets.json`` goes last, so no reader sees it without its files.

    The same content gives the same bytes, and the same version.

    Raises:
        UserError: If the folder cannot be written.
    """
    shared = None if draft.shared is None else _packed(draft.shared)
    sums: dict[str, str] = {}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for asset, arrays in draft.parts:
            packed = _packed(arrays)
            sums[asset] = _sum(packed)
            archive.writestr(zipfile.ZipInfo(_member(asset)), packed)
    digests = [*sums.values(), "" if shared is None else _sum(shared), repr(sorted(draft.fields))]
    about = AboutParts.model_validate(
        {
            **draft.fields,
            "layout": 1,
            "version": _sum("\n".join(digests).encode())[:12],
            "shared": None if shared is None else _sum(shared),
            "parts": sums,
        }
    )
    try:
        if shared is not None:
            write_bytes(folder / SHARED_FILE, shared)
        write_bytes(folder / PARTS_FILE, content.getvalue())
        write_bytes(folder / ABOUT_FILE, about.model_dump_json(indent=1, by_alias=True).encode())
    except OSError as exc:
        raise UserError(f"{folder} cannot be written: {exc.strerror or exc}.") from exc
    return about


class AssetParts:
    """An artifact of parts, opened: each part is read when it is first asked for.

    Args:
        folder: Where it is.
        most: Parts in memory at most.

    Raises:
        ArtifactError: If it is missing, damaged or of an unknown layout.
    """

    def __init__(self, folder: Path, most: int = KEPT_PARTS) -> None:
        self._folder, self._most = folder, most
        self.about, self.ref = read_about(folder)
        self._parts: OrderedDict[str, Arrays] = OrderedDict()
        self.shared = self._shared()

    @property
    def in_memory(self) -> int:
        """How many parts are."""
        return len(self._parts)

    def __contains__(self, asset_id: object) -> bool:
        """Return whether an asset has a part of its own."""
        return asset_id in self.about.parts

    def of(self, asset_id: str) -> Arrays | None:
        """Return an asset's part; none for an asset without one.

        Raises:
            ArtifactError: If its part is missing, damaged, or does not fit the score.
        """
        expected = self.about.parts.get(asset_id)
        if expected is None:
            return None
        if asset_id not in self._parts:
            self._parts[asset_id] = self._read(asset_id, expected)
            while len(self._parts) > self._most:
                self._parts.popitem(last=False)
        self._parts.move_to_end(asset_id)
        return self._parts[asset_id]

    def _read(self, asset_id: str, expected: str) -> Arrays:
        path = self._folder / PARTS_FILE
        try:
            with zipfile.ZipFile(path) as archive, archive.open(_member(asset_id)) as member:
                content = member.read(MAX_PART_BYTES + 1)
        except (OSError, KeyError, zipfile.BadZipFile, RuntimeError, EOFError) as exc:
            raise ArtifactError(
                f"The part of {asset_id} in {path} cannot be read: {exc}. {RETRAIN}"
            ) from exc
        if _sum(content) != expected:
            raise ArtifactError(
                f"The part of {asset_id} in {path} is not what {ABOUT_FILE} expects: the file was "
                f"changed or damaged. {RETRAIN}"
            )
        arrays = _unpacked(content, f"The part of {asset_id} in {path}")
        self._check(asset_id, arrays)
        return arrays

    def _check(self, asset_id: str, arrays: Arrays) -> None:
        score, machine = SCORES[self.about.score], self.about.machine
        wanted = {*NORMALISATION, PAST, *score.param_names, *score.array_names}
        missing = sorted(wanted - set(arrays))
        if missing:
            raise ArtifactError(f"The part of {asset_id} lacks {', '.join(missing)}. {RETRAIN}")
        n_channels = len(machine.channel_names)
        means, sds = arrays["means"], arrays["sds"]
        if means.shape[1:] != (n_channels,) or means.shape != sds.shape or not (sds > 0.0).all():
            raise ArtifactError(
                f"The part of {asset_id} does not fit: its normalisation is not that of "
                f"{n_channels} channels. {RETRAIN}"
            )
        try:
            score.check(arrays, machine.window.length, n_channels)
            check_deviations({name: arrays[name] for name in wanted - {*NORMALISATION, PAST}})
        except (ValueError, IndexError, TypeError) as exc:
            raise ArtifactError(f"The part of {asset_id} does not fit: {exc}. {RETRAIN}") from exc

    def _shared(self) -> Arrays | None:
        if self.about.shared is None:
            return None
        path = self._folder / SHARED_FILE
        content = _limited(path, MAX_SHARED_BYTES)
        if _sum(content) != self.about.shared:
            raise ArtifactError(
                f"{path} is not what {ABOUT_FILE} expects: it was changed or damaged. {RETRAIN}"
            )
        return _unpacked(content, str(path))


def read_about(folder: Path) -> tuple[AboutParts, ModelRef]:
    """Return what an artifact says of itself, and what alerts call it; no part is read.

    Raises:
        ArtifactError: If it is missing, damaged or of an unknown layout.
    """
    content = _limited(folder / ABOUT_FILE, MAX_ABOUT_BYTES)
    about = _about(folder / ABOUT_FILE, content)
    return about, ModelRef(name=about.name, version=about.version, sha256=_sum(content))


def _about(path: Path, content: bytes) -> AboutParts:
    try:
        about = AboutParts.model_validate_json(content)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ArtifactError(f"{path} is refused: {where}: {first['msg']}. {RETRAIN}") from exc
    if about.score not in SCORES:
        raise ArtifactError(
            f"{path} is refused: score {about.score!r} is unknown; this version has "
            f"{', '.join(SCORES)}. {RETRAIN}"
        )
    return about


def _limited(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as exc:
        raise ArtifactError(f"{path} cannot be read: {exc.strerror or exc}. {RETRAIN}") from exc
    if len(content) > most:
        raise ArtifactError(f"{path} is larger than {most:,} bytes. {RETRAIN}")
    return content


def _member(asset_id: str) -> str:
    """Return a member's name: of any asset id, and never a path."""
    return hashlib.sha256(asset_id.encode()).hexdigest() + ".npz"


def _packed(arrays: Arrays) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            entry = zipfile.ZipInfo(f"{name}.npy")  # by name alone it would carry the time of day
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, np.asarray(arrays[name]), allow_pickle=False)
    return content.getvalue()


def _unpacked(content: bytes, whose: str) -> Arrays:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as exc:
        raise ArtifactError(f"{whose} does not hold arrays: {exc}. {RETRAIN}") from exc


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
