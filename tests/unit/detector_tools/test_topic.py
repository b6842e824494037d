"""Messages read back from a topic of our own: what they are, or who spoke between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from common.errors import UserError
from common.records.alerts import Alert
from common.settings import KafkaSettings
from detector.tools import topic
from tests.support.alerts import make_alert


async def read(monkeypatch: pytest.MonkeyPatch, *values: bytes | None) -> list[tuple[Alert, bytes]]:
    async def records(*_: object) -> AsyncIterator[SimpleNamespace]:
        for offset, value in enumerate(values, 5):
            yield SimpleNamespace(partition=3, offset=offset, value=value)

    monkeypatch.setattr(topic, "topic_records", records)
    messages = topic.topic_messages(KafkaSettings(), "t.alerts", Alert, "an alert")
    return [message async for message in messages]


async def test_messages_come_in_order_each_with_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    alerts = [make_alert(10), make_alert(11)]
    texts = [f" {alert.to_json().decode()}\n".encode() for alert in alerts]

    found = await read(monkeypatch, *texts)

    assert found == list(zip(alerts, texts, strict=True))


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff"])
async def test_what_is_no_such_message_is_named_by_its_place(
    monkeypatch: pytest.MonkeyPatch, value: bytes | None
) -> None:
    with pytest.raises(UserError, match=r"t\.alerts, partition 3, offset 6: not an alert\."):
        await read(monkeypatch, make_alert(10).to_json(), value)
