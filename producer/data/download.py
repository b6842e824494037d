"""Fetches NASA's archive and takes the C-MAPSS files out of it, each verified by its sha256.

What is already there and verified is left alone; what is written is written whole or not at all.
Nothing in the archive chooses where it goes: members are matched by name, and an archive whose
members point outside their folder is refused.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Final

import httpx

from common.cmapss.files import PUBLISHED, SUBFOLDER, PublishedFile, find_file, read_bytes
from common.errors import DatasetError, DownloadError
from producer.atomic_file import write_atomically

ARCHIVE_URL: Final = (
    "https://phm-datasets.s3.amazonaws.com/NASA/"
    "6.+Turbofan+Engine+Degradation+Simulation+Data+Set.zip"
)
ARCHIVE_BYTES: Final = 12_429_152
"""Size of NASA's archive: for the progress bar of a server that does not tell."""

MAX_ARCHIVE_BYTES: Final = 64 * 1024 * 1024
"""Five times the archive: more is something else, and would only fill the disk."""

TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)
"""Longest silence of the server, s."""

CHUNK_BYTES: Final = 64 * 1024
INSTEAD: Final = (
    "Without internet: set SURGELINE_DATA_DIR to a folder that holds the files, give --url of a "
    "mirror, or use the simulator (`--dataset SIM`)."
)

Progress = Callable[[int, int], None]
"""Told bytes received and bytes expected in all."""


class FileState(StrEnum):
    """What became of one published file in a data folder."""

    VERIFIED = "verified"
    MISSING = "missing"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"  # it can be read, but no digest of it is known here


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What a fetch did.

    Attributes:
        folder: The data folder.
        written: Names of the files it wrote, all verified.
        kept: Names of the files that were there already, all verified.
    """

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


def check(folder: Path, published: Mapping[str, PublishedFile] = PUBLISHED) -> dict[str, FileState]:
    """Compare the files of a folder with what NASA published, by sha256 of the unpacked text."""
    return {name: _state(folder, file) for name, file in published.items()}


def fetch(
    folder: Path,
    url: str = ARCHIVE_URL,
    on_progress: Progress = lambda _received, _expected: None,
    published: Mapping[str, PublishedFile] = PUBLISHED,
) -> FetchReport:
    """Download the archive and write the files that are missing or damaged.

    Args:
        folder: Where the files go; made if missing.
        url: NASA's archive or a mirror of it: a zip, or the zip inside it.
        on_progress: Called after each chunk.
        published: Files wanted, by name.

    Raises:
        DownloadError: If the archive cannot be had, is damaged, is refused, or lacks a file.
        DatasetError: If a file cannot be written.
    """
    states = check(folder, published)
    kept = tuple(name for name, state in states.items() if state is FileState.VERIFIED)
    wanted = {name: file for name, file in published.items() if name not in kept}
    written: list[str] = []
    if wanted:
        with temporary_file(folder) as archive:
            download(url, archive, on_progress, MAX_ARCHIVE_BYTES, INSTEAD)
            for name, content in _verified_members(archive, wanted, url):
                write_atomically(_target(folder, name), content)
                written.append(name)
    missing = sorted(set(wanted) - set(written))
    if missing:
        raise DownloadError(f"The archive of {url} lacks {', '.join(missing)}. {INSTEAD}")
    return FetchReport(folder, tuple(written), kept)


def _state(folder: Path, file: PublishedFile) -> FileState:
    path = find_file(folder, file.name)
    if path is None:
        return FileState.MISSING
    try:
        same = hashlib.sha256(read_bytes(path)).hexdigest() == file.sha256
    except DatasetError:
        same = False
    return FileState.VERIFIED if same else FileState.DAMAGED


def _target(folder: Path, name: str) -> Path:
    """Return where a file is written: where it will be found first, so over a damaged one."""
    damaged = find_file(folder, name)
    if damaged is not None:
        return damaged.with_suffix("") if damaged.suffix == ".gz" else damaged
    nested = folder / SUBFOLDER
    return (nested if nested.is_dir() else folder) / name


def temporary_file(folder: Path) -> IO[bytes]:
    """Open the file for the archive in the data folder: a folder that is read-only shows now.

    Raises:
        DownloadError: If it is.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder, prefix=".surgeline-")
    except OSError as exc:
        raise DownloadError(
            f"{folder} cannot be written: {exc.strerror or exc}. Choose a folder with --dir."
        ) from exc


