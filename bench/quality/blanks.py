"""What blanks cost: values of the official test engines dropped at random, held or not.

    python -m bench.quality.blanks [--dataset FD001 ...] [--json FILE]

Each value of a used sensor is dropped with the same probability, from one seed. "Held": as the
detector does it, blanks held for a few steps and short gaps of readings bridged. "Refused":
neither, so that each reading with a blank is refused and the window begins anew. Scores,
thresholds and labels are those of `surgeline evaluate --split test`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from common.cmapss.reader import load_dataset
from common.files.atomic import write_report
from common.machines.machine import MachineType
from common.machines.rows import as_rows
from common.recording import AssetRecord, Recording
from common.settings import load_settings
from common.terminal.cli import friendly_errors
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.evaluation.batch_path import BRIDGE, record_windows
from models.evaluation.engines import recording_of
from models.evaluation.measure import measure
from models.scoring.scorer import WindowScorer
from models.scoring.windows import WindowSet

PARTS: Final = (0.0, 0.001, 0.01, 0.05)
SEED: Final = 0
LINE = "{:8}{:>8}  {:8}{:>9}{:>9}{:>9}{:>22}{:>22}"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one data set with so many blanks.

    Attributes:
        dataset: Which.
        blank: Part of the values dropped.
        way: What was done with blanks.
        scored: Readings scored.
        part: Of those scored without blanks.
        auc: For windows near failure.
        warning_false: Healthy windows of 1000 at or above the warning threshold.
        critical_false: Likewise, critical.
    """

    dataset: str
    blank: float
    way: str
    scored: int
    part: float
    auc: float | None
    warning_false: float | None
    critical_false: float | None


def main(
    dataset: Annotated[list[str] | None, typer.Option(help="Default: FD001 and FD002.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the rows here.")] = None,
) -> None:
    """Print a row for each data set, part of blanks, and way to treat them."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        LINE.format("engines", "blanks", "", "scored", "part", "AUC",
                    "false warnings/1000", "false criticals/1000")
    )  # fmt: skip
    rows: list[Row] = []
    for name in dataset or ("FD001", "FD002"):
        for row in measured(name):
            rows.append(row)
            console.print(
                LINE.format(
                    row.dataset, f"{row.blank:.1%}", row.way, f"{row.scored:,}",
                    f"{row.part:.1%}", _shown(row.auc, 4), _shown(row.warning_false, 1),
                    _shown(row.critical_false, 1),
                )
            )  # fmt: skip
    if json_path:
        write_report(json_path, {"seed": SEED, "rows": [_fields(row) for row in rows]})


def measured(name: str) -> Iterator[Row]:
    """Yield the rows of one data set, the one without blanks first."""
    recording = recording_of(load_dataset(load_settings().data_dir, name, "test"))
    scorer = open_scorer(load_artifact(name.lower()))
    machine = scorer.spec.machine
    whole = 0
    for part in PARTS:
        dropped = with_blanks(recording, part)
        for way, kind, bridge in (("held", machine, BRIDGE), ("refused", unheld(machine), 0)):
            windows = windows_of(scorer, kind, dropped, bridge)
            whole = whole or len(windows)
            if part == 0.0 and way == "refused":
                continue
            yield _row(scorer, name, part, way, windows, whole)


def with_blanks(recording: Recording, part: float) -> list[AssetRecord]:
    """Return the records with each used channel's value dropped at random."""
    rng = np.random.default_rng(SEED)
    used = np.array([channel.used for channel in recording.machine.channels])
    found = []
    for record in recording.assets:
        away = (rng.random(record.channels.shape) < part) & used
        kept = record.part(slice(None))
        channels: NDArray[np.float64] = np.where(away, np.nan, record.channels)
        found.append(
            AssetRecord(
                kept.asset_id, kept.cycles, None, kept.conditions, channels,
                kept.healthy, kept.faulty, kept.life_left,
            )
        )  # fmt: skip
    return found


def unheld(machine: MachineType) -> MachineType:
    """Return the machine type without holding."""
    fields = machine.model_dump()
    fields["channels"] = tuple(each | {"max_hold": 0} for each in fields["channels"])
    return MachineType.model_validate(fields)


def windows_of(
    scorer: WindowScorer, machine: MachineType, records: list[AssetRecord], bridge: int
) -> WindowSet:
    """Return the windows of some records, with what is known of each one's end."""
    parts = []
    for unit, record in enumerate(records, start=1):
        rows = as_rows(record.values(machine))
        laid = record_windows(scorer, machine, record.cycles, rows, bridge)
        ends, windows = laid.ends, laid.windows
        assert record.healthy is not None and record.faulty is not None  # noqa: PT018 - of engines
        assert record.life_left is not None
        parts.append(
            WindowSet(
                windows, np.full(len(ends), unit), record.cycles[ends], record.life_left[ends],
                record.healthy[ends], record.faulty[ends],
            )
        )  # fmt: skip
    return WindowSet(*(np.concatenate(each) for each in zip(*map(_arrays, parts), strict=True)))


def _arrays(part: WindowSet) -> tuple[NDArray[np.generic], ...]:
    return part.windows, part.units, part.cycles, part.life_left, part.healthy, part.faulty


def _row(
    scorer: WindowScorer, name: str, part: float, way: str, windows: WindowSet, whole: int
) -> Row:
    if not len(windows):
        return Row(name, part, way, 0, 0.0, None, None, None)
    found = measure(windows, scorer.score(windows.windows).scores, scorer.spec.thresholds)
    return Row(
        name, part, way, len(windows), len(windows) / whole, found.auc,
        found.warning.false_alarms_per_1000, found.critical.false_alarms_per_1000,
    )  # fmt: skip


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _fields(row: Row) -> dict[str, object]:
    return {name: getattr(row, name) for name in Row.__slots__}


if __name__ == "__main__":
    typer.run(friendly_errors(main))
