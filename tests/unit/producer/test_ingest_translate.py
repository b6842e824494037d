"""Their bytes to readings: any bytes are readings or a reason, never an exception."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.records.readings import IncomingReading
from producer.ingest.map_file import parse_map
from producer.ingest.translate import MAX_RECORDS, Reason, Refusal, Translated, Translator

MAP = """
fleet = "pumps"
asset = "dev"
time = "ts"
cycle = "n"
run_id = "run"
[channels]
Flow = "data.flow"
Pressure = { path = "/data/p", factor = 1e-5 }
[conditions]
Load = "load"
"""
GOOD = {
    "dev": "Pump 7", "ts": "2026-01-31T12:00:00Z", "n": 3, "run": "r1",
    "data": {"flow": 12.5, "p": 400_000}, "load": 2,
}  # fmt: skip
SINGLE = Translator(parse_map(MAP, "map.toml"))
LISTS = Translator(parse_map('records = "data.list || @"\n' + MAP, "map.toml"))
TIMED = Translator(
    parse_map(MAP.replace('cycle = "n"\n', "").replace('run_id = "run"\n', ""), "map.toml")
)


def outcomes(translator: Translator, document: object) -> list[Translated | Refusal]:
    return list(translator.translate(json.dumps(document).encode()))


def test_a_message_becomes_a_reading() -> None:
    (made,) = outcomes(SINGLE, GOOD)

    assert isinstance(made, Translated)
    message = made.message()
    assert message.key == b"Pump-7"
    assert json.loads(message.value) == {
        "schema_version": 2, "fleet": "pumps", "asset_id": "Pump-7", "run_id": "r1", "cycle": 3,
        "ts": "2026-01-31T12:00:00Z", "settings": {"Load": 2.0},
        "sensors": {"Flow": 12.5, "Pressure": 4.0},
    }  # fmt: skip
    assert made.called == "Pump 7"


def test_a_message_that_came_twice_has_the_same_position_and_bytes() -> None:
    first, second = (outcomes(TIMED, GOOD)[0] for _ in range(2))

    assert isinstance(first, Translated)
    assert isinstance(second, Translated)
    assert (first.reading.run_id, first.reading.cycle) == ("only", None)
    assert first.message() == second.message()


def test_a_missing_channel_is_null() -> None:
    (made,) = outcomes(SINGLE, GOOD | {"data": {"flow": 12.5}})

    assert isinstance(made, Translated)
    assert made.reading.sensors == {"Flow": 12.5, "Pressure": None}


@pytest.mark.parametrize(
    ("change", "reason", "told"),
    [
        ({"dev": None}, Reason.ASSET, "asset, at 'dev'"),
        ({"ts": "soon"}, Reason.TIME, "time, at 'ts': 'soon' came"),
        ({"n": 0}, Reason.CYCLE, "cycle, at 'n': 0 came"),
        ({"run": "a b"}, Reason.RUN, "run_id, at 'run'"),
        ({"load": None}, Reason.CONDITION, "no value of Load"),
        ({"data": {"flow": "wet"}}, Reason.NOT_A_NUMBER, "channels.Flow, at 'data.flow': 'wet'"),
        ({"data": {"flow": 10**400}}, Reason.OVERFLOW, "a whole number of very many digits"),
        ({"data": {}}, Reason.NO_VALUES, "no channel has a value"),
    ],
)
def test_what_is_refused_says_where_and_why(
    change: dict[str, object], reason: Reason, told: str
) -> None:
    (refused,) = outcomes(SINGLE, GOOD | change)

    assert isinstance(refused, Refusal)
    assert refused.reason is reason
    assert told in refused.message


def test_a_list_of_readings_keeps_its_order_and_one_bad_one_is_alone() -> None:
    document = {
        "dev": "P1",
        "data": {"list": [GOOD | {"dev": None, "n": 1}, {"n": 2}, GOOD | {"dev": "P2", "n": 3}]},
        "run": "r9",
    }

    first, second, third = outcomes(LISTS, document)

    assert isinstance(first, Translated)
    assert isinstance(third, Translated)
    assert (first.reading.asset_id, first.reading.cycle) == ("P1", 1)  # around the record
    assert isinstance(second, Refusal)
    assert (third.reading.asset_id, third.reading.cycle) == ("P2", 3)


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], Reason.NO_RECORDS),
        ({"a": 1}, Reason.NO_RECORDS),
        ([1] * (MAX_RECORDS + 1), Reason.TOO_MANY),
    ],
)
def test_what_is_no_list_of_readings(records: object, reason: Reason) -> None:
    (refused,) = outcomes(LISTS, records)

    assert isinstance(refused, Refusal)
    assert refused.reason is reason


numbers = (
    st.floats(allow_nan=True, allow_infinity=True)
    | st.integers(-(10**400), 10**400)
    | st.sampled_from([0, -1, 1e308, 1767225600000, 2**63, 10**4000])
)
texts = st.text(max_size=20) | st.sampled_from(
    ["2026-01-31T12:00:00Z", "1767225600", "1e999", "NaN", "", "9" * 5000, "0001-01-01", "\x1b[2J"]
)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*GOOD, "flow", "p", "list"]) | texts, inner, max_size=8)
    ),
    max_leaves=20,
)
like_good = st.fixed_dictionaries(
    {name: st.just(value) | documents for name, value in GOOD.items()}
) | st.fixed_dictionaries({"list": st.lists(documents, max_size=3)})


def encoded(document: object) -> bytes:
    try:
        return json.dumps(document).encode()
    except ValueError:  # Python writes no whole number of so many digits
        return b'{"dev": 1, "ts": ' + b"9" * 6000 + b"}"


def assert_total(payload: bytes | None) -> None:
    for translator in (SINGLE, LISTS, TIMED):
        found = list(translator.translate(payload))
        assert found
        for outcome in found:
            if isinstance(outcome, Refusal):
                assert outcome.message
                outcome.message.encode()  # no lone surrogate
                assert len(outcome.message) < 1500
                continue
            message = outcome.message()
            again = IncomingReading.model_validate_json(message.value)
            assert message.key == again.asset_id.encode()
            measured = [*again.settings.values(), *again.sensors.values()]
            assert all(value is None or math.isfinite(value) for value in measured)
            assert any(value is not None for value in again.sensors.values())


@given(st.binary(max_size=200) | st.none())
@example(b"")
@example(b"null")
@example(b'"\\ud800"')
@example(b'{"dev": "\\ud800", "ts": 1}')
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"ts": NaN, "n": Infinity, "dev": -Infinity}')
@example(b"9" * 5000)
@example(b"\xef\xbb\xbf{}")
@example("{}".encode("utf-16"))
def test_any_bytes_are_a_reading_or_a_reason(payload: bytes | None) -> None:
    assert_total(payload)


@given(documents | like_good)
def test_any_json_is_a_reading_or_a_reason(document: object) -> None:
    assert_total(encoded(document))
