"""Readings: what producers send, JSON in UTF-8, keyed by ``asset_id``."""

from __future__ import annotations

from typing import Any, Final, Literal

from common.records.ids import DEFAULT_FLEET, ONLY_RUN, AssetId, FleetName, RunId
from common.records.times import UtcTimestamp
from common.records.wire import Cycle, Finite, WireRecord

READING_VERSION: Final = 2

"""Of readings: version 2 brought the fleet, and sources without a counter or runs."""


class IncomingReading(WireRecord):
    """A reading as it came: its values may be anything until a model asks for them.

    What a model does not use never refuses a reading, whatever it holds.

    Attributes:
        schema_version: Version of this layout: 1 knows no fleet.
        fleet: Whose model and rule judge it.
        asset_id: One engine, or any machine.
        run_id: One life of the asset; a new run starts with fresh state.
        cycle: 1-based count within the run; none where the machine type's clock is the time.
        ts: When the reading was taken, UTC.
        settings: Operating settings by name.
        sensors: Sensor values by name.
    """

    schema_version: Literal[1, 2] = 1
    fleet: FleetName = DEFAULT_FLEET
    asset_id: AssetId
    run_id: RunId = ONLY_RUN
    cycle: Cycle | None = None
    ts: UtcTimestamp
    settings: dict[str, Any]
    sensors: dict[str, Any]


class SensorReading(IncomingReading):
    """All channels of one asset at one cycle: what a producer sends.

    Attributes:
        schema_version: Version of this layout.
        fleet: Whose model and rule judge it.
        asset_id: One engine, or any machine.
        run_id: One life of the asset; a new run starts with fresh state.
        cycle: 1-based count within the run; none where the machine type's clock is the time.
        ts: When the reading was taken, UTC.
        settings: Operating settings by name: the machine type's conditions.
        sensors: Sensor values by name: the machine type's channels, in the units given there.
    """

    schema_version: Literal[1, 2] = 2
    run_id: RunId
    cycle: Cycle
    settings: dict[str, Finite]
    sensors: dict[str, Finite | None]
