"""Where the telemetry of SMAP and MSL may lie, and in which layout.

Two layouts are read: the publisher's, a folder ``train`` and a folder ``test`` of one ``.npy`` file
each stream; and the same files as members of ``train.npz`` and ``test.npz``. The labels,
``labeled_anomalies.csv``, are beside them. Arrays are read without pickle, and within bounds.
"""

from __future__ import annotations

import io
import lzma
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError

Split = Literal["train", "test"]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)

SMAP: Final = "SMAP"
MSL: Final = "MSL"
SPACECRAFT: Final = (SMAP, MSL)
"""The data sets, as they are named on a command line."""

SUBFOLDER: Final = "smap_msl"
LABELS_FILE: Final = "labeled_anomalies.csv"

MAX_ARRAY_BYTES: Final = 64 * 1024 * 1024
"""No published array is larger than 4 MB; one of this size is something else."""

DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError, ValueError,
    NotImplementedError,
)  # fmt: skip
"""What unpacking raises on an archive that is damaged, encrypted or packed in an unknown way."""

NO_ARRAY: Final = (
    ValueError, SyntaxError, tokenize.TokenError, TypeError, OverflowError, MemoryError,
    RecursionError, EOFError, KeyError, IndexError,
)  # fmt: skip
"""What reading the head of a ``.npy`` file raises that is none: the head is a Python literal."""

MAX_ROWS: Final = 1_000_000
MAX_COLUMNS: Final = 1000

INSTEAD: Final = (
    "Set SURGELINE_DATA_DIR to the folder that holds smap_msl/, or to a folder beside it, and see "
    "docs/telemetry.md for where the files are published."
)


def is_spacecraft(name: str) -> bool:
    """Return whether a data set's name is one of these, whatever its case.

    Example:
        >>> is_spacecraft("smap"), is_spacecraft("FD001")
        (True, False)
    """
    return name.upper() in SPACECRAFT


def spacecraft_of(names: str) -> tuple[str, ...]:
    """Return the data sets named in a list such as ``SMAP,MSL``; none if one is another.

    Example:
        >>> spacecraft_of("smap, MSL"), spacecraft_of("SMAP,FD001")
        (('SMAP', 'MSL'), ())
    """
    parts = tuple(part.strip().upper() for part in names.split(","))
    if not all(part in SPACECRAFT for part in parts):
        return ()
    return tuple(dict.fromkeys(parts))


def find_folder(data_dir: Path) -> Path | None:
    """Return the folder that holds the telemetry; none if nowhere.

    Args:
        data_dir: The folder itself, the folder that holds ``smap_msl/``, or one beside it: the
            setting may go on naming the C-MAPSS files.
    """
    for folder in (data_dir, data_dir / SUBFOLDER, data_dir.absolute().parent / SUBFOLDER):
        if (folder / LABELS_FILE).is_file():
            return folder
    return None


def require_folder(data_dir: Path) -> Path:
    """Return the folder that holds the telemetry.

    Raises:
        DatasetError: If there is none.
    """
    folder = find_folder(data_dir)
    if folder is None:
        raise DatasetError(
            f"No telemetry of SMAP and MSL was found: {LABELS_FILE} is neither in {data_dir}, nor "
            f"in a folder {SUBFOLDER} in it or beside it. {INSTEAD}"
        )
    return folder


def stream_names(folder: Path, split: Split) -> tuple[str, ...]:
    """Return the names of the streams there are, sorted.

    Raises:
        DatasetError: If the archive cannot be read.
    """
    packed = folder / f"{split}.npz"
    if packed.is_file():
        try:
            with zipfile.ZipFile(packed) as archive:
                members = archive.namelist()
        except DAMAGED as exc:
            raise _damaged(packed, exc) from exc
        return tuple(sorted(Path(name).stem for name in members if name.endswith(".npy")))
    return tuple(sorted(path.stem for path in (folder / split).glob("*.npy")))


def read_content(folder: Path, name: str, split: Split) -> bytes:
    """Return the bytes of a stream's ``.npy`` file.

    Raises:
        DatasetError: If it is missing, damaged, or larger than :data:`MAX_ARRAY_BYTES`.
    """
    packed, plain = folder / f"{split}.npz", folder / split / f"{name}.npy"
    try:
        if packed.is_file():
            with zipfile.ZipFile(packed) as archive, archive.open(f"{name}.npy") as member:
                content = member.read(MAX_ARRAY_BYTES + 1)
        else:
            with plain.open("rb") as file:
                content = file.read(MAX_ARRAY_BYTES + 1)
    except (KeyError, FileNotFoundError) as exc:
        raise DatasetError(
            f"The {split} readings of stream {name} are not in {folder}. {INSTEAD}"
        ) from exc
    except DAMAGED as exc:
        raise _damaged(packed if packed.is_file() else plain, exc) from exc
    if len(content) > MAX_ARRAY_BYTES:
        raise DatasetError(
            f"The {split} readings of stream {name} in {folder} are more than "
            f"{MAX_ARRAY_BYTES:,} bytes; none that was published is."
        )
    return content


def parse_array(content: bytes, source: str) -> NDArray[np.float64]:
    """Return the numbers of a stream: telemetry first, then commands; read-only.

    Args:
        content: Bytes of its ``.npy`` file.
        source: Its name, for messages.

    Returns:
        Shape ``(n_rows, n_columns)``.

    Raises:
        DatasetError: Saying what came and what was expected.
    """
    values = _values(content, source)
    with np.errstate(over="ignore"):  # an extended number beyond 64 bits: refused below
        numbers = np.ascontiguousarray(values, np.float64)
    if not np.isfinite(numbers).all():
        row, column = (int(index) for index in np.argwhere(~np.isfinite(numbers))[0])
        raise DatasetError(
            f"{source}, row {row}, column {column}: {numbers[row, column]} came; a finite number "
            "was expected."
        )
    numbers.setflags(write=False)
    return numbers


def _values(content: bytes, source: str) -> NDArray[np.generic]:
    """Return the array of a ``.npy`` file, once its head says that it is one to be read."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an old head, which is read all the same
            shape, by_column, dtype = read(file)
    except NO_ARRAY as exc:
        raise DatasetError(f"{source} is no array that can be read: {exc}.") from exc
    if len(shape) != 2 or dtype.kind not in "fiu":
        raise DatasetError(
            f"{source} holds {dtype} of shape {shape}; rows and columns of numbers were expected."
        )
    rows, columns = shape
    if not (1 <= rows <= MAX_ROWS and 1 <= columns <= MAX_COLUMNS):
        raise DatasetError(
            f"{source} has {rows:,} rows and {columns:,} columns; 1 to {MAX_ROWS:,} rows and 1 to "
            f"{MAX_COLUMNS:,} columns were expected."
        )
    left = len(content) - file.tell()
    expected = rows * columns * dtype.itemsize
    if left != expected:
        raise DatasetError(
            f"{source} is cut off or has something after it: {left:,} bytes of numbers came; "
            f"{rows:,} rows and {columns:,} columns are {expected:,}."
        )
    values = np.frombuffer(content, dtype, rows * columns, file.tell())
    return values.reshape(shape, order="F" if by_column else "C")


def _damaged(path: Path, exc: Exception) -> DatasetError:
    return DatasetError(f"{path} cannot be read: {exc}. Fetch it again, or restore it.")
