"""What is known of the true anomalies of a run: the labels of the test readings it replays.

It must be sure that a run is such a replay. The name tells, where the replay itself gave it
(``common/records/run_names.py``); a name that somebody chose tells nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from common.errors import DatasetError
from common.records.run_names import replayed
from common.scorestore.port import RunSummary
from common.telemetry.files import LABELS_FILE, SPACECRAFT, find_folder
from common.telemetry.labels import DISPUTED, Labels, Span
from common.telemetry.streams import read_labels

Version = tuple[Path, int, int]
"""A file, when it was changed, and its bytes."""

NOT_NAMED: Final = (
    "Its name does not say that it replays labelled readings. A replay of "
    f"{' or '.join(SPACECRAFT)} without --run-id gives one that does."
)


@dataclass(frozen=True, slots=True)
class KnownLabels:
    """What is known of one run.

    Attributes:
        spans: True anomalies, ``[first, last]`` cycle, ascending.
        source: Who says so; none where nothing is known.
        why_none: Why nothing is known; none where it is.
        disputed: Why these labels are disputed; none where they are not.
    """

    spans: tuple[Span, ...] = ()
    source: str | None = None
    why_none: str | None = None
    disputed: str | None = None


class LabelTable:
    """Reads the publisher's list, and again once the file has changed.

    Args:
        data_dir: Where the list may be; see ``common.telemetry.files.find_folder``.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._known: tuple[Version, Mapping[str, Labels]] | None = None

    async def of(self, run: RunSummary) -> KnownLabels:
        """Return what is known of a run; a list that is missing or damaged is no error."""
        named = replayed(run.run_id)
        if named is None or named.dataset not in SPACECRAFT:
            return KnownLabels(why_none=NOT_NAMED)
        if named.split != "test":
            return KnownLabels(why_none="Training readings have no labels: they are taken as fine.")
        try:
            table = await asyncio.to_thread(self._read)
        except DatasetError as exc:
            return KnownLabels(why_none=f"The list of anomalies cannot be used. {exc}")
        return _of(run, named.dataset, table)

    def _read(self) -> Mapping[str, Labels]:
        folder = find_folder(self._data_dir)
        if folder is None:
            raise DatasetError(
                f"The api has no {LABELS_FILE}: SURGELINE_DATA_DIR names no folder with it."
            )
        try:
            there = (folder / LABELS_FILE).stat()
        except OSError as exc:
            raise DatasetError(f"{LABELS_FILE} is gone: {exc.strerror or exc}.") from exc
        version = (folder, there.st_mtime_ns, there.st_size)
        known = self._known
        if known is None or known[0] != version:
            known = self._known = (version, read_labels(folder))
        return known[1]


def _of(run: RunSummary, dataset: str, table: Mapping[str, Labels]) -> KnownLabels:
    labels = table.get(run.asset_id)
    if labels is None or labels.spacecraft != dataset:
        return KnownLabels(why_none=f"{LABELS_FILE} has no stream {run.asset_id} of {dataset}.")
    if (run.last_cycle or 0) > labels.rows:
        return KnownLabels(
            why_none=f"The run has cycle {run.last_cycle}, and the labels are of {labels.rows} "
            "readings: they are not of this run."
        )
    return KnownLabels(
        # rows are counted from 0, cycles from 1
        tuple((start + 1, stop) for start, stop in labels.anomalies),
        f"{LABELS_FILE} of {dataset}",
        None,
        DISPUTED.get(run.asset_id),
    )
