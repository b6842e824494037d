"""Which C-MAPSS files there are, where they may lie, and what NASA published.

Nothing here reads numbers (``reader.py`` does): only names, folders, packed or plain bytes, sums.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from common.errors import DatasetError

Split = Literal["train", "test"]

SUBFOLDER: Final = "cmapss"
LONGEST_LIFE_CYCLES: Final = 1000
"""No published engine lives longer (543 cycles, FD004), nor does a simulated one."""

NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9]{1,32}")
GZIP_MAGIC: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One text file of NASA's archive.

    Attributes:
        name: File name, such as ``train_FD001.txt``.
        size_bytes: Size of the unpacked text.
        sha256: Digest of the unpacked text, hexadecimal.
    """

    name: str
    size_bytes: int
    sha256: str


PUBLISHED: Final[dict[str, PublishedFile]] = {
    file.name: file
    for file in (
        PublishedFile(
            "train_FD001.txt",
            3_515_356,
            "963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8",
        ),
        PublishedFile(
            "test_FD001.txt",
            2_228_855,
            "3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851",
        ),
        PublishedFile(
            "RUL_FD001.txt",
            429,
            "a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca",
        ),
        PublishedFile(
            "train_FD002.txt",
            9_082_480,
            "dac6c4dbc4e7c1bdeb5747da3d313d05c395bb99801b44a002b26a2ba13d788f",
        ),
        PublishedFile(
            "test_FD002.txt",
            5_734_587,
            "de7b5bf7e998a985c378488480528b7c02cff1406a46740def362dda8d9b4e02",
        ),
        PublishedFile(
            "RUL_FD002.txt",
            1_110,
            "c851dd96a6ea6998d3c4a8f834d3c8013aa90e93a6ed950dc826ad0655b2906b",
        ),
        PublishedFile(
            "train_FD003.txt",
            4_213_862,
            "2abbe9968cc5e8eb091980f51b20f62bb4127336d3482cb52071d53bf23329e2",
        ),
        PublishedFile(
            "test_FD003.txt",
            2_826_651,
            "299babd63c8d987cef079c4a425429f33b3a34797d803bbe2ad48c29dbd0d790",
        ),
        PublishedFile(
            "RUL_FD003.txt",
            428,
            "df1e0566306b174a2de41c67a3e7a51877889598b78643fc3e5685259091b7cb",
        ),
        PublishedFile(
            "train_FD004.txt",
            10_350_705,
            "27ef6160b6a1dcb2613a88de9c239f763b223f02cdc41dc5cdedc5dc189b6218",
        ),
        PublishedFile(
            "test_FD004.txt",
            6_957_759,
            "1dc675fff0624bac10786927c6715b37d1297657137400d2b1a3138d777a3ba5",
        ),
        PublishedFile(
            "RUL_FD004.txt",
            1_084,
            "196b836b85a95ac7fdbbf29c5fdf1657382eafa445644d114ffaaf50dc2975e1",
        ),
    )
}
"""The archive's twelve data files by name. Digests were compared across three public copies."""

PUBLISHED_SETS: Final = ("FD001", "FD002", "FD003", "FD004")

SIMULATED_NAME: Final = "SIM"
"""What the simulator's engines are called, where a data set is named."""


def file_name(name: str, kind: Literal["train", "test", "RUL"]) -> str:
    """Return the published name of a file.

    Raises:
        DatasetError: If ``name`` cannot be part of a file name.

    Example:
        >>> file_name("FD001", "test")
        'test_FD001.txt'
    """
    if not NAME_PATTERN.fullmatch(name):
        raise DatasetError(
            f"{name!r} is not the name of a data set. Expected letters and digits: "
            f"{', '.join(PUBLISHED_SETS)}, or that of your own. The path of a file is none: for a "
            "set of your own put train_NAME.txt and test_NAME.txt into the folder of "
            "SURGELINE_DATA_DIR, and give NAME."
        )
    return f"{kind}_{name}.txt"


def sets_in(data_dir: Path, kind: Literal["train", "test"]) -> tuple[str, ...]:
    """Return the names of the data sets that have such a file in a folder, sorted."""
    found = set()
    for folder in (data_dir, data_dir / SUBFOLDER):
        for path in folder.glob(f"{kind}_*.txt*"):
            name = path.name.removesuffix(".gz").removesuffix(".txt").removeprefix(f"{kind}_")
            if NAME_PATTERN.fullmatch(name):
                found.add(name)
    return tuple(sorted(found))


def find_file(data_dir: Path, file: str) -> Path | None:
    """Return where ``file`` lies, plain or with ``.gz``; none if nowhere.

    Args:
        data_dir: The folder of the files, or the folder that holds ``cmapss/``.
        file: A name such as ``train_FD001.txt``.
    """
    for folder in (data_dir, data_dir / SUBFOLDER):
        for candidate in (folder / file, folder / f"{file}.gz"):
            if candidate.is_file():
                return candidate
    return None


def read_bytes(path: Path) -> bytes:
    """Return the unpacked text of a plain or gzip file.

    Raises:
        DatasetError: If the file cannot be read or unpacked.
    """
    try:
        packed = path.read_bytes()
        return gzip.decompress(packed) if packed.startswith(GZIP_MAGIC) else packed
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise DatasetError(
            f"{path} is a damaged gzip file ({exc}). Delete it and run `surgeline data fetch`."
        ) from exc
    except OSError as exc:
        raise DatasetError(f"{path} cannot be read: {exc.strerror or exc}.") from exc
