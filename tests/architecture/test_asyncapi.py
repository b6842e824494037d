"""The published wire contract is the one the code keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from common.errors import InvalidRecordError, RejectReason
from common.machines.machine import MachineType
from common.records.verdicts import SourcePosition
from deploy.asyncapi import (
    ASYNCAPI_FILE,
    EXAMPLES,
    asyncapi_document,
    asyncapi_text,
    typed_reading,
)
from detector.core.fleet import Fleet
from detector.core.reading.decoding import decode
from detector.core.reading.source import SourceRecord
from tests.support.builders import ALARM, INPUTS, MeanScorer


def decoded(machine: MachineType, message: dict[str, Any]) -> Any:
    """What a worker makes of a message."""
    fleet = Fleet(message.get("fleet", "default"), MeanScorer(machine=machine), ALARM, INPUTS)
    value = json.dumps(message).encode()
    key = message["asset_id"].encode()
    record = SourceRecord(SourcePosition("readings", 0, 0), 0, key, value)
    return decode(record, {fleet.name: fleet})


def test_the_document_is_what_the_records_say() -> None:
    assert ASYNCAPI_FILE.read_text(encoding="utf-8") == asyncapi_text(), (
        "docs/asyncapi.json is stale: run python -m deploy.asyncapi"
    )


@pytest.mark.parametrize(("machine", "message"), EXAMPLES, ids=lambda it: getattr(it, "name", ""))
def test_a_worker_takes_the_readings_of_the_document(
    machine: MachineType, message: dict[str, Any]
) -> None:
    assert decoded(machine, message).asset_id == message["asset_id"]


@pytest.mark.parametrize(("machine", "message"), EXAMPLES, ids=lambda it: getattr(it, "name", ""))
def test_what_a_machine_type_requires_a_worker_requires(
    machine: MachineType, message: dict[str, Any]
) -> None:
    own = typed_reading(machine)["allOf"][1]
    wanted: list[tuple[str, ...]] = [(name,) for name in own["required"]]
    wanted += [("settings", name) for name in own["properties"]["settings"]["required"]]
    for path in wanted:
        lacking: dict[str, Any] = json.loads(json.dumps(message))
        place = lacking
        for name in path[:-1]:
            place = place[name]
        del place[path[-1]]
        with pytest.raises(InvalidRecordError):
            decoded(machine, lacking)


@pytest.mark.parametrize(("machine", "message"), EXAMPLES, ids=lambda it: getattr(it, "name", ""))
def test_a_value_beyond_the_limits_of_the_document_is_refused(
    machine: MachineType, message: dict[str, Any]
) -> None:
    sensors = typed_reading(machine)["allOf"][1]["properties"]["sensors"]["properties"]
    limited = {name: part for name, part in sensors.items() if "maximum" in part}
    assert limited
    for name, part in limited.items():
        for value, fits in ((part["maximum"], True), (part["maximum"] * 1.01, False)):
            changed = message | {"sensors": message["sensors"] | {name: value}}
            if fits:
                decoded(machine, changed)
            else:
                with pytest.raises(InvalidRecordError) as refused:
                    decoded(machine, changed)
                assert refused.value.reason is RejectReason.OUT_OF_RANGE


def test_a_reading_of_any_type_may_lack_what_has_a_default() -> None:
    document: Any = asyncapi_document()
    reading = document["components"]["schemas"]["Reading"]

    assert set(reading["required"]) == {"asset_id", "ts", "settings", "sensors"}
    assert reading["properties"]["schema_version"]["enum"] == [1, 2]
    assert reading["properties"]["sensors"]["additionalProperties"] == {"type": ["number", "null"]}
    messages = document["channels"]["readings"]["messages"]
    assert [each["name"] for each in messages["Reading"]["examples"]] == ["turbofan", "pump"]
