"""Records decoded many at once hold the readings that they hold one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.errors import InvalidRecordError
from common.machines.machine import Step
from common.machines.turbofan import TURBOFAN
from common.records.verdicts import SourcePosition
from detector.core import pipeline
from detector.core.fleet import Fleet, Fleets
from detector.core.pipeline import decode_batch
from detector.core.policy import InputPolicy
from detector.core.reading.decoding import LARGEST, decode
from detector.core.reading.many import ORDINARY, decode_many
from detector.core.reading.source import Reading, SourceRecord, SourceRecords
from detector.core.reading.table import ReadingTable
from models.alarm import AlarmPolicy
from tests.support.builders import MeanScorer, changed, fleets_of, reading, record
from tests.support.odd_readings import SOUND, broken_messages, message, odd_messages
from tests.support.streams import MAX_BYTES, Message, WeighingScorer, on_topic, streams
from tests.support.streams import ORDINARY as USUAL

POLICY = InputPolicy(4 * MAX_BYTES, bridge_cycles=0)
LIMITED = fleets_of(WeighingScorer(), POLICY)
FREE = fleets_of(MeanScorer(("T24",)), POLICY)
TICKING = TURBOFAN.using(("T24", "T30"), 4).model_copy(
    update={"conditions": (), "step": Step(clock="time", interval_s=0.7, tolerance=0.3)}
)
TIMED = {"default": Fleet("default", MeanScorer(machine=TICKING), AlarmPolicy(3, 3, 0.0), POLICY)}
TWO = dict(LIMITED) | {
    "pumps": Fleet("pumps", MeanScorer(("T24", "P2")), AlarmPolicy(3, 3, 0.0), POLICY)
}


def alone(records: Sequence[SourceRecord], fleets: Fleets) -> list[Reading | None]:
    found: list[Reading | None] = []
    for each in records:
        try:
            found.append(decode(each, fleets))
        except InvalidRecordError:
            found.append(None)
    return found


def told(reading: Reading | None) -> object:
    """What two readings must have in common to be the same, types included."""
    if reading is None:
        return None
    said = reading.fleet, reading.asset_id, reading.run_id, reading.cycle, reading.ts
    return said, reading.ts.tzinfo, repr(reading.values)


def check(records: Sequence[SourceRecord], fleets: Fleets) -> int:
    """Hold what is decoded at once against the definition; return how many records are."""
    came = SourceRecords.of(records)
    one_by_one = alone(records, fleets)
    count = 0
    for name, columns in decode_many(came, fleets).items():
        table = ReadingTable(name, columns, came)
        assert table.bounds[-1] == len(columns.at)
        count += len(columns.at)
        for at, item in table.decoded(0, len(columns.at)):
            assert item.record == records[at]
            assert told(item.reading) == told(one_by_one[at])
    return count


@pytest.mark.parametrize("fleets", [LIMITED, FREE, TWO], ids=["limited", "free", "two"])
@settings(deadline=None, max_examples=25)
@given(messages=streams)
def test_what_is_decoded_at_once_is_what_is_decoded_alone(
    fleets: Fleets, messages: list[Message]
) -> None:
    check(on_topic(messages, 1).records[0], fleets)


values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(),
    st.sampled_from(
        [USUAL, 0, -0.0, 1, True, None, "1", ORDINARY, -ORDINARY, LARGEST, 2**63, 2**64, 10**400]
        + [edge for low, high in TURBOFAN.using(("T24", "T30", "T50"), 4).limits
           for edge in (low, high, math.nextafter(low, -math.inf), math.nextafter(high, math.inf))]
    ),
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(
    drawn=st.lists(
        st.tuples(
            st.sampled_from(["T24", "T30", "P2", "altitude"]),
            values,
            st.sampled_from(["default", "pumps", "nobody"]),
        ),
        max_size=6,
    )
)
def test_values_of_every_kind(drawn: list[tuple[str, object, str]]) -> None:
    records = []
    for number, (name, value, fleet) in enumerate(drawn, 1):
        sound = reading(number, USUAL)
        group = "settings" if name == "altitude" else "sensors"
        changes = {group: {**getattr(sound, group), name: value}}
        came = changed(sound, fleet=fleet, **changes)
        at = SourcePosition("readings", 0, number)
        records.append(SourceRecord(at, 0, sound.asset_id.encode(), came))
    check(records, TWO)


@pytest.mark.parametrize("fleets", [LIMITED, TIMED, TWO], ids=["counted", "timed", "two"])
@settings(max_examples=200)
@given(came=st.lists(st.one_of(odd_messages(), broken_messages()), max_size=4))
@example(came=[message(SOUND | {"note": "1" * 4_000})])
@example(came=[message(SOUND | {"note": "1" * 4_300})])
@example(came=[message(SOUND | {"note": "1" * 4_301})])
@example(came=[message(SOUND | {"note": "-" + "1" * 4_301})])
@example(came=[message(SOUND | {"note": f'"{"x" * 1_500}"', "other": "1" * 4_301})])
@example(came=[message(SOUND | {"note": '{"deep": ' * 500 + "1" + "}" * 500})])
@example(came=[message(SOUND | {"note": "[" * 500 + "]" * 500})])
@example(came=[message(SOUND), message(SOUND | {"schema_version": "1"})])
def test_odd_messages(fleets: Fleets, came: list[bytes]) -> None:
    place = partial(SourcePosition, "readings", 0)
    check([SourceRecord(place(at), 0, b"pump-1", value) for at, value in enumerate(came)], fleets)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"note": 1},
        {"ts": "2026-01-01T00:00:07+00:00"},
        {"ts": "2026-01-01T01:00:07.25+01:00"},
        {"sensors": {"T24": USUAL, "T30": None, "T50": USUAL}},
        {"sensors": {"T24": USUAL}},
        {"sensors": {"T24": USUAL, "T30": 645, "T50": USUAL, "unknown": "?"}},
    ],
)
def test_what_is_usual_somewhere_is_decoded_at_once(changes: dict[str, object]) -> None:
    sound = reading(7, USUAL)
    at = SourcePosition("readings", 0, 7)
    came = SourceRecord(at, 0, sound.asset_id.encode(), changed(sound, **changes))

    assert check([came], LIMITED) == 1


def test_what_is_plain_is_not_decoded_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pipeline, "decode")

    batch = decode_batch([record(reading(cycle, USUAL), cycle) for cycle in range(1, 4)], LIMITED)

    assert sum(map(len, batch.by_asset.values())) == 3
