"""Somebody's own files as what a demo replays: described, learned from, and the rest sent live."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from common.errors import DatasetError
from common.files.atomic import write_text
from common.fleets import fleets_text
from common.machines.files import load_machine
from common.machines.machine import MachineType
from common.readers.files import find_files
from common.readers.options import options_again, roles_given
from common.readers.recording_file import as_recording
from common.readers.table_file import read_table
from common.recording import Recording, divided, unlabelled
from models.artifact.store import save_artifact
from models.cli.training_job import Job, fit
from models.training.catalogue import OWN_DEFAULT
from models.training.preparation.own_data import prepare_recording
from producer.arguments import resolve_run_id
from producer.own_data.command import name_for
from producer.own_data.describe import describe
from producer.own_data.infer import infer
from producer.own_data.output import show_findings

SEED: Final = 0
EPOCHS: Final = 1
"""Unused: the model has no network."""


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """What somebody asked for.

    Attributes:
        files: Files, folders or patterns.
        machine: The machine type that says what is in them; none to find it out.
        learn_part: First part of each asset's readings that the model learns from.
        time_column: Their column of times, if it is not found.
        asset_column: Their column of assets, likewise.
    """

    files: Sequence[str]
    machine: str | None
    learn_part: float
    time_column: str | None
    asset_column: str | None


@dataclass(frozen=True, slots=True)
class OwnSource:
    """Somebody's own readings.

    Attributes:
        request: What was asked for.
        paths: Its files.
        machine: What is in them.
        machine_at: Its name or its file.
        fleet: What their fleet is called.
        recording: What is sent: the rest of each asset.
        run_id: The run of all assets.
        fleets_file: Says which model judges them.
    """

    request: OwnRequest
    paths: tuple[Path, ...]
    machine: MachineType
    machine_at: str
    fleet: str
    recording: Recording
    run_id: str
    fleets_file: Path

    @property
    def name(self) -> str:
        """The machine type's."""
        return self.machine.name

    @property
    def split(self) -> str:
        """They are no part of a data set."""
        return "csv"

    @property
    def simulated(self) -> bool:
        """They were recorded."""
        return False

    @property
    def own(self) -> bool:
        """They are somebody's own."""
        return True

    @property
    def notice(self) -> str | None:
        """Everything is as it was asked for."""
        return None

    @property
    def environment(self) -> Mapping[str, str]:
        """The stack has their fleet alone."""
        return {"SURGELINE_FLEETS": str(self.fleets_file)}

    def replay_arguments(self, speed: str) -> list[str]:
        """Return what to call the producer with."""
        request = self.request
        files = [word for path in self.paths for word in ("--csv", str(path.absolute()))]
        return [
            "replay",
            *files,
            *("--machine", self.machine_at, "--fleet", self.fleet),
            *options_again(request.time_column, request.asset_column),
            *("--skip-part", repr(request.learn_part)),
            *("--speed", speed, "--run-id", self.run_id, "--progress", "json"),
        ]

    def rul(self, asset_id: str) -> list[int] | None:
        """Nobody knows it."""
        return None


def own_source(request: OwnRequest, folder: Path, console: Console, now: datetime) -> OwnSource:
    """Describe somebody's files, learn from the first part of each asset, and return the rest.

    No label is looked at.

    Args:
        request: What was asked for.
        folder: Where the machine type, the model and the file of fleets are written.
        console: Told what was found, decided and learned.
        now: The time; part of the run id.

    Raises:
        DatasetError: If the files cannot be read, or do not suffice.
    """
    paths = find_files(list(request.files))
    tables = [read_table(path) for path in paths]
    given = roles_given(request.time_column, request.asset_column)
    folder.mkdir(parents=True, exist_ok=True)
    if request.machine is None:
        findings = infer(tables, name_for(list(request.files), paths), given)
        show_findings(findings, console)
        machine, machine_at = findings.machine, str(folder / f"{findings.machine.name}.toml")
        write_text(Path(machine_at), describe(findings))
    else:
        machine, machine_at = load_machine(request.machine), request.machine
    recording = unlabelled(as_recording(tables, machine, given).recording)
    first, rest = divided(recording, request.learn_part)
    if rest.rows <= machine.window.length:
        raise DatasetError(
            f"{rest.rows} readings are left after the first {request.learn_part:.0%} of each "
            f"asset; more than {machine.window.length}, a window, are needed to show anything."
        )
    job = Job(machine.name, OWN_DEFAULT, None, None, SEED, EPOCHS, folder / "model")
    artifact = fit(job, prepare_recording(first))
    save_artifact(artifact, job.folder)
    fleet = re.sub(r"[^A-Za-z0-9._-]", "_", machine.name)
    write_text(folder / "fleets.toml", fleets_text({fleet: str(job.folder)}))
    thresholds = artifact.manifest.thresholds
    console.print(
        f"\nlearned from the first {request.learn_part:.0%} of each asset, {first.rows:,} "
        f"readings, as of sound machines: {OWN_DEFAULT}, warning at "
        f"{thresholds.warning.value:.3g}, critical "
        f"at {thresholds.critical.value:.3g}. The other {rest.rows:,} are sent live.",
        soft_wrap=True,
        markup=False,
    )
    return OwnSource(
        request=request,
        paths=tuple(paths),
        machine=machine,
        machine_at=machine_at,
        fleet=fleet,
        recording=rest,
        run_id=resolve_run_id(None, fleet, "csv", simulated=False, now=now),
        fleets_file=folder / "fleets.toml",
    )
