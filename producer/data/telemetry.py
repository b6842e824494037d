"""Fetches the telemetry of SMAP and MSL, and compares what is at hand with what was published.

The publisher's archive holds ``train/NAME.npy`` and ``test/NAME.npy``; the labels are a file of
their own. Nothing in the archive chooses where it goes: members are matched by folder and name.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

from common.errors import DatasetError, DownloadError
from common.telemetry.files import (
    LABELS_FILE,
    MAX_ARRAY_BYTES,
    SPLITS,
    SUBFOLDER,
    Split,
    find_folder,
    parse_array,
    read_content,
    stream_names,
)
from common.telemetry.labels import MAX_LABELS_BYTES, parse_labels
from common.telemetry.published import PUBLISHED_STREAMS
from producer.atomic_file import write_atomically
from producer.data.download import FetchReport, FileState, Progress, download, temporary_file

ARCHIVE_URL: Final = "https://s3-us-west-2.amazonaws.com/telemanom/data.zip"
LABELS_URL: Final = (
    "https://raw.githubusercontent.com/khundman/telemanom/master/labeled_anomalies.csv"
)
MAX_ARCHIVE_BYTES: Final = 512 * 1024 * 1024
MAX_STREAMS: Final = 1000
NAME: Final = re.compile(r"[A-Z]-[0-9]{1,3}")

INSTEAD: Final = (
    "The publisher's address has not always answered; copies are published at Kaggle and in other "
    "projects (docs/telemetry.md). Give --url of one, or put labeled_anomalies.csv and the folders "
    "train and test of .npy files into a folder smap_msl that SURGELINE_DATA_DIR, or --dir, names."
)


def check_telemetry(data_dir: Path) -> dict[str, FileState]:
    """Compare the streams at hand with the published digests, by ``SPLIT/NAME``.

    Streams whose digest is not known here, and that can be read, are ``unknown``.
    """
    folder = find_folder(data_dir)
    if folder is None:
        return {_label(name, split): FileState.MISSING for name, split in PUBLISHED_STREAMS}
    there = [(name, split) for split in SPLITS for name in stream_names(folder, split)]
    keys = sorted({*there, *PUBLISHED_STREAMS}, key=lambda key: (key[1] == "test", key[0]))
    return {_label(*key): _state(folder, *key) for key in keys}


def fetch_telemetry(
    data_dir: Path,
    url: str = ARCHIVE_URL,
    labels_url: str = LABELS_URL,
    on_progress: Progress = lambda _received, _expected: None,
) -> FetchReport:
    """Download the archive and the labels; write the streams that are missing or damaged.

    Args:
        data_dir: Where they go: its folder ``smap_msl``, unless they are somewhere already.
        url: The publisher's archive or a copy: a zip of ``train`` and ``test``.
        labels_url: The list of anomalies, where the archive does not hold it.
        on_progress: Called after each chunk.

    Raises:
        DownloadError: If something cannot be had, or is not what was published.
        DatasetError: If a file cannot be written.
    """
    folder = find_folder(data_dir) or data_dir / SUBFOLDER
    states = check_telemetry(data_dir)
    kept = tuple(name for name, state in states.items() if state is FileState.VERIFIED)
    known = {_label(*key) for key in PUBLISHED_STREAMS}
    if known <= set(kept):
        return FetchReport(folder, (), kept)
    written: list[str] = []
    with temporary_file(folder) as archive:
        download(url, archive, on_progress, MAX_ARCHIVE_BYTES, INSTEAD)
        for label, content in _members(archive, url):
            if label in kept:
                continue
            path = folder / label
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
            written.append(label)
    if not (folder / LABELS_FILE).is_file():
        with temporary_file(folder) as labels:
            download(labels_url, labels, on_progress, MAX_LABELS_BYTES, INSTEAD)
            labels.seek(0)
            content = labels.read()
        parse_labels(content, labels_url)
        write_atomically(folder / LABELS_FILE, content)
        written.append(LABELS_FILE)
    return FetchReport(folder, tuple(written), kept)


def _label(name: str, split: Split) -> str:
    return f"{split}/{name}.npy"


def _state(folder: Path, name: str, split: Split) -> FileState:
    published = PUBLISHED_STREAMS.get((name, split))
    if name not in stream_names(folder, split):
        return FileState.MISSING
    try:
        content = read_content(folder, name, split)
        if published is None:
            parse_array(content, name)
            return FileState.UNKNOWN
    except DatasetError:
        return FileState.DAMAGED
    same = hashlib.sha256(content).hexdigest() == published
    return FileState.VERIFIED if same else FileState.DAMAGED


def _members(archive: IO[bytes], url: str) -> Iterator[tuple[str, bytes]]:
    """Yield the streams of an archive, verified where their digest is known, and its labels."""
    try:
        with zipfile.ZipFile(archive) as packed:
            wanted = {
                label: member
                for member in packed.infolist()
                if (label := _wanted(member.filename)) is not None
            }
            if not wanted or len(wanted) > 2 * MAX_STREAMS:
                raise DownloadError(
                    f"The archive of {url} holds {len(wanted)} streams; train/NAME.npy and "
                    f"test/NAME.npy of 1 to {MAX_STREAMS} were expected. {INSTEAD}"
                )
            for label, member in wanted.items():
                yield label, _verified(label, _content(packed, member), url)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as exc:
        raise DownloadError(
            f"What {url} sent is not a zip archive that can be read ({exc}). {INSTEAD}"
        ) from exc


def _wanted(member: str) -> str | None:
    path = PurePosixPath(member)
    if path.name == LABELS_FILE:
        return LABELS_FILE
    if path.suffix == ".npy" and NAME.fullmatch(path.stem) and path.parent.name in SPLITS:
        return f"{path.parent.name}/{path.name}"
    return None


def _content(packed: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with packed.open(member) as unpacked:
        content = unpacked.read(MAX_ARRAY_BYTES + 1)
    if len(content) > MAX_ARRAY_BYTES:
        raise DownloadError(
            f"The archive is refused: its member {member.filename!r} unpacks to more than "
            f"{MAX_ARRAY_BYTES:,} bytes."
        )
    return content


def _verified(label: str, content: bytes, url: str) -> bytes:
    if label == LABELS_FILE:
        parse_labels(content, f"{LABELS_FILE} of {url}")
        return content
    split, name = label.removesuffix(".npy").split("/")
    published = PUBLISHED_STREAMS.get((name, "test" if split == "test" else "train"))
    if published is not None and hashlib.sha256(content).hexdigest() != published:
        raise DownloadError(f"{label} from {url} is not what was published: its sha256 differs.")
    parse_array(content, f"{label} of {url}")
    return content
