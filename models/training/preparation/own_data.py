"""Somebody's own recording to what models are fitted and calibrated on, or why it does not suffice.

There need be no failure and no label in it: then all of it counts as of sound machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.recording import Recording
from models.evaluation.labels import masks
from models.evaluation.plausible import plausible
from models.evaluation.splits import MIN_ENGINES, SplitBy
from models.training.preparation.spikes import usual
from models.training.preparation.windows import OwnData, Prepared, cut, refused_rows, split_parts

Split = Literal["auto", "asset", "time"]

MIN_FIT_WINDOWS: Final = 100
"""Fewer healthy windows do not tell what is usual."""

MIN_VALIDATE_WINDOWS: Final = 30
"""Fewer do not tell how high healthy windows score."""


def prepare_recording(recording: Recording, split: Split = "auto") -> Prepared:
    """Split, normalise and cut a recording.

    ``auto`` splits by asset where at least five are recorded until they failed, for then others
    will take their place; else by time, for then the same go on being watched.

    Args:
        recording: Readings of one type of machine.
        split: How parts are told from each other.

    Raises:
        DatasetError: If it cannot carry training; says how many rows and windows came, and how many
            are needed.
    """
    machine = recording.machine
    sound = replace(recording, assets=[plausible(machine, record) for record in recording.assets])
    by = split_of(sound) if split == "auto" else split
    try:
        roles, parts = split_parts(sound, by)
        prepared = cut(sound, machine, roles, parts, own=_told(sound, by))
        prepared = replace(prepared, notes=(*refused_rows(recording), *prepared.notes))
    except ValueError as exc:
        raise DatasetError(f"{_cannot(sound)} {exc}.{_silent_channels(sound)}") from exc
    _check_enough(sound, prepared)
    return prepared


def split_of(recording: Recording) -> SplitBy:
    """Return how ``auto`` splits a recording."""
    failed = sum(record.life_left is not None for record in recording.assets)
    return "asset" if failed >= MIN_ENGINES else "time"


def _told(recording: Recording, by: SplitBy) -> OwnData:
    known = [masks(record) for record in recording.assets]
    return OwnData(
        len(recording.assets),
        recording.rows,
        by,
        sum(int(healthy.sum()) for healthy, _ in known),
        sum(int(faulty.sum()) for _, faulty in known),
    )


def _check_enough(recording: Recording, prepared: Prepared) -> None:
    length = prepared.window_length
    for what, windows, needed in (
        ("to fit on", prepared.fit, MIN_FIT_WINDOWS),
        ("to choose thresholds on", prepared.validate, MIN_VALIDATE_WINDOWS),
    ):
        count = int(usual(windows).sum())
        if count < needed:
            raise DatasetError(
                f"{_cannot(recording)} {count} healthy windows of {length} readings came {what}; "
                f"{needed} are needed.{_silent_channels(recording)} Record for longer, or set a "
                "shorter window in the machine type."
            )


def _cannot(recording: Recording) -> str:
    told = _told(recording, "time")
    return (
        f"{recording.name} cannot be used for training: of its {told.rows} usable rows of "
        f"{told.assets} asset{'s' * (told.assets != 1)} {told.healthy_rows} are healthy;"
    )


def _silent_channels(recording: Recording) -> str:
    """Name the channels that models look at and that were not measured in half of the rows."""
    machine = recording.machine
    names = (*machine.condition_names, *machine.channel_names)
    values: Sequence[NDArray[np.float64]] = [r.values(machine) for r in recording.assets]
    if not sum(map(len, values)):
        return ""
    blank = np.isnan(np.concatenate(values)).mean(axis=0)
    silent = [f"{name} ({part:.0%})" for name, part in zip(names, blank, strict=True) if part > 0.5]
    if not silent:
        return ""
    return f" Mostly blank: {', '.join(silent)}; set used = false for channels that stay so."
