"""The wire contract as an AsyncAPI document, written from the records themselves.

``python -m deploy.asyncapi`` writes ``docs/asyncapi.json``; a test fails when it is stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from pydantic.json_schema import models_json_schema

from common.errors import RejectReason
from common.machines.machine import Channel, Condition
from common.machines.turbofan import TURBOFAN
from common.records import SCHEMA_VERSION, Alert, DeadLetter, SensorReading, WireRecord
from common.topics import Topics

ASYNCAPI_FILE: Final = Path(__file__).resolve().parents[1] / "docs" / "asyncapi.json"
SCHEMAS: Final = "#/components/schemas/"

MESSAGES: Final[tuple[tuple[str, type[WireRecord], str], ...]] = (
    ("readings", SensorReading, "All channels of one asset at one cycle. Key: asset_id."),
    ("alerts", Alert, "An alarm changed state. Key: asset_id. Key your own store by alert_id."),
    ("dead_letter", DeadLetter, "A message that could not be used, with the reason."),
)


def asyncapi_document() -> dict[str, object]:
    """Return the document."""
    topics = Topics()
    _, schema = models_json_schema(
        [(record, "serialization") for _, record, _ in MESSAGES],
        ref_template=SCHEMAS + "{model}",
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Surgeline topics",
            "version": str(SCHEMA_VERSION),
            "description": "JSON, UTF-8. Topic names start with SURGELINE_KAFKA__TOPIC_PREFIX. "
            "Unknown fields are kept out, not refused; absent schema_version means "
            f"{SCHEMA_VERSION}.",
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                "address": getattr(topics, name),
                "description": text,
                "messages": {record.__name__: {"payload": {"$ref": SCHEMAS + record.__name__}}},
            }
            for name, record, text in MESSAGES
        },
        "components": {"schemas": schema["$defs"]},
        "x-settings": [_channel(part) for part in TURBOFAN.conditions],
        "x-sensors": [_channel(part) for part in TURBOFAN.channels],
        "x-dead-letter-reasons": [reason.value for reason in RejectReason],
    }


def asyncapi_text() -> str:
    """Return the document as it stands in the file."""
    return json.dumps(asyncapi_document(), indent=2, ensure_ascii=False) + "\n"


def _channel(channel: Channel | Condition) -> dict[str, str]:
    return {"name": channel.name, "meaning": channel.meaning, "unit": channel.unit}


if __name__ == "__main__":
    ASYNCAPI_FILE.write_text(asyncapi_text(), encoding="utf-8")
