"""What the api answers of the evidence of an alert."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.adapters.kafka.evidence_feed import decoded_evidence
from api.ports import FeedBatch, FeedPosition
from common.errors import BackendUnavailableError
from common.records.alerts import Alert
from common.records.evidence import AlertEvidence
from tests.support.alerts import batch, make_alert
from tests.support.api import Fakes, Running, eventually, running
from tests.support.evidence import evidence_batch, make_evidence


def alert_of_now(cycle: int = 40) -> Alert:
    return make_alert(cycle).model_copy(update={"severity": 1.25})


async def ask(api: Running, alert: Alert) -> tuple[int, dict[str, object]]:
    answer = await api.client.get(f"/api/v1/alerts/{alert.alert_id}/evidence")
    return answer.status_code, answer.json()


async def test_evidence_comes_by_its_topic_and_is_answered_with_words() -> None:
    alert = alert_of_now()
    fakes = Fakes()
    await fakes.history.store(batch([alert]))
    async with running(fakes) as api:
        evidence = make_evidence(alert, held=(1,))
        fakes.evidence_feed.put(evidence_batch([evidence, evidence]))
        fakes.evidence_feed.put(BackendUnavailableError("gone for now"))
        fakes.evidence_feed.put(evidence_batch([evidence]))
        await eventually(lambda: fakes.evidence_feed.taken == 2)

        status, body = await ask(api, alert)
        metrics = (await api.client.get("/metrics")).text

    told = json.loads(evidence.to_json())
    channels, conditions = body.pop("channels"), body.pop("conditions")
    assert (status, body.pop("simulated")) == (200, False)
    assert body == {key: told[key] for key in body}
    assert body.keys() | {"channels", "conditions"} == told.keys()
    assert isinstance(channels, list)
    assert isinstance(conditions, list)
    assert [channel.pop("meaning") for channel in channels] == ["", ""]  # no fleet is known here
    assert [condition.pop("meaning") for condition in conditions] == [""]
    assert (channels, conditions) == (told["channels"], told["conditions"])
    assert "surgeline_api_evidence_projected_total 1.0" in metrics
    assert "surgeline_api_evidence_repeated_total 2.0" in metrics


async def test_an_alert_that_is_not_there_has_no_evidence() -> None:
    async with running() as api:
        status, body = await ask(api, make_alert())

    assert (status, body["type"]) == (404, "urn:surgeline:problem:unknown_alert")


@pytest.mark.parametrize(
    ("severity", "later", "kind", "words"),
    [
        pytest.param(1.25, False, "evidence_not_yet", "ask again in a moment", id="not yet"),
        pytest.param(1.25, True, "no_evidence", "expired from its topic", id="expired"),
        pytest.param(None, False, "no_evidence", "of an earlier version", id="an earlier version"),
    ],
)
async def test_where_there_is_none_the_answer_says_why(
    severity: float | None, later: bool, kind: str, words: str
) -> None:
    alert = make_alert(40).model_copy(update={"severity": severity})
    after = alert_of_now(50)
    fakes = Fakes()
    await fakes.history.store(batch([alert, after]))
    await fakes.evidence.store(evidence_batch([make_evidence(after)] if later else []))
    async with running(fakes) as api:
        status, body = await ask(api, alert)

    assert (status, body["type"]) == (404, f"urn:surgeline:problem:{kind}")
    assert words in str(body["detail"])


async def test_evidence_under_other_thresholds_is_not_taken_for_this_alerts() -> None:
    alert = alert_of_now()
    other = alert.model_copy(update={"threshold": 0.25})
    fakes = Fakes()
    await fakes.history.store(batch([alert]))
    await fakes.evidence.store(evidence_batch([make_evidence(other)]))
    async with running(fakes) as api:
        status, _ = await ask(api, alert)

    assert status == 404


NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2**53 - 1), NUMBERS)
async def test_the_same_numbers_come_out_whatever_they_are(cycle: int, values: list[float]) -> None:
    alert = make_alert(4).model_copy(update={"severity": 1.25, "cycle": cycle})
    evidence = make_evidence(alert, values)
    item = decoded_evidence(SimpleNamespace(value=evidence.to_json(), partition=0, offset=0))
    assert item is not None
    fakes = Fakes()
    await fakes.history.store(batch([alert]))
    await fakes.evidence.store(FeedBatch("cluster/x.evidence", 0, FeedPosition(1), [item]))
    async with running(fakes) as api:
        status, body = await ask(api, alert)

    assert status == 200
    channels, window = body["channels"], body["window"]
    assert isinstance(channels, list)
    assert isinstance(window, dict)
    assert [channel["values"] for channel in channels] == [values, values]
    assert window["cycles"][-1] == cycle


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff", b"{}", make_alert().to_json(), b'{"schema_version":2}'],
    ids=["empty", "no text", "nothing", "an alert", "another version"],
)
def test_what_is_no_evidence_is_left_out(value: bytes) -> None:
    assert decoded_evidence(SimpleNamespace(value=value, partition=0, offset=3)) is None


def test_evidence_under_an_id_that_no_store_takes_is_left_out() -> None:
    evidence = make_evidence(make_alert()).model_copy(update={"evidence_id": "a\0b"})
    record = SimpleNamespace(value=evidence.to_json(), partition=0, offset=3)

    assert isinstance(evidence, AlertEvidence)
    assert decoded_evidence(record) is None
