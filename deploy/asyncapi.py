"""The wire contract as an AsyncAPI document, written from the records themselves.

``python -m deploy.asyncapi`` writes ``docs/asyncapi.json``; a test fails when it is stale. What a
reading holds depends on its fleet's machine type: ``Reading`` is true of every type,
:func:`typed_reading` adds what one of them says. Two are in the document, to go by.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic.json_schema import models_json_schema

from common.errors import RejectReason
from common.machines.files import parse_machine
from common.machines.machine import Channel, Condition, MachineType
from common.machines.turbofan import TURBOFAN
from common.records.alerts import Alert
from common.records.evidence import AlertEvidence
from common.records.letters import DeadLetter
from common.records.readings import READING_VERSION, IncomingReading, SensorReading
from common.records.wire import WireRecord
from common.topics import Topics

ASYNCAPI_FILE: Final = Path(__file__).resolve().parents[1] / "docs" / "asyncapi.json"
SCHEMAS: Final = "#/components/schemas/"
READING: Final = "Reading"

MESSAGES: Final[tuple[tuple[str, str, type[WireRecord], str], ...]] = (
    (
        "readings",
        READING,
        IncomingReading,
        "All channels of one asset at one moment. Key: asset_id. `settings` and `sensors` are "
        "keyed by the names of the fleet's machine type; GET /api/v1/machines and "
        "`surgeline machines` say which these are.",
    ),
    (
        "alerts",
        "Alert",
        Alert,
        "An alarm changed state. Key: asset_id. Key your own store by alert_id. `channels` name "
        "channels of the fleet's machine type; GET /api/v1/machines says their meaning and unit.",
    ),
    (
        "evidence",
        "AlertEvidence",
        AlertEvidence,
        "What an alert rests on: the readings in the machine's units, what the model expected of "
        "them, how it was weighed. Key: asset_id. It comes before its alert, up to 1 MiB large; "
        "GET /api/v1/alerts/{alert_id}/evidence answers it.",
    ),
    ("dead_letter", "DeadLetter", DeadLetter, "A message that could not be used, with the reason."),
)

PUMP: Final = parse_machine(
    """
    name = "pump"
    title = "A machine type of one's own, as `surgeline init` writes it"
    step = { word = "minute", clock = "time", interval_s = 60 }

    [[channel]]
    name = "Discharge pressure [bar]"
    meaning = "pressure behind the pump"
    unit = "bar"
    lowest = 0
    highest = 40

    [[channel]]
    name = "Bearing temperature DE [degC]"
    meaning = "bearing at the drive end"
    unit = "degC"
    lowest = -52
    highest = 400

    [[channel]]
    name = "Hours run"
    unit = "h"
    used = false
    """,
    "the pump of the AsyncAPI document",
)

EXAMPLES: Final[tuple[tuple[MachineType, dict[str, Any]], ...]] = (
    (
        TURBOFAN,
        {
            "schema_version": 2,
            "fleet": "FD001",
            "asset_id": "FD001-test-031",
            "run_id": "demo",
            "cycle": 120,
            "ts": "2026-03-01T12:00:00Z",
            "settings": {"altitude": 0.0023, "mach": 0.0003, "tra": 100.0},
            "sensors": {
                "T2": 518.67, "T24": 642.15, "T30": 1591.82, "T50": 1403.14, "P2": 14.62,
                "P15": 21.61, "P30": 553.75, "Nf": 2388.04, "Nc": 9044.07, "epr": 1.3,
                "Ps30": 47.49, "phi": 522.28, "NRf": 2388.07, "NRc": 8131.49, "BPR": 8.4318,
                "farB": 0.03, "htBleed": 392.0, "Nf_dmd": 2388.0, "PCNfR_dmd": 100.0,
                "W31": 39.0, "W32": 23.4236,
            },
        },
    ),
    (
        PUMP,
        {
            "schema_version": 2,
            "fleet": "pumps",
            "asset_id": "P-103",
            "ts": "2026-03-01T12:00:00Z",
            "settings": {},
            "sensors": {"Discharge pressure [bar]": 6.81, "Bearing temperature DE [degC]": None},
        },
    ),
)  # fmt: skip
"""A reading of each machine type in the document. The pump's is told by its time; one of its
channels was blank, and one is left out."""


def asyncapi_document() -> dict[str, object]:
    """Return the document."""
    topics = Topics()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Surgeline topics",
            "version": str(READING_VERSION),
            "description": "JSON, UTF-8. Topic names start with SURGELINE_KAFKA__TOPIC_PREFIX. "
            "Unknown fields are kept out, not refused. Readings: version 2 says its fleet; a "
            "message of version 1, or without schema_version, is of the fleet `default`. A reading "
            f"is any message that fits `{READING}` and the machine type of its fleet; "
            "`TurbofanReading` and `PumpReading` show what a machine type adds.",
        },
        "defaultContentType": "application/json",
        "channels": {
            channel: {
                "address": getattr(topics, channel),
                "description": text,
                "messages": {name: _message(name)},
            }
            for channel, name, _, text in MESSAGES
        },
        "components": {"schemas": _schemas()},
        "x-dead-letter-reasons": [reason.value for reason in RejectReason],
    }


def asyncapi_text() -> str:
    """Return the document as it stands in the file."""
    return json.dumps(asyncapi_document(), indent=2, ensure_ascii=False) + "\n"


def typed_reading(machine: MachineType) -> dict[str, Any]:
    """Return the schema of a reading of one machine type: ``Reading``, and its own names.

    No channel is required: one that is missing or null was not measured. Limits are given where a
    value beyond them refuses the reading.
    """
    counter = machine.step.clock == "counter"
    return {
        "title": machine.title or machine.name,
        "allOf": [
            {"$ref": SCHEMAS + READING},
            {
                "type": "object",
                "properties": {
                    "settings": {
                        "type": "object",
                        "properties": {each.name: _condition(each) for each in machine.conditions},
                        "required": list(machine.condition_names),
                    },
                    "sensors": {
                        "type": "object",
                        "properties": {each.name: _channel(each) for each in machine.channels},
                    },
                },
                "required": ["settings", "sensors", *(["cycle"] if counter else [])],
            },
        ],
        "x-step": machine.step.model_dump(include={"word", "clock", "interval_s"}),
    }


def _message(name: str) -> dict[str, Any]:
    message: dict[str, Any] = {"payload": {"$ref": SCHEMAS + name}}
    if name == READING:
        message["examples"] = [
            {"name": machine.name, "payload": payload} for machine, payload in EXAMPLES
        ]
    return message


def _schemas() -> dict[str, Any]:
    modes: dict[type[WireRecord], Literal["validation", "serialization"]] = {
        IncomingReading: "validation"  # what may come: what has a default may be left out
    }
    _, schema = models_json_schema(
        [(record, modes.get(record, "serialization")) for _, _, record, _ in MESSAGES],
        ref_template=SCHEMAS + "{model}",
    )
    schemas: dict[str, Any] = schema["$defs"]
    reading = schemas.pop(IncomingReading.__name__)
    reading["title"] = READING
    reading["description"] = inspect.getdoc(SensorReading)
    # a worker takes anything in what its model does not look at; a source should send numbers
    reading["properties"]["settings"]["additionalProperties"] = {"type": "number"}
    reading["properties"]["sensors"]["additionalProperties"] = {"type": ["number", "null"]}
    typed = {
        f"{machine.name.capitalize()}{READING}": typed_reading(machine) for machine, _ in EXAMPLES
    }
    return dict(sorted((schemas | {READING: reading} | typed).items()))


def _condition(condition: Condition) -> dict[str, Any]:
    return _words(condition) | {"type": "number"}


def _channel(channel: Channel) -> dict[str, Any]:
    limits = {"minimum": channel.lowest, "maximum": channel.highest} if channel.used else {}
    return (
        _words(channel)
        | {"type": ["number", "null"]}
        | {name: value for name, value in limits.items() if value is not None}
        | {"x-used": channel.used}
    )


def _words(part: Channel | Condition) -> dict[str, Any]:
    return {"description": part.meaning, "x-unit": part.unit}


if __name__ == "__main__":
    ASYNCAPI_FILE.write_text(asyncapi_text(), encoding="utf-8")
