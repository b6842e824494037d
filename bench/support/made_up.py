"""Machines with as many channels as are wanted: readings, and a model learned from them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from bench.support.windows import Scores
from common.fleets import fleets_text
from common.machines.files import parse_machine
from common.machines.machine import MachineType
from common.machines.rows import as_rows
from common.recording import AssetRecord, Recording, divided
from common.records.readings import SensorReading
from models.artifact.opening import open_scorer
from models.artifact.store import save_artifact
from models.cli.training_job import Job, fit
from models.evaluation.batch_path import record_windows
from models.training.catalogue import OWN_DEFAULT
from models.training.preparation.own_data import prepare_recording

FLEET: Final = "made-up"
RUN: Final = "bench"
WINDOW: Final = 30
START_S: Final = 1_767_225_600
LEARNED_PART: Final = 0.5


def machine_of(channels: int) -> MachineType:
    """Return a machine type with so many channels, and no conditions."""
    parts = [
        'name = "made-up"\ntitle = "Made up"\n[step]\nword = "second"\nclock = "time"\n'
        f"interval_s = 1\n[window]\nlength = {WINDOW}\n"
    ]
    parts += [f'[[channel]]\nname = "c{number}"\nunit = "V"\n' for number in range(channels)]
    return parse_machine("".join(parts), "made-up.toml")


def recording_of(machine: MachineType, assets: int, rows: int) -> Recording:
    """Return sound machines: noise round a level of their own."""
    draw = np.random.default_rng(7)
    width = len(machine.channels)
    cycles = START_S + np.arange(rows, dtype=np.int64)
    records = tuple(
        AssetRecord(
            f"made-up-{number:03d}",
            cycles,
            cycles * 1_000_000,
            np.empty((rows, 0)),
            np.round(draw.normal(50, 1, width) + draw.normal(size=(rows, width)), 4),
        )
        for number in range(assets)
    )
    return Recording("made-up", machine, records, "0" * 64)


def learned(channels: int, assets: int, rows: int, folder: Path) -> tuple[Recording, str, Scores]:
    """Fit the default model to the first half of each machine.

    Returns:
        The other half, the file of fleets, and the score of each reading that completes a window.
    """
    machine = machine_of(channels)
    first, rest = divided(recording_of(machine, assets, rows), LEARNED_PART)
    job = Job(FLEET, OWN_DEFAULT, None, None, 0, 1, folder / "model")
    artifact = fit(job, prepare_recording(first))
    save_artifact(artifact, job.folder)
    fleets = folder / "fleets.toml"
    fleets.write_text(fleets_text({FLEET: str(job.folder)}), encoding="utf-8")
    scorer = open_scorer(artifact)
    expected: dict[str, dict[int, float]] = {}
    for record in rest.assets:
        cut = record_windows(scorer, machine, record.cycles, as_rows(record.values(machine)))
        scores = scorer.score(cut.windows).scores
        expected[record.asset_id] = dict(
            zip(record.cycles[cut.ends].tolist(), scores.tolist(), strict=True)
        )
    return rest, str(fleets), expected


def messages_of(recording: Recording) -> list[tuple[bytes, bytes]]:
    """Return (key, value) of every reading, all machines' first, then all machines' second."""
    names = [channel.name for channel in recording.machine.channels]
    found = []
    for row in range(len(recording.assets[0])):
        for record in recording.assets:
            cycle = int(record.cycles[row])
            reading = SensorReading(
                fleet=FLEET,
                asset_id=record.asset_id,
                run_id=RUN,
                cycle=cycle,
                ts=datetime.fromtimestamp(cycle, tz=UTC),
                settings={},
                sensors=dict(zip(names, record.channels[row].tolist(), strict=True)),
            )
            found.append((record.asset_id.encode(), reading.to_json()))
    return found
