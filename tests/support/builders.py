"""Small things tests are made of: readings, records, a scorer that needs no artifact."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import Channel, MachineType, Window
from common.machines.turbofan import SENSOR_NAMES, TURBOFAN
from common.records.alerts import ModelRef
from common.records.ids import DEFAULT_FLEET
from common.records.readings import SensorReading
from common.records.verdicts import SourcePosition
from detector.core.fleet import Fleet, Fleets, one_fleet
from detector.core.policy import InputPolicy
from detector.core.reading.source import SourceRecord
from models.alarm import AlarmPolicy
from models.scoring.history import Trail
from models.scoring.life import Life
from models.scoring.scorer import (
    ChannelScores,
    Expected,
    NormalisedRows,
    ScorerSpec,
    Thresholds,
    WindowScorer,
    WindowScores,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC = "test.readings"
THRESHOLDS = Thresholds(warning=1.0, critical=2.0)
INPUTS = InputPolicy(max_reading_bytes=65_536, bridge_cycles=0)
"""The defaults, except that no gap is bridged."""


def toy_machine(
    channels: tuple[str, ...] = ("T24", "T30", "T50"), window_length: int = 4, max_hold: int = 3
) -> MachineType:
    """Return a turbofan of a few channels, which may show any number."""
    return MachineType(
        name="toy",
        window=Window(length=window_length),
        conditions=TURBOFAN.conditions,
        channels=tuple(Channel(name=name, max_hold=max_hold) for name in channels),
    )


class MeanScorer:
    """Scores a window by the mean of its last row; the scale is the sensors' own.

    A regime is known while the altitude is not negative.
    """

    def __init__(
        self,
        channels: tuple[str, ...] = ("T24", "T30", "T50"),
        window_length: int = 4,
        thresholds: Thresholds = THRESHOLDS,
        version: str = "1",
        machine: MachineType | None = None,
    ) -> None:
        machine = machine or toy_machine(channels, window_length)
        ref = ModelRef(name="mean", version=version, sha256=version.ljust(64, "0"))
        self._spec = ScorerSpec(ref, machine, thresholds)

    @property
    def spec(self) -> ScorerSpec:
        """What it is."""
        return self._spec

    def normalise(
        self, conditions: NDArray[np.float64], channels: NDArray[np.float64]
    ) -> NormalisedRows:
        """Return the channels as they are."""
        known = conditions[:, 0] >= 0
        return NormalisedRows(np.where(known[:, None], channels, 0).astype(np.float32), known)

    def expect(self, conditions: NDArray[np.float64], windows: NDArray[np.float32]) -> Expected:
        """Expect half of what came; a healthy machine shows 0, give or take 1."""
        zeros = np.zeros(windows.shape)
        return Expected(zeros + windows / 2.0, zeros, zeros + 1.0)

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        """Return the mean of each last row, shared out by absolute value."""
        last = windows[:, -1, :].astype(np.float64)
        sizes = np.abs(last) + 1e-9
        return WindowScores(
            last.mean(axis=1),
            sizes / sizes.sum(axis=1, keepdims=True),
            np.where(last >= 0, 1, -1).astype(np.int8),
        )


class EvidenceScorer(MeanScorer):
    """Has every kind of evidence: its score, single channels, frozen ones, how long is left.

    The oddest channel is the largest in size; ten steps less than its size times two are left.
    """

    def __init__(self, version: str = "1") -> None:
        thresholds = Thresholds(warning=1.0, critical=2.0, channel=4.0, life=5.0)
        super().__init__(thresholds=thresholds, version=version)
        self._spec = replace(self._spec, frozen_after=(3, 4, 0), knows_life=True)

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        """Return the mean scorer's scores, and what single channels and their size say."""
        found = super().score(windows, trail)
        sizes = np.abs(windows[:, -1, :].astype(np.float64))
        largest = sizes.max(axis=1)
        single = (sizes == largest[:, None]).astype(np.float64)
        shares = single / single.sum(axis=1, keepdims=True)
        channel = ChannelScores(largest, shares, found.directions)
        left = np.clip(10.0 - 2.0 * largest, 0.0, 10.0)
        low, high = left / 2, np.minimum(left * 2, 10.0)
        return replace(found, channel=channel, life=Life(left, low, high, low / 2, high, 10.0, 0.9))


ALARM = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=2, deadband=0.0)


def fleet_of(
    scorer: WindowScorer, inputs: InputPolicy = INPUTS, alarm: AlarmPolicy = ALARM
) -> Fleet:
    """Return the fleet of all who name none, judged by a scorer."""
    return Fleet(DEFAULT_FLEET, scorer, alarm, inputs)


def fleets_of(
    scorer: WindowScorer, inputs: InputPolicy = INPUTS, alarm: AlarmPolicy = ALARM
) -> Fleets:
    """Return that one fleet by its name."""
    return one_fleet(scorer, alarm, inputs)


def reading(
    cycle: int,
    value: float = 0.0,
    asset_id: str = "engine-1",
    run_id: str = "run-1",
    altitude: float = 0.0,
) -> SensorReading:
    """Return a reading whose sensors all show ``value``."""
    return SensorReading(
        asset_id=asset_id,
        run_id=run_id,
        cycle=cycle,
        ts=START + timedelta(seconds=cycle),
        settings={"altitude": altitude, "mach": 0.0, "tra": 100.0},
        sensors=dict.fromkeys(SENSOR_NAMES, value),
    )


def sound_reading(cycle: int, asset_id: str = "engine-1") -> SensorReading:
    """Return a reading whose sensors show something plausible."""
    base = reading(cycle, asset_id=asset_id)
    values = {channel.name: sum(channel.limits) / 2 for channel in TURBOFAN.channels}
    return base.model_copy(update={"sensors": values})


def record(
    value: SensorReading | bytes | None, offset: int, partition: int = 0, key: bytes | None = None
) -> SourceRecord:
    """Return a record; the key is the reading's asset unless given."""
    if isinstance(value, SensorReading):
        key = value.asset_id.encode() if key is None else key
        value = value.to_json()
    return SourceRecord(SourcePosition(TOPIC, partition, offset), 1_767_225_600_000, key, value)


def records(readings: list[SensorReading], first_offset: int = 0) -> list[SourceRecord]:
    """Return one record for each reading, at consecutive offsets of partition 0."""
    return [record(item, first_offset + index) for index, item in enumerate(readings)]


def changed(base: SensorReading, **fields: object) -> bytes:
    """Return the JSON of a reading with some top-level fields replaced, valid or not."""
    return json.dumps({**json.loads(base.to_json()), **fields}).encode()
