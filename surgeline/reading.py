"""A frame as a recording, each row of which knows where it stood."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from common.errors import DatasetError, UserError
from common.machines.machine import MachineType
from common.readers.frames import Frame
from common.readers.names import channel_name
from common.readers.recording_file import RecordingFile, as_recording
from common.readers.roles import Roles

ASSETS: Final = ("asset", "asset_id", "unit")
"""Columns so named say whose a row is. In others, a look at the values must tell."""


CALLER: Final = 5
"""Calls from a warning to who called ``score`` or ``train``."""


@dataclass(frozen=True, slots=True)
class Named:
    """Columns that the caller has named; those left out are found.

    Attributes:
        asset: Whose reading it is.
        time: When it was taken.
        cycle: Which one it is, where the source counts.
        label: Not 0 where the machine is known to fail.
        ignore: Not to be looked at.
    """

    asset: str | None = None
    time: str | None = None
    cycle: str | None = None
    label: str | None = None
    ignore: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what is no name."""
        given: tuple[object, ...] = (self.asset, self.time, self.cycle, self.label)
        wrong = [name for name in given if not isinstance(name, str | None)]
        ignore: object = self.ignore
        is_list = isinstance(ignore, Sequence) and not isinstance(ignore, str)
        if not is_list or any(not isinstance(name, str) for name in self.ignore):
            wrong.append(ignore)
        if wrong:
            raise UserError(
                f"{wrong[0]!r:.80} came; the name of a column was expected (for ignore, a list of "
                "names)."
            )

    @property
    def roles(self) -> Roles:
        """The columns as the readers call them."""
        asset, time, cycle, label = (
            None if name is None else channel_name(name)
            for name in (self.asset, self.time, self.cycle, self.label)
        )
        return Roles(time, asset, cycle, label)

    @property
    def ignored(self) -> tuple[str, ...]:
        """What is not to be looked at, likewise."""
        return tuple(map(channel_name, self.ignore))


def recording_of(frame: Frame, machine: MachineType, named: Named) -> RecordingFile:
    """Return a frame as a recording of the channels that models look at.

    Channels that the machine type does not use need not be in the frame. Warns of texts that were
    read as blanks.

    Raises:
        DatasetError: If it lacks a column, or one holds what it must not.
    """
    fields = {name: getattr(machine, name) for name in MachineType.model_fields}
    looked_at = MachineType(**{**fields, "channels": machine.used})
    unused = {channel.name for channel in machine.channels if not channel.used}
    roles = _with_usual_names(frame, looked_at, named)
    file = as_recording([frame.table], looked_at, roles, {*unused, *named.ignored} - roles.names)
    if looked_at.step.clock == "counter":
        _require_numbers(frame, file.roles.counter, f"{machine.name} counts its readings", "cycle")
    _require_numbers(frame, named.roles.label, "0 stands for a sound machine", "label")
    _warn(frame, (*looked_at.condition_names, *looked_at.channel_names))
    return file


def _with_usual_names(frame: Frame, machine: MachineType, named: Named) -> Roles:
    """Take columns of the usual names for what they say: rows may stand in any order."""
    given = named.roles
    measured = {*machine.condition_names, *machine.channel_names, *named.ignored, *given.names}
    free = [name for name in frame.table.names if name not in measured]
    usual = {name.casefold(): name for name in reversed(free)}
    asset = given.asset or next((usual[name] for name in ASSETS if name in usual), None)
    counter = given.counter
    if machine.step.clock == "counter" and counter is None:
        counter = usual.get("cycle", usual.get(machine.step.word))
    return Roles(given.time, asset, counter, given.label)


def _require_numbers(frame: Frame, column: str | None, why: str, argument: str) -> None:
    kind = "number" if column is None else frame.table.column(column).kind
    if kind in ("text", "time"):
        raise DatasetError(
            f"Column {column!r} of the frame holds {kind}s; whole numbers were expected, since "
            f"{why}. Name another column with {argument}=."
        )


def _warn(frame: Frame, measured: Sequence[str]) -> None:
    """Tell the caller what was read otherwise than it stands in a column that is looked at."""
    for note in frame.table.notes:
        if any(note.startswith(f"column {name!r}:") for name in measured):
            warnings.warn(note, UserWarning, stacklevel=CALLER)
