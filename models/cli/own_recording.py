"""Somebody's own files as a recording that says which readings are of sound machines."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.machines.machine import MachineType
from common.readers.files import find_files
from common.readers.recording_file import RecordingFile, read_recording
from common.readers.roles import Roles
from common.recording import AssetRecord, Recording, unlabelled

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
US: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Health:
    """What is said of somebody's readings; nothing means that all are of sound machines.

    Attributes:
        until: Up to this time, or count where the source counts, they are of sound machines; of
            later ones nothing is known.
        by_label: Whether a column says it: 0 for sound, above 0 for failing.
    """

    until: str | None = None
    by_label: bool = False


def read_own(
    machine: MachineType,
    paths: Sequence[Path],
    health: Health,
    given: Roles,
    ignored: Collection[str] = (),
) -> tuple[Recording, list[str]]:
    """Return somebody's own files as a recording, and what is to be said of how they were read.

    Args:
        machine: What they hold.
        paths: Files or folders.
        health: Which readings are of sound machines.
        given: Columns that were named.
        ignored: Columns that are not to be looked at.

    Raises:
        DatasetError: If a file cannot be read, or lacks what the machine type has.
        UserError: If the time in ``health`` is none.
    """
    file = read_recording(find_files(list(map(str, paths))), machine, given, ignored)
    remarks = [*file.remarks, *_left_out(file)]
    if not health.by_label:
        if file.roles.label is not None:
            remarks.append(
                f"column {file.roles.label!r} looks like a label and is not used; "
                f"--label-column {file.roles.label!r} says that it is one"
            )
        file = replace(file, recording=unlabelled(file.recording))
    if health.until is None:
        return file.recording, remarks
    return known_healthy(file.recording, health.until), remarks


def known_healthy(recording: Recording, until: str) -> Recording:
    """Return a recording whose readings are known to be of sound machines up to a time, or count.

    Raises:
        UserError: If it is neither.
    """
    assets = tuple(replace(each, healthy=_up_to(each, until)) for each in recording.assets)
    return replace(recording, assets=assets)


def _up_to(record: AssetRecord, text: str) -> NDArray[np.bool_]:
    if record.clock_us is None:
        if not re.fullmatch(r"\d{1,18}", text.strip(), re.ASCII):
            raise UserError(
                f"--healthy-until {text!r} came; a whole number was expected, since these data "
                "have no times but count their readings."
            )
        return np.asarray(record.cycles <= int(text))
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise UserError(
            f"--healthy-until {text!r} came; a time such as 2026-01-31 12:00:00 was expected."
        ) from exc
    utc = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return np.asarray(record.clock_us <= (utc - EPOCH) // US)


def _left_out(file: RecordingFile) -> list[str]:
    """Say how many rows cannot be used, and why."""
    counts = {
        "have no asset": file.without_asset,
        "have no time or count": sum(each.without_time for each in file.counts),
        "lie too far from their tick": sum(each.off_tick for each in file.counts),
        "came twice for one tick": sum(each.same_tick for each in file.counts),
    }
    return [f"{count:,} rows {why} and are left out" for why, count in counts.items() if count]
