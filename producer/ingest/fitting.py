"""Does a map fit the fleet's machines? What does not would be refused reading by reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from common.errors import MapError
from common.fleets import SHIPPED, FleetEntry
from common.machines.machine import MachineType
from common.machines.turbofan import TURBOFAN
from common.terminal.nearest import suggestion
from producer.ingest.map_file import MessageMap

MANIFEST: Final = "manifest.json"
MAX_BYTES: Final = 16 * 1024 * 1024


def machine_of(entry: FleetEntry) -> MachineType | None:
    """Return the machine type of a fleet's model; none where only a worker can know it.

    It is known of a shipped model, and of a folder whose manifest can be read.
    """
    if entry.artifact in SHIPPED.values():
        return TURBOFAN
    path = Path(entry.artifact) / MANIFEST
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        manifest = json.loads(path.read_bytes())
        return MachineType.model_validate_json(json.dumps(manifest["machine"]))
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None


def require_fit(wanted: MessageMap, machine: MachineType, source: str) -> None:
    """Refuse a map by which no reading of these machines could be scored.

    Args:
        wanted: The map.
        machine: What the fleet's model expects.
        source: The map's name, for messages.

    Raises:
        MapError: Naming what came, what was expected, what to do.
    """
    step = machine.step
    if step.clock == "counter" and wanted.cycle is None:
        raise MapError(
            f"{source}: a {machine.name} counts its {step.word}s, and the map has no cycle. A "
            "count cannot be made up, or a message that came twice would count twice. Say where "
            'it is, such as cycle = "data.count"; or give the machine type clock = "time".'
        )
    channels = [channel.name for channel in machine.channels]
    _require_known("channels", list(wanted.channels), channels, machine, source)
    _require_known("conditions", list(wanted.conditions), machine.condition_names, machine, source)
    for group, names, given in (
        ("conditions", machine.condition_names, wanted.conditions),
        ("channels", machine.channel_names, wanted.channels),
    ):
        missing = [name for name in names if name not in given]
        if missing:
            raise MapError(
                f"{source}: {group}: no path for {_few(missing)}, which the models of a "
                f"{machine.name} look at. Add a line for each."
            )


def _require_known(
    group: str,
    names: list[str],
    known: list[str] | tuple[str, ...],
    machine: MachineType,
    source: str,
) -> None:
    for name in names:
        if name not in known:
            near = suggestion(name, known)
            there = f"{_few(list(known))} were expected" if known else "it has none"
            raise MapError(
                f"{source}: {group}.{name} came, but a {machine.name} has no such; {there}."
                f"{near or ' Take the name from the machine type, or leave the line out.'}"
            )


def _few(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
