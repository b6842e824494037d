"""A fleet's readings as messages, without a producer process."""

from __future__ import annotations

import json
from collections.abc import Sequence
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


def untidy(messages: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return a fleet's messages with what goes wrong in real ones, again and again.

    Cycles are missing, come twice and come late; readings are refused for five reasons. Each
    message says whose it is, so each gets its verdict: as many as there are messages.
    """
    found: list[tuple[bytes, bytes]] = []
    for number, (key, value) in enumerate(messages):
        match number % 500:
            case 100:  # missing; comes late, below
                continue
            case 110:
                found += [(key, value), messages[number - 10]]
            case 200:
                found += [(key, value), (key, value)]
            case 300:
                found += [(key, _with(value, sensors={})), (key, value)]
            case 310:
                found += [(key, _with(value, settings={"mach": "fast"})), (key, value)]
            case 320:
                found += [(key, _with(value, note="." * 70_000)), (key, value)]
            case 330:
                found += [(key, _with(value, sensors=_tenfold(value))), (key, value)]
            case 340:
                found += [(b"somebody-else", value), (key, value)]
            case _:
                found.append((key, value))
    return found


def _with(value: bytes, **fields: object) -> bytes:
    return json.dumps(json.loads(value) | fields, separators=(",", ":")).encode()


def _tenfold(value: bytes) -> dict[str, float]:
    sensors: dict[str, float] = json.loads(value)["sensors"]
    return {name: number * 10 for name, number in sensors.items()}
