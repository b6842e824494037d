"""Streams of telemetry: one channel of a spacecraft with the commands that went with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.machines.files import load_machine
from common.machines.machine import MachineType
from common.telemetry.files import (
    LABELS_FILE,
    MSL,
    Split,
    parse_array,
    read_content,
    require_folder,
    stream_names,
)
from common.telemetry.labels import DISPUTED, MAX_LABELS_BYTES, Labels, Span, parse_labels

UNLABELLED: Final = {"T-10": MSL}
"""Streams that were published without a label, and what they are of: by the number of columns."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream, one split of it. Arrays are read-only.

    Attributes:
        name: Such as ``A-1``; the first letter tells the kind (P power, R radiation, ...).
        spacecraft: ``SMAP`` or ``MSL``.
        split: ``train`` readings are taken for healthy; ``test`` readings are labelled.
        values: Shape ``(n_rows, n_columns)``; the telemetry, then commands, 0 or 1.
        anomalies: Labelled in the ``test`` readings; none where nobody labelled them.
        sha256: Digest of its file, hexadecimal.
    """

    name: str
    spacecraft: str
    split: Split
    values: NDArray[np.float64]
    anomalies: tuple[Span, ...] | None
    sha256: str

    def __len__(self) -> int:
        """Return the number of readings."""
        return len(self.values)

    @property
    def clean(self) -> bool:
        """Whether its labels are not disputed."""
        return self.anomalies is not None and self.name not in DISPUTED


def machine_of(spacecraft: str) -> MachineType:
    """Return the machine type that ships for a spacecraft's streams."""
    return load_machine(spacecraft.lower())


def load_streams(data_dir: Path, spacecraft: str, split: Split) -> tuple[Stream, ...]:
    """Return the streams of a spacecraft that are at hand, by name.

    Args:
        data_dir: See ``files.find_folder``.
        spacecraft: ``SMAP`` or ``MSL``.
        split: Which readings.

    Raises:
        DatasetError: If there are none, or one is damaged or not what the labels say.
    """
    folder = require_folder(data_dir)
    labels = read_labels(folder)
    names = [name for name in stream_names(folder, split) if _of(name, labels) == spacecraft]
    if not names:
        raise DatasetError(f"{folder} holds no {split} readings of {spacecraft}.")
    return tuple(_stream(folder, name, spacecraft, split, labels.get(name)) for name in names)


def read_labels(folder: Path) -> dict[str, Labels]:
    """Return what the publisher's list says of each stream.

    Raises:
        DatasetError: If it cannot be read.
    """
    path = folder / LABELS_FILE
    try:
        with path.open("rb") as file:
            content = file.read(MAX_LABELS_BYTES + 1)
    except OSError as exc:
        raise DatasetError(f"{path} cannot be read: {exc.strerror or exc}.") from exc
    return parse_labels(content, str(path))


def _of(name: str, labels: dict[str, Labels]) -> str | None:
    return labels[name].spacecraft if name in labels else UNLABELLED.get(name)


def _stream(
    folder: Path, name: str, spacecraft: str, split: Split, labels: Labels | None
) -> Stream:
    content = read_content(folder, name, split)
    source = f"{folder}, {split} readings of {name}"
    values = parse_array(content, source)
    expected = len(machine_of(spacecraft).channels)
    if values.shape[1] != expected:
        raise DatasetError(
            f"{source}: {values.shape[1]} columns came; {expected} were expected of {spacecraft}."
        )
    anomalies = None
    if split == "test" and labels is not None:
        if len(values) != labels.rows:
            raise DatasetError(
                f"{source}: {len(values)} rows came; {labels.rows} were expected by its labels."
            )
        anomalies = labels.anomalies
    return Stream(name, spacecraft, split, values, anomalies, hashlib.sha256(content).hexdigest())
