"""``surgeline init`` on a frame: what its columns are, as a machine type to read and correct."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError

if TYPE_CHECKING:
    from common.machines.machine import MachineType
    from producer.own_data.findings import Findings


class Description:
    """A machine type that was proposed for a frame, and why. Comes from ``machine_from_frame``.

    Args:
        findings: What was decided.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def __repr__(self) -> str:
        machine = self.machine
        return (
            f"<surgeline.Description {machine.name}: {len(machine.channel_names)} channels, "
            f"{len(machine.conditions)} conditions, {machine.window.length} readings a window>"
        )

    @property
    def machine(self) -> MachineType:
        """The machine type."""
        return self._findings.machine

    @property
    def columns(self) -> dict[str, str]:
        """What became of each column: time, asset, counter, condition, channel, not used, ..."""
        return {each.name: each.decision for each in self._findings.columns}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What else is to be known, one sentence each."""
        return self._findings.remarks

    def to_toml(self) -> str:
        """Return the file that ``surgeline init`` would write: a proposal, to read and correct."""
        from producer.own_data.describe import describe

        return describe(self._findings)

    def write(self, path: str | PathLike[str]) -> None:
        """Write this file; one that is there is replaced.

        Raises:
            SurgelineError: If it cannot be written.
        """
        from common.files.atomic import write_text

        write_text(Path(path), self.to_toml())


def machine_from_frame(
    frame: Any,
    name: str = "machine",
    *,
    asset: str | None = None,
    time: str | None = None,
    ignore: Sequence[str] = (),
) -> Description:
    """Describe the machines of a frame, as ``surgeline init`` does those of a file.

    Args:
        frame: Readings as a DataFrame of pandas or polars, in the order they were taken.
        name: What to call the machine type.
        asset: Column that says whose a row is, if it is not found.
        time: Column of times, if it is not found.
        ignore: Columns to leave out.

    Raises:
        SurgelineError: If nothing is measured in it, or a column cannot be read.
    """
    from common.machines.machine import SLUG_PATTERN
    from common.readers.frames import read_frame
    from producer.own_data.infer import infer
    from surgeline.reading import Named
    from surgeline.wording import in_words_of_python

    if not re.match(SLUG_PATTERN, str(name)):
        raise UserError(
            f"The name {name!r:.80} came; letters, digits and . _ + - were expected, at most 64, "
            "the first a letter or digit."
        )
    with in_words_of_python():
        named = Named(asset, time, None, None, ignore)
        table = read_frame(frame).table
        return Description(infer([table], name, named.roles, named.ignored))
