"""What a demo replays: recorded test engines, the simulator where there are none, or own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from common.cmapss.engines import format_engines, parse_engines
from common.cmapss.files import PUBLISHED, Split, file_name, find_file
from common.cmapss.reader import Dataset, load_dataset, remaining_useful_life
from common.errors import DatasetError
from producer.arguments import resolve_run_id
from producer.fleet import Fleet
from producer.simulator.simulate import simulate

SIMULATED_ENGINES: Final = 100
SIMULATOR_SEED: Final = 1


class DemoSource(Protocol):
    """What a demo replays, and what is known of it."""

    @property
    def name(self) -> str:
        """What the readings come from, such as ``FD001``."""

    @property
    def split(self) -> str:
        """Which part of it."""

    @property
    def run_id(self) -> str:
        """The run of all assets."""

    @property
    def simulated(self) -> bool:
        """Whether the simulator made them."""

    @property
    def own(self) -> bool:
        """Whether they are somebody's own, with times of their own in place of cycles."""

    @property
    def notice(self) -> str | None:
        """One sentence of what is not as it was asked for."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Settings that the stack needs for them."""

    def replay_arguments(self, speed: str) -> list[str]:
        """Return what to call the producer with."""

    def rul(self, asset_id: str) -> list[int] | None:
        """Return an asset's true remaining useful life after each cycle; none if not known."""


@dataclass(frozen=True, slots=True)
class EngineSource:
    """The engines of one demo.

    Attributes:
        fleet: Which engines of which data set, as which run.
        simulated: Whether they are the simulator's.
        seed: The simulator's seed; none for recorded engines.
        notice: One sentence if the simulator stands in for data that are not there.
    """

    fleet: Fleet
    simulated: bool
    seed: int | None = None
    notice: str | None = None

    @property
    def dataset(self) -> Dataset:
        """The data set the engines are from."""
        return self.fleet.dataset

    @property
    def name(self) -> str:
        """The data set's."""
        return self.dataset.name

    @property
    def split(self) -> str:
        """Which of its files."""
        return self.dataset.split

    @property
    def own(self) -> bool:
        """They are nobody's own."""
        return False

    @property
    def environment(self) -> Mapping[str, str]:
        """The shipped fleets know them."""
        return {}

    @property
    def run_id(self) -> str:
        """The run of all engines."""
        return self.fleet.run_id

    def replay_arguments(self, speed: str) -> list[str]:
        """Return what to call the producer with."""
        arguments = {
            "--dataset": self.dataset.name,
            "--split": self.dataset.split,
            "--engines": format_engines(self.fleet.units),
            "--speed": speed,
            "--run-id": self.run_id,
            "--progress": "json",
        }
        if self.seed is not None:
            arguments["--seed"] = str(self.seed)
        return ["replay", *(word for pair in arguments.items() for word in pair)]

    def rul(self, asset_id: str) -> list[int] | None:
        """Return an engine's true remaining useful life after each cycle; none if not known."""
        try:
            lives = remaining_useful_life(self.dataset)
        except DatasetError:  # its RUL file is not there
            return None
        return next(
            (
                lives[unit - 1].tolist()
                for unit in self.fleet.units
                if self.fleet.asset_id(unit) == asset_id
            ),
            None,
        )


def choose_source(
    data_dir: Path, name: str, split: Split, engines: str, *, simulated: bool, now: datetime
) -> EngineSource:
    """Return the engines to replay.

    Where a published file is not there, the simulator stands in for it. A file that is there but
    damaged is an error, and so is a name that nobody published.

    Args:
        data_dir: Folder of the C-MAPSS files.
        name: Such as ``FD001``.
        split: Which file.
        engines: ``all``, a range or a list.
        simulated: Use the simulator whatever files there are.
        now: The time; part of the run id.

    Raises:
        DatasetError: If the file is damaged, or of no published data set.
        UserError: If ``engines`` is not understood.
    """
    notice = None
    if not simulated:
        file = file_name(name, split)
        if find_file(data_dir, file) or file not in PUBLISHED:
            return _source(load_dataset(data_dir, name, split), engines, None, None, now)
        notice = (
            f"{file} is not in {data_dir}: using SIMULATED engines instead "
            "(`surgeline data fetch` gets the real ones; SURGELINE_DATA_DIR says where they are)."
        )
    dataset = simulate(SIMULATED_ENGINES, SIMULATOR_SEED, split)
    return _source(dataset, engines, SIMULATOR_SEED, notice, now)


def _source(
    dataset: Dataset, engines: str, seed: int | None, notice: str | None, now: datetime
) -> EngineSource:
    simulated = seed is not None
    fleet = Fleet(
        dataset=dataset,
        units=parse_engines(engines, len(dataset.engines)),
        run_id=resolve_run_id(None, dataset.name, dataset.split, simulated=simulated, now=now),
        start=datetime(2026, 1, 1, tzinfo=UTC),
        cycle_interval=timedelta(seconds=1),
    )
    return EngineSource(fleet, simulated, seed, notice)
