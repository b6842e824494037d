"""An artifact of parts of small streams, and their readings: what live finals are tested with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from common.readers.telemetry import as_recording
from common.recording import AssetRecord, Recording
from common.records.readings import SensorReading
from common.telemetry.streams import load_streams
from detector.core.fleet import Fleet, Fleets
from models.artifact.opening import open_parts
from models.training.series.artifact import PartScorer, train_parts
from models.training.series.catalogue import DEFAULT, SERIES_MODELS
from producer.recorded import RecordedFleet
from tests.support.builders import INPUTS, START
from tests.support.telemetry import BURST, write_telemetry
from tests.support.world import ALARM

NAMES = {"A-1": "SMAP", "P-2": "SMAP"}
LENGTH = 20
"""Readings in a window: short, so that many become final."""

THRESHOLD = "trailing:length=200,fewest=20,k=2"


@dataclass(frozen=True, repr=False)
class LiveParts:
    """Streams, and what was learned of them.

    Attributes:
        folder: Of the artifact.
        test: The readings that are streamed.
    """

    folder: Path
    test: Recording

    @classmethod
    def made(cls, folder: Path, half_life: float | None = None) -> LiveParts:
        """Write streams, and learn a part of each; smoothed, if a half-life is given."""
        data = write_telemetry(folder / "smap_msl", NAMES)
        train, test = (
            shortened(as_recording(load_streams(data, "SMAP", split)))
            for split in ("train", "test")
        )
        model = replace(SERIES_MODELS["difference"], half_life=half_life)
        train_parts(train, "parts", model, None, folder / "parts", THRESHOLD)
        return cls(folder / "parts", replace(test, assets=tuple(map(_around, test.assets))))

    @classmethod
    def of_real(cls, data: Path, folder: Path, names: Sequence[str]) -> LiveParts:
        """Learn a part of the shipped kind of each of these streams of MSL."""
        train, test = (
            _only(as_recording(load_streams(data, "MSL", split)), names)
            for split in ("train", "test")
        )
        train_parts(train, "msl", SERIES_MODELS[DEFAULT], None, folder / "msl")
        return cls(folder / "msl", test)

    def fleets(self, more: Fleets | None = None) -> Fleets:
        """Return the fleet as a worker opens it, newly."""
        scorer = open_parts(self.folder)
        return {"SMAP": Fleet("SMAP", scorer, ALARM, INPUTS, parts=scorer), **(more or {})}

    def offline(self) -> PartScorer:
        """Return the artifact as evaluation opens it."""
        return PartScorer.open(self.folder)

    def readings(self, run_id: str = "run-1") -> Sequence[SensorReading]:
        """Return all readings, the streams side by side."""
        fleet = RecordedFleet(self.test, run_id, "SMAP", START, timedelta(minutes=1))
        return [
            SensorReading.model_validate_json(fleet.message(slot).value) for slot in fleet.slots()
        ]


def _around(record: AssetRecord) -> AssetRecord:
    """Return the readings around the burst, counted from 1."""
    part = record.part(slice(BURST[0] - 80, BURST[0] + 80))
    return replace(part, cycles=part.cycles - part.cycles[0] + 1)


def _only(recording: Recording, names: Sequence[str]) -> Recording:
    return replace(
        recording, assets=tuple(each for each in recording.assets if each.asset_id in names)
    )


def shortened(recording: Recording) -> Recording:
    """Return a recording whose machine type has short windows."""
    machine = recording.machine
    window = machine.window.model_copy(update={"length": LENGTH})
    return replace(recording, machine=machine.model_copy(update={"window": window}))