def download(
    url: str,
    archive: IO[bytes],
    on_progress: Progress,
    most_bytes: int,
    instead: str,
) -> None:
    """Write what an address sends to a file.

    Args:
        url: The address.
        archive: The file.
        on_progress: Called after each chunk.
        most_bytes: More is refused, and not stored.
        instead: What a message advises.

    Raises:
        DownloadError: If it cannot be had, is too large, or cannot be stored.
    """
    try:
        with httpx.stream("GET", url, timeout=TIMEOUT, follow_redirects=True) as response:
            response.raise_for_status()
            announced = response.headers.get("content-length", "")
            expected = int(announced) if announced.isdigit() else ARCHIVE_BYTES
            _refuse_size(expected, url, most_bytes)
            received = 0
            for chunk in response.iter_bytes(CHUNK_BYTES):
                received += len(chunk)
                _refuse_size(received, url, most_bytes)
                archive.write(chunk)
                on_progress(received, expected)
    except httpx.HTTPStatusError as exc:
        status = exc.response.status_code
        raise DownloadError(f"{url} answered {status} instead of the data. {instead}") from exc
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        reason = str(exc) or type(exc).__name__
        raise DownloadError(f"The data cannot be fetched from {url}: {reason}. {instead}") from exc
    except OSError as exc:
        raise DownloadError(f"The archive cannot be stored: {exc.strerror or exc}.") from exc


def _refuse_size(size_bytes: int, url: str, most_bytes: int) -> None:
    if size_bytes > most_bytes:
        raise DownloadError(
            f"{url} sends more than {most_bytes:,} bytes; what NASA published is smaller. This is "
            "not it."
        )


def _verified_members(
    archive: IO[bytes], wanted: Mapping[str, PublishedFile], url: str
) -> Iterator[tuple[str, bytes]]:
    try:
        for name, content in _wanted_members(archive, wanted, depth=1):
            if hashlib.sha256(content).hexdigest() != wanted[name].sha256:
                raise DownloadError(
                    f"{name} from {url} is not the file NASA published: its sha256 differs."
                )
            yield name, content
    # RuntimeError: encrypted; NotImplementedError: a packing Python does not know
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
        NotImplementedError,
        OSError,
    ) as exc:
        raise DownloadError(
            f"What {url} sent is not a zip archive that can be read ({exc}). Try again."
        ) from exc


def _wanted_members(
    archive: IO[bytes], wanted: Mapping[str, PublishedFile], depth: int
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each wanted file, of this zip and of zips ``depth`` levels in."""
    with zipfile.ZipFile(archive) as outer:
        for member in outer.infolist():
            name = _safe_name(member.filename)
            if name in wanted:
                yield name, _content(outer, member, wanted[name].size_bytes)
            elif depth and name.lower().endswith(".zip"):
                inner = io.BytesIO(_content(outer, member, MAX_ARCHIVE_BYTES))
                yield from _wanted_members(inner, wanted, depth - 1)


def _safe_name(member: str) -> str:
    """Return a member's file name.

    Raises:
        DownloadError: If its path is absolute or climbs out of its folder.
    """
    for path in (PurePosixPath(member), PureWindowsPath(member)):
        if path.is_absolute() or path.drive or path.root or ".." in path.parts:
            raise DownloadError(
                f"The archive is refused: its member {member!r} points outside of its folder."
            )
    return PureWindowsPath(member).name


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit_bytes: int) -> bytes:
    """Unpack a member, but never more than is expected of it, whatever its header says."""
    with archive.open(member) as unpacked:
        content = unpacked.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise DownloadError(
            f"The archive is refused: its member {member.filename!r} unpacks to more than the "
            f"{limit_bytes:,} bytes expected."
        )
    return content
