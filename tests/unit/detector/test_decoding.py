"""What becomes a dead letter, and with which reason."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidRecordError, RejectReason
from common.machines.machine import Channel, MachineType, Step
from common.machines.turbofan import TURBOFAN
from detector.core.policy import InputPolicy
from detector.core.reading.decoding import LARGEST, decode, identify
from tests.support.builders import MeanScorer, changed, fleets_of, reading, record

LIMIT = 4096
POLICY = InputPolicy(LIMIT, bridge_cycles=0)
TOY = fleets_of(MeanScorer(("T24", "T30")), POLICY)
STRICT = fleets_of(MeanScorer(machine=TURBOFAN.using(("T24", "T30"))), POLICY)
LIMITS = {channel.name: channel.limits for channel in TURBOFAN.channels}
SOUND = {"T24": 642.3, "T30": 1589.7}
GOOD = reading(5, 1.5)
KEY = GOOD.asset_id.encode()


def settings(**changes: object) -> dict[str, object]:
    return {**GOOD.settings, **changes}


def sensors(**changes: object) -> dict[str, object]:
    return {**GOOD.sensors, **changes}


BAD = [
    pytest.param(None, RejectReason.EMPTY, False, id="tombstone"),
    pytest.param(b"", RejectReason.EMPTY, False, id="empty"),
    pytest.param(b"{" + b" " * LIMIT, RejectReason.TOO_LARGE, False, id="too large"),
    pytest.param(b'{"asset_id": "eng', RejectReason.MALFORMED_JSON, False, id="cut off"),
    pytest.param(b"not json", RejectReason.MALFORMED_JSON, False, id="not json"),
    pytest.param("{'a': 'ü'}".encode("latin-1"), RejectReason.NOT_UTF8, False, id="latin-1"),
    pytest.param(b"[1, 2]", RejectReason.SCHEMA, False, id="a list"),
    pytest.param(b"null", RejectReason.SCHEMA, False, id="null"),
    pytest.param(changed(GOOD, cycle=0), RejectReason.INVALID_CYCLE, False, id="cycle 0"),
    pytest.param(changed(GOOD, cycle=-1), RejectReason.INVALID_CYCLE, False, id="negative cycle"),
    pytest.param(changed(GOOD, cycle=2**53), RejectReason.INVALID_CYCLE, False, id="huge cycle"),
    pytest.param(changed(GOOD, cycle="5"), RejectReason.INVALID_CYCLE, False, id="cycle as text"),
    pytest.param(changed(GOOD, cycle=1.5), RejectReason.INVALID_CYCLE, False, id="half a cycle"),
    pytest.param(changed(GOOD, asset_id="a b"), RejectReason.SCHEMA, False, id="bad asset id"),
    pytest.param(changed(GOOD, asset_id=None), RejectReason.SCHEMA, False, id="no asset id"),
    pytest.param(changed(GOOD, ts="2026-01-01T00:00:00"), RejectReason.SCHEMA, False, id="naive"),
    pytest.param(changed(GOOD, ts="1815-06-18T11:00:00Z"), RejectReason.SCHEMA, False, id="old"),
    pytest.param(changed(GOOD, ts="2300-01-01T00:00:00Z"), RejectReason.SCHEMA, False, id="far"),
    pytest.param(changed(GOOD, ts="yesterday"), RejectReason.SCHEMA, False, id="not a time"),
    pytest.param(changed(GOOD, schema_version=3), RejectReason.SCHEMA, True, id="other schema"),
    pytest.param(changed(GOOD, sensors=[1.0]), RejectReason.SCHEMA, True, id="sensors as list"),
    pytest.param(
        changed(GOOD, sensors=sensors(T24="641")), RejectReason.SCHEMA, True, id="text value"
    ),
    pytest.param(
        changed(GOOD, sensors=sensors(T24=True)), RejectReason.SCHEMA, True, id="boolean value"
    ),
    pytest.param(
        changed(GOOD, settings=settings(mach=float("nan"))), RejectReason.NON_FINITE, True, id="nan"
    ),
    pytest.param(
        changed(GOOD, settings=settings(mach=float("-inf"))),
        RejectReason.NON_FINITE,
        True,
        id="inf",
    ),
    pytest.param(
        changed(GOOD, settings=settings(mach="0.5")), RejectReason.SCHEMA, True, id="text setting"
    ),
    pytest.param(
        changed(GOOD, settings=settings(mach=1e19)), RejectReason.OUT_OF_RANGE, True, id="huge"
    ),
    pytest.param(
        changed(GOOD, settings=settings(mach=10**400)),
        RejectReason.OUT_OF_RANGE,
        True,
        id="a whole number that no float holds",
    ),
    pytest.param(
        changed(GOOD, sensors=sensors(T24=-(10**400))), RejectReason.OUT_OF_RANGE, True, id="wide"
    ),
    pytest.param(
        changed(GOOD, sensors={"T24": None, "P2": 14.6}),
        RejectReason.MISSING_CHANNEL,
        True,
        id="nothing used",
    ),
    pytest.param(
        changed(GOOD, settings={"mach": 0.1}), RejectReason.MISSING_CHANNEL, True, id="no altitude"
    ),
]


@pytest.mark.parametrize(("value", "reason", "identified"), BAD)
def test_a_bad_message_is_rejected_with_its_reason(
    value: bytes | None, reason: RejectReason, identified: bool
) -> None:
    bad = record(value, 0, key=KEY)

    with pytest.raises(InvalidRecordError) as caught:
        decode(bad, TOY)

    assert caught.value.reason is reason
    assert str(caught.value)
    assert (identify(bad) is not None) is identified


@pytest.mark.parametrize("key", [None, b"", b"engine-2"])
def test_a_key_that_disagrees_is_rejected(key: bytes | None) -> None:
    bad = record(GOOD.to_json(), 0, key=key)

    with pytest.raises(InvalidRecordError) as caught:
        decode(bad, TOY)

    assert caught.value.reason is RejectReason.KEY_MISMATCH


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(6423.0, id="ten times"),
        pytest.param(64.23, id="a tenth"),
        pytest.param(0.0, id="zero"),
        pytest.param(-642.3, id="negative"),
        pytest.param(5e-324, id="subnormal"),
    ],
)
def test_a_value_beyond_plausibility_is_rejected_by_name(value: float) -> None:
    bad = record(changed(GOOD, sensors={**SOUND, "T24": value}), 0, key=KEY)

    with pytest.raises(InvalidRecordError, match="T24, total temperature at LPC outlet") as caught:
        decode(bad, STRICT)

    assert caught.value.reason is RejectReason.OUT_OF_RANGE
    assert identify(bad) is not None
    assert decode(bad, TOY).values[3] == value


def test_the_limits_themselves_and_unused_channels_are_plausible() -> None:
    low, high = LIMITS["T24"][0], LIMITS["T30"][1]
    value = changed(GOOD, sensors={"T24": low, "T30": high, "W32": -1e9})

    decoded = decode(record(value, 0, key=KEY), STRICT)

    assert decoded.values[3:] == (low, high)


@pytest.mark.parametrize("bound", [0, 1])
def test_a_value_at_its_limit_is_not_named_beside_one_beyond(bound: int) -> None:
    at_limit = LIMITS["T30"][bound]
    bad = record(changed(GOOD, sensors={"T24": 1e9, "T30": at_limit}), 0, key=KEY)

    with pytest.raises(InvalidRecordError, match=r"plausible is 268 to 1290\. A broken sensor"):
        decode(bad, STRICT)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"settings": {"mach": 0.1}}, "settings lacks altitude, tra, which the model needs."),
        ({"sensors": {"P2": 1.0}}, "sensors lacks T24, T30, which the model needs."),
    ],
)
def test_what_is_missing_is_named(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        decode(record(changed(GOOD, **fields), 0, key=KEY), TOY)

    assert str(caught.value) == sentence


def test_a_message_is_taken_up_to_the_largest_and_with_more_it_is_not() -> None:
    fits = changed(GOOD, note="").ljust(LIMIT)

    assert decode(record(fits, 0, key=KEY), TOY).cycle == 5
    with pytest.raises(InvalidRecordError, match=r"4,097 bytes; a reading has at most 4,096\."):
        decode(record(fits + b" ", 0, key=KEY), TOY)


def test_what_came_is_shown_cut() -> None:
    long = changed(GOOD, cycle="x" * 1000)

    with pytest.raises(InvalidRecordError) as caught:
        decode(record(long, 0, key=KEY), TOY)

    assert str(caught.value) == "cycle: Input should be a valid integer; got '" + "x" * 119 + "."


def test_unknown_fields_and_unused_channels_are_kept_out_not_refused() -> None:
    value = changed(GOOD, note="x", sensors={"T24": 1, "T30": 2.5, "T99": 3})

    decoded = decode(record(value, 0, key=KEY), TOY)

    assert decoded.values[3:] == (1.0, 2.5)


def test_times_are_read_as_utc() -> None:
    value = changed(GOOD, ts="2026-03-01T02:30:00+02:00")

    decoded = decode(record(value, 0, key=KEY), TOY)

    assert decoded.ts == datetime(2026, 3, 1, 0, 30, tzinfo=UTC)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_else(value: bytes) -> None:
    with pytest.raises(InvalidRecordError):
        decode(record(value, 0, key=KEY), TOY)


@given(st.integers(1, 10**6), st.floats(-LARGEST, LARGEST))
def test_encode_then_decode_gives_the_same_reading(cycle: int, value: float) -> None:
    original = reading(cycle, value)
    decoded = decode(record(original, 0), TOY)

    assert (decoded.asset_id, decoded.run_id) == (original.asset_id, original.run_id)
    assert (decoded.cycle, decoded.ts) == (cycle, original.ts)
    assert decoded.values == (*original.settings.values(), value, value)


@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf")])
def test_a_channel_without_a_number_is_missing_and_no_reason_to_refuse(nothing: object) -> None:
    value = changed(GOOD, sensors={"T24": 1.5, "T30": nothing})

    for came in (value, changed(GOOD, sensors={"T24": 1.5})):
        seen, missing = decode(record(came, 0, key=KEY), TOY).values[3:]
        assert seen == 1.5
        assert math.isnan(missing)


@pytest.mark.parametrize(("second", "cycle"), [(0, 1), (15, 1), (59, 1), (75, 1), (105, 2)])
def test_the_cycle_of_a_clocked_machine_is_its_tick_and_never_less_than_1(
    second: int, cycle: int
) -> None:
    machine = MachineType(
        name="clocked",
        step=Step(word="minute", clock="time", interval_s=60.0, tolerance=0.25),
        conditions=TURBOFAN.conditions,
        channels=(Channel(name="T24"),),
    )
    fleets = fleets_of(MeanScorer(machine=machine), POLICY)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)

    assert decode(record(GOOD.model_copy(update={"ts": at}), 0), fleets).cycle == cycle


def test_a_huge_value_of_a_sensor_is_named_by_its_group() -> None:
    bad = record(changed(GOOD, sensors=sensors(T24=2e18)), 0, key=KEY)

    with pytest.raises(InvalidRecordError) as caught:
        decode(bad, TOY)

    assert str(caught.value) == "sensors.T24: no machine shows more than 1e+18; got 2e+18."


@pytest.mark.parametrize(("count", "told"), [(8, "f0, .*, f7"), (10, "f0, .*, f7 and 2 more")])
def test_of_many_fleets_a_few_are_named(count: int, told: str) -> None:
    (fleet,) = TOY.values()
    fleets = {f"f{number}": fleet for number in range(count)}

    with pytest.raises(InvalidRecordError, match=rf"^fleet: 'default' is none of {told}\. Add"):
        decode(record(GOOD, 0), fleets)


def test_a_message_that_says_no_version_is_of_the_first() -> None:
    message = json.loads(GOOD.to_json())
    del message["schema_version"]

    found = identify(record(json.dumps(message).encode(), 0, key=KEY))

    assert found is not None
    assert (found.schema_version, found.asset_id, found.run_id, found.cycle, found.ts) == (
        1,
        GOOD.asset_id,
        GOOD.run_id,
        GOOD.cycle,
        GOOD.ts,
    )
