"""What of a replay is still to send, given what the topic holds: pure."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from common.errors import UserError
from common.records.readings import SensorReading
from producer.fleet import SentFleet, Slot
from producer.ports import AssetHistory

NOTHING = AssetHistory(frozenset(), b"")


def remaining(fleet: SentFleet, history: Mapping[str, AssetHistory]) -> list[Slot]:
    """Return the readings of a fleet that are not on the topic yet, in fleet order.

    Args:
        fleet: What the replay is to send in all.
        history: What the topic holds of this run.

    Raises:
        UserError: If the topic holds other readings under this run id: another seed, start or
            cycle interval would make two runs into one.
    """
    for unit in fleet.units:
        asset = history.get(fleet.asset_id(unit))
        if asset is not None:
            _refuse_another_run(fleet, unit, asset)
    return [
        slot
        for slot in fleet.slots()
        if slot.cycle not in history.get(fleet.asset_id(slot.unit), NOTHING).cycles
    ]


def _refuse_another_run(fleet: SentFleet, unit: int, asset: AssetHistory) -> None:
    cycle = max(asset.cycles)
    known = fleet.has(Slot(unit, cycle))
    ours = fleet.message(Slot(unit, cycle)).value if known else b""
    if ours == asset.latest or (known and _same_reading(ours, asset.latest)):
        return
    raise UserError(
        f"Run {fleet.run_id} is on the topic already with other readings "
        f"({fleet.asset_id(unit)}, cycle {cycle}, differs). Continue it with the same --start, "
        "--cycle-interval and --seed as before, or choose another --run-id."
    )


def _same_reading(one: bytes, other: bytes) -> bool:
    """Whether two messages say the same, though their bytes differ (another spacing, say)."""
    try:
        first, second = map(SensorReading.model_validate_json, (one, other))
    except ValidationError:
        return False
    # an earlier version sent no fleet
    apart = {"schema_version", "fleet"}
    return first.model_dump(exclude=apart) == second.model_dump(exclude=apart)
