"""A fleet's readings as messages, without a producer process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from common.cmapss.engines import engine_asset_id
from common.cmapss.reader import Dataset
from common.machines.turbofan import SENSOR_NAMES, SETTING_NAMES
from common.records.readings import SensorReading

START = datetime(2026, 1, 1, tzinfo=UTC)


def asset_name(dataset: Dataset, unit: int) -> str:
    """Return the asset id of an engine."""
    return engine_asset_id(dataset.name, dataset.split, unit)


def fleet_messages(dataset: Dataset, run_id: str) -> list[tuple[bytes, bytes]]:
    """Return (key, value) of every reading: all engines' cycle 1, then cycle 2, and so on."""
    messages = []
    for engine in dataset.engines:
        asset_id = asset_name(dataset, engine.unit)
        for cycle, settings, sensors in zip(
            engine.cycles, engine.settings, engine.sensors, strict=True
        ):
            reading = SensorReading(
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
