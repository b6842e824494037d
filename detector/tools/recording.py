"""The recorded readings of one run: from the readings topic, or from the data set it replayed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from common.cmapss.engines import engine_asset_id
from common.cmapss.reader import Dataset, EngineSeries, remaining_useful_life
from common.errors import DatasetError, UserError
from common.machines.machine import MachineType
from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import SourcePosition
from common.settings import KafkaSettings
from common.topics import Topics
from detector.adapters.source_records import source_records
from detector.core.fleet import Fleets
from detector.core.pipeline import Decoded, DecodedBatch, decode_batch
from detector.core.reading.source import Reading, SourceRecord
from detector.tools.topic import Progress, silent, topic_records
from models.evaluation.batch_path import engine_values

RUN_ID: Final = re.compile(rb'"run_id"\s*:\s*"([^"\\]{1,128})"')
FLEET: Final = re.compile(rb'"fleet"\s*:\s*"([^"\\]{1,64})"')
NEAREST: Final = 3
NOMINAL_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""A data set has no timestamps; nothing that is compared depends on them."""


class Recording(Protocol):
    """The readings of one run, asset by asset."""

    @property
    def label(self) -> str:
        """Where they come from, in words."""

    def __len__(self) -> int:
        """Number of parts that :meth:`batches` yields."""

    def fleets_seen(self) -> Collection[str]:
        """Return the fleets that the readings say they are of."""

    def batches(self, fleets: Fleets) -> Iterator[DecodedBatch]:
        """Yield the run in parts, each with whole assets, in the order of the topic.

        Args:
            fleets: Say what a reading is; those of other fleets are none.
        """

    def life_left(self, asset_id: str) -> Sequence[int] | None:
        """Return the remaining useful life after each cycle, cycles; none where not known."""


@dataclass(frozen=True, slots=True)
class TopicRecording:
    """What the readings topic holds of a run: duplicates, late and unusable messages included.

    Attributes:
        topic: Its name.
        run_id: The run.
        by_key: The messages that mention the run, by their key, in the order of the topic.
        runs_seen: All runs on the topic, whichever was asked for.
    """

    topic: str
    run_id: str
    by_key: Mapping[bytes | None, Sequence[SourceRecord]]
    runs_seen: frozenset[str] = field(default_factory=frozenset)

    @property
    def label(self) -> str:
        """Where they come from."""
        return f"topic {self.topic}"

    def __len__(self) -> int:
        """Number of keys."""
        return len(self.by_key)

    def batches(self, fleets: Fleets) -> Iterator[DecodedBatch]:
        """Yield one batch a key: a usable reading's key is its asset."""
        for records in self.by_key.values():
            batch = decode_batch(records, fleets)
            yield DecodedBatch(
                {key: found for key, found in batch.by_asset.items() if key[1] == self.run_id},
                [],
                [verdict for verdict in batch.rejected if verdict.run_id == self.run_id],
            )

    def fleets_seen(self) -> Collection[str]:
        """Return the fleets that messages of the run name; ``default`` for those that name none."""
        found: set[str] = set()
        for records in self.by_key.values():
            for record in records:
                named = FLEET.search(record.value or b"")
                found.add(named[1].decode() if named else DEFAULT_FLEET)
        return found

    def life_left(self, asset_id: str) -> Sequence[int] | None:
        """Return none."""
        return None


@dataclass(frozen=True, slots=True)
class DatasetRecording:
    """Engines of a data set, as the replay of a run sends them: each cycle once, in order.

    Attributes:
        dataset: The engines.
        units: Which of them.
        run_id: The run.
        fleet: Of which fleet they were sent.
    """

    dataset: Dataset
    units: tuple[int, ...]
    run_id: str
    fleet: str = DEFAULT_FLEET

    @property
    def label(self) -> str:
        """Where they come from."""
        return f"{self.dataset.name} {self.dataset.split}"

    def asset_id(self, unit: int) -> str:
        """Return an engine's asset id."""
        return engine_asset_id(self.dataset.name, self.dataset.split, unit)

    def __len__(self) -> int:
        """Number of engines."""
        return len(self.units)

    def batches(self, fleets: Fleets) -> Iterator[DecodedBatch]:
        """Yield one batch an engine."""
        machine = fleets[self.fleet].spec.machine
        for unit in self.units:
            asset_id = self.asset_id(unit)
            decoded = _engine_readings(
                self.dataset.engines[unit - 1], machine, (self.fleet, asset_id, self.run_id)
            )
            yield DecodedBatch({(asset_id, self.run_id): decoded}, [], [])

    def fleets_seen(self) -> Collection[str]:
        """Return the one fleet."""
        return {self.fleet}

    def life_left(self, asset_id: str) -> Sequence[int] | None:
        """Return it from the file of true remaining lives; none without that file."""
        try:
            lives = remaining_useful_life(self.dataset)
        except DatasetError:
            return None
        for unit in self.units:
            if self.asset_id(unit) == asset_id:
                return [int(left) for left in lives[unit - 1]]
        return None


async def record_run(
    settings: KafkaSettings, run_id: str, progress: Progress = silent
) -> TopicRecording:
    """Read a run off the readings topic; it may turn out empty (:func:`check_found`).

    Raises:
        BackendMissingError: If no broker answers.
        BackendUnavailableError: If it stops answering.
    """
    topic, wanted = Topics(settings.topic_prefix).readings, run_id.encode()
    by_key: dict[bytes | None, list[SourceRecord]] = {}
    seen: set[bytes] = set()
    async for record in topic_records(settings, topic, progress):
        value = record.value or b""
        seen.update(RUN_ID.findall(value))
        # a backslash may spell the id in another way; decoding settles it
        if wanted in value or b"\\" in value:
            by_key.setdefault(record.key, []).extend(source_records([record]))
    runs = frozenset(found.decode(errors="replace") for found in seen)
    return TopicRecording(topic, run_id, by_key, runs)


def check_found(recording: TopicRecording) -> None:
    """Refuse a run of which the topic holds nothing.

    Raises:
        UserError: With the nearest run ids, or what to do where the topic has lost everything.
    """
    if recording.run_id in recording.runs_seen or any(
        b"\\" in (item.value or b"") for items in recording.by_key.values() for item in items
    ):
        return
    if not recording.runs_seen:
        raise UserError(
            f"The topic {recording.topic} holds no readings. The local broker keeps topics in "
            "memory only: after its restart, read the data set instead with --source dataset "
            "--dataset FD001 --split test."
        )
    raise unknown_run(recording.run_id, recording.runs_seen, f"the topic {recording.topic}")


def unknown_run(run_id: str, known: Iterable[str], where: str) -> UserError:
    """Return the error that names the runs most like the one asked for."""
    names = sorted(set(known))
    near = difflib.get_close_matches(run_id, names, n=NEAREST, cutoff=0.4) or names[-NEAREST:]
    hint = f" Did you mean {', '.join(near)}?" if near else " It holds no run at all."
    return UserError(f"No run {run_id!r} on {where}.{hint}")


def _engine_readings(
    engine: EngineSeries, machine: MachineType, whose: tuple[str, str, str]
) -> list[Decoded]:
    rows = engine_values(machine, engine).tolist()
    return [
        Decoded(
            SourceRecord(SourcePosition("", 0, index), 0, whose[1].encode(), None),
            Reading(*whose, cycle, NOMINAL_START + timedelta(seconds=index), tuple(row)),
        )
        for index, (cycle, row) in enumerate(zip(engine.cycles.tolist(), rows, strict=True))
    ]
