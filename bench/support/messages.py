"""A fleet's readings as messages, without a producer process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from common.cmapss.engines import engine_asset_id
from common.cmapss.reader import Dataset
from common.machines.turbofan import SENSOR_NAMES, SETTING_NAMES
from common.records.ids import DEFAULT_FLEET
from common.records.readings import SensorReading

START = datetime(2026, 1, 1, tzinfo=UTC)
ALL_DEFAULT: Final[Mapping[str, str]] = MappingProxyType({})


def asset_name(dataset: Dataset, unit: int) -> str:
    """Return the asset id of an engine."""
    return engine_asset_id(dataset.name, dataset.split, unit)


def fleet_messages(
    dataset: Dataset, run_id: str, fleets: Mapping[str, str] = ALL_DEFAULT
) -> list[tuple[bytes, bytes]]:
    """Return (key, value) of every reading: all engines' cycle 1, then cycle 2, and so on.

    Args:
        dataset: The engines.
        run_id: Of all of them.
        fleets: By asset; the default fleet for one that is not there.
    """
    messages = []
    for engine in dataset.engines:
        asset_id = asset_name(dataset, engine.unit)
        for cycle, settings, sensors in zip(
            engine.cycles, engine.settings, engine.sensors, strict=True
        ):
            reading = SensorReading(
                fleet=fleets.get(asset_id, DEFAULT_FLEET),
                asset_id=asset_id,
                run_id=run_id,
                cycle=int(cycle),
                ts=START + timedelta(seconds=int(cycle)),
                settings=dict(zip(SETTING_NAMES, settings.tolist(), strict=True)),
                sensors=dict(zip(SENSOR_NAMES, sensors.tolist(), strict=True)),
            )
            messages.append((int(cycle), asset_id.encode(), reading.to_json()))
    messages.sort(key=lambda message: message[:2])
    return [(key, value) for _, key, value in messages]
