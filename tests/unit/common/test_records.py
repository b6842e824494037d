"""The messages on the wire: their text, what they refuse, their derived ids."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from common.errors import RejectReason
from common.records.alerts import (
    MOST_FLAPS,
    Alert,
    ChannelShare,
    ModelRef,
    Transition,
    derive_alarm_id,
    derive_alert_id,
)
from common.records.ids import SIMULATED_PREFIX, renewed_run_id
from common.records.letters import DeadLetter
from common.records.readings import READING_VERSION, IncomingReading, SensorReading
from common.records.times import utc_text
from common.records.verdicts import Level, ScoreRecord, SourcePosition, Verdict
from common.records.wire import SCHEMA_VERSION

READING = {
    "schema_version": 2,
    "fleet": "pumps",
    "asset_id": "engine-1",
    "run_id": "run-1",
    "cycle": 5,
    "ts": "2026-03-01T12:00:00Z",
    "settings": {"altitude": 1.5},
    "sensors": {"T24": 642.25},
}
ALERT = {
    "schema_version": 1,
    "alert_id": "b",
    "alarm_id": "a",
    "fleet": "pumps",
    "asset_id": "engine-1",
    "run_id": "run-1",
    "level": "critical",
    "state": "escalated",
    "alarm_sequence": 2,
    "flaps": 3,
    "onset_cycle": 5,
    "cycle": 8,
    "ts": "2026-03-01T12:00:08.000250Z",
    "evidence": "life",
    "severity": 3.25,
    "score": 3.5,
    "threshold": 2.75,
    "life": {"expected": 21.5, "low": 12.0, "high": 30.25, "at_least": False, "coverage": 0.9},
    "channels": [{"name": "T30", "share": 1.0, "direction": "low", "against": "high"}],
    "model": {"name": "mean", "version": "7", "sha256": "70"},
    "reason": "Because.",
}
LETTER = {
    "schema_version": 1,
    "reason": "empty",
    "message": "The message has no value.",
    "original_key": None,
    "original": "",
    "original_size": 0,
    "original_sha256": "e3",
    "topic": "t",
    "partition": 3,
    "offset": 41,
    "last_offset": None,
    "received_at": None,
}
MESSAGES = [
    pytest.param(SensorReading, READING, id="reading"),
    pytest.param(Alert, ALERT, id="alert"),
    pytest.param(DeadLetter, LETTER, id="dead letter"),
]
Record = type[SensorReading] | type[Alert] | type[DeadLetter]


@pytest.mark.parametrize(("record", "fields"), MESSAGES)
def test_a_message_says_word_for_word_what_it_was_read_from(
    record: Record, fields: dict[str, object]
) -> None:
    read = record.model_validate_json(json.dumps(fields))

    assert json.loads(read.to_json()) == fields
    assert list(json.loads(read.to_json())) == list(fields)


@pytest.mark.parametrize(("record", "fields"), MESSAGES)
def test_a_message_of_a_later_version_is_refused_and_unknown_fields_are_not(
    record: Record, fields: dict[str, object]
) -> None:
    extended = record.model_validate_json(json.dumps(fields | {"note": "x"}))

    assert extended == record.model_validate_json(json.dumps(fields))
    for version in (0, 3):
        with pytest.raises(ValidationError):
            record.model_validate_json(json.dumps(fields | {"schema_version": version}))


@pytest.mark.parametrize(
    ("record", "fields"), [(IncomingReading, READING), (Alert, ALERT), (DeadLetter, LETTER)]
)
def test_a_message_without_its_version_is_of_version_one(
    record: type[IncomingReading] | type[Alert] | type[DeadLetter], fields: dict[str, object]
) -> None:
    del (shorter := dict(fields))["schema_version"]

    assert record.model_validate_json(json.dumps(shorter)).schema_version == 1


def test_a_reading_may_come_without_fleet_run_and_count() -> None:
    bare = {name: READING[name] for name in ("asset_id", "ts", "settings", "sensors")}

    read = IncomingReading.model_validate_json(json.dumps(bare))

    assert (read.fleet, read.run_id, read.cycle) == ("default", "only", None)


def test_a_message_cannot_be_changed() -> None:
    read = SensorReading.model_validate_json(json.dumps(READING))

    with pytest.raises(ValidationError):
        read.cycle = 6  # type: ignore[misc]  # the point of the test
    with pytest.raises(AttributeError, match="immutable"):
        SourcePosition("t", 0, 0).offset = 1  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        pytest.param("cycle", [1, 2**53 - 1], [0, 2**53, 1.5, "1", True, None], id="cycle"),
        pytest.param(
            "asset_id",
            ["a", "0", "a" * 128, "A.b_c:d-e"],
            ["", "a" * 129, "-a", ".a", "_a", ":a", "a b", "a/b", "ä", "a\n", 1],
            id="asset",
        ),
        pytest.param("run_id", ["a" * 128], ["", "a" * 129, "-a", "a b"], id="run"),
        pytest.param(
            "ts",
            ["1970-01-01T00:00:00Z", "2261-12-31T23:59:59.999999Z"],
            ["1969-12-31T23:59:59.999999Z", "2262-01-01T00:00:00Z", "2026-01-01T00:00:00", 5],
            id="time",
        ),
        pytest.param(
            "sensors", [{}, {"T24": 5}, {"T24": None}], [{"T24": "5"}, [], None], id="sensors"
        ),
    ],
)
def test_a_reading_keeps_what_is_within_its_bounds_and_refuses_what_is_not(
    field: str, good: list[object], bad: list[object]
) -> None:
    for value in good:
        SensorReading.model_validate_json(json.dumps(READING | {field: value}))
    for value in bad:
        with pytest.raises(ValidationError):
            SensorReading.model_validate_json(json.dumps(READING | {field: value}))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("group", ["settings", "sensors"])
def test_no_number_that_is_none_gets_into_a_reading(group: str, number: str) -> None:
    text = json.dumps(READING | {group: {"x": 0.5}}).replace("0.5", number)

    with pytest.raises(ValidationError):
        SensorReading.model_validate_json(text)


@pytest.mark.parametrize("field", ["score", "threshold", "severity"])
def test_no_number_that_is_none_gets_into_an_alert(field: str) -> None:
    text = json.dumps(ALERT | {field: 123.5}).replace("123.5", "NaN")

    with pytest.raises(ValidationError):
        Alert.model_validate_json(text)


@pytest.mark.parametrize("share", [-0.001, 1.001])
def test_a_share_is_a_part(share: float) -> None:
    assert [ChannelShare(name="a", share=part, direction="low").share for part in (0.0, 1.0)]
    with pytest.raises(ValidationError):
        ChannelShare(name="a", share=share, direction="low")


@pytest.mark.parametrize(
    ("said", "read"), [(0, 0), (MOST_FLAPS, MOST_FLAPS), (MOST_FLAPS + 1, MOST_FLAPS),
                       (10**40, MOST_FLAPS)],
)  # fmt: skip
def test_a_count_of_flaps_beyond_all_sense_is_read_as_the_largest(said: int, read: int) -> None:
    alert = Alert.model_validate_json(json.dumps(ALERT | {"flaps": said}))

    assert alert.flaps == read


@pytest.mark.parametrize("said", [-1, 1.5, "3", True, None])
def test_what_is_no_count_of_flaps_is_refused(said: object) -> None:
    with pytest.raises(ValidationError, match="flaps"):
        Alert.model_validate_json(json.dumps(ALERT | {"flaps": said}))


def test_an_alert_is_never_of_no_level_and_no_other_direction_exists() -> None:
    for level in ("none", "bad"):
        with pytest.raises(ValidationError):
            Alert.model_validate_json(json.dumps(ALERT | {"level": level}))
    with pytest.raises(ValidationError):
        ChannelShare.model_validate_json('{"name": "a", "share": 0.5, "direction": "up"}')


def test_times_are_told_in_utc_and_with_microseconds_only_where_there_are_any() -> None:
    east = timezone(timedelta(hours=2))
    later = json.dumps(READING | {"ts": "2026-03-01T02:30:00.000001+02:00"})

    assert utc_text(datetime(2026, 3, 1, 2, 30, tzinfo=east)) == "2026-03-01T00:30:00Z"
    assert utc_text(datetime(2026, 3, 1, 0, 0, 0, 5, tzinfo=UTC)) == "2026-03-01T00:00:00.000005Z"
    assert b'"ts":"2026-03-01T00:30:00.000001Z"' in (
        SensorReading.model_validate_json(later).to_json()
    )
    assert SensorReading.model_validate_json(later).ts.tzinfo is UTC


def test_the_words_on_the_wire_are_these() -> None:
    assert [level.value for level in Level] == ["none", "warning", "critical"]
    assert [level.rank for level in Level] == [0, 1, 2]
    assert [state.value for state in Transition] == ["raised", "escalated", "cleared"]
    assert {verdict.value: verdict.of_message for verdict in Verdict} == {
        "scored": False,
        "warming_up": False,
        "gap": False,
        "late": True,
        "duplicate": True,
        "unknown_regime": False,
        "rejected": True,
    }
    assert [reason.value for reason in RejectReason] == [
        "too_large", "not_utf8", "malformed_json", "schema", "non_finite", "invalid_cycle",
        "missing_channel", "out_of_range", "key_mismatch", "empty", "unknown_fleet", "wrong_fleet",
        "off_tick", "wrong_partition",
        "damaged_batch", "unknown_codec", "batch_too_large", "internal_error",
    ]  # fmt: skip


def test_derived_ids_are_the_ones_that_were_always_derived() -> None:
    alarm = derive_alarm_id("engine-1", "run-1", 5, "mean@7")

    assert alarm == "52fb6cbc-2e91-50d7-b1e6-8abc2bcd4fb6"
    assert derive_alert_id(alarm, Transition.RAISED, 6) == "b1849938-271a-5992-a2a8-705f03664b63"
    assert derive_alert_id(alarm, Transition.CLEARED, 11) == "38b5818b-8ded-571d-bc3e-1df37f777d7a"


def test_another_asset_run_onset_or_model_is_another_alarm() -> None:
    ids = [
        derive_alarm_id("engine-1", "run-1", 5, "mean@7"),
        derive_alarm_id("engine-2", "run-1", 5, "mean@7"),
        derive_alarm_id("engine-1", "run-2", 5, "mean@7"),
        derive_alarm_id("engine-1", "run-1", 6, "mean@7"),
        derive_alarm_id("engine-1", "run-1", 5, "mean@8"),
        derive_alert_id("a", Transition.RAISED, 5),
        derive_alert_id("b", Transition.RAISED, 5),
        derive_alert_id("a", Transition.ESCALATED, 5),
        derive_alert_id("a", Transition.RAISED, 6),
    ]

    assert len(set(ids)) == len(ids)


def test_a_run_opened_by_rule_says_where_and_fits_however_long_its_name_is() -> None:
    assert renewed_run_id("run-1", 3, 120) == "run-1:from-3-120"
    assert renewed_run_id("r" * 117, 3, 120) == "r" * 117 + ":from-3-120"
    cut = renewed_run_id("r" * 118, 3, 120)
    assert cut == "r" * 104 + "-8c3844834fb0:from-3-120"
    assert len(cut) == 128


def test_runs_whose_long_names_begin_alike_are_not_taken_for_each_other() -> None:
    names = ["r" * 127 + last for last in "abc"]

    assert len({renewed_run_id(name, 0, 1) for name in names}) == 3


def test_an_alert_of_an_earlier_version_has_no_number() -> None:
    del (earlier := dict(ALERT))["alarm_sequence"]

    assert Alert.model_validate_json(json.dumps(earlier)).alarm_sequence == 0
    assert [state.sequence for state in Transition] == [1, 2, 3]


def test_a_verdict_without_a_score_says_nothing_of_one() -> None:
    plain = ScoreRecord("a", "r", 1, datetime(2026, 1, 1, tzinfo=UTC), Verdict.GAP, "m@1")

    assert (plain.score, plain.warning_threshold, plain.critical_threshold) == (None, None, None)
    assert (plain.level, plain.shares, plain.detail) == (Level.NONE, {}, "")
    assert (plain.source, plain.published_ts_ms) == (SourcePosition("", 0, 0), 0)


def test_the_version_that_documents_name_is_the_messages_own() -> None:
    assert (SCHEMA_VERSION, READING_VERSION) == (1, 2)
    assert SensorReading.model_fields["schema_version"].default == READING_VERSION
    assert Alert.model_fields["schema_version"].default == SCHEMA_VERSION


def test_a_run_is_known_to_be_simulated_by_its_first_word() -> None:
    assert SIMULATED_PREFIX == "simulated"


def test_a_time_out_of_bounds_is_told_with_the_bounds() -> None:
    with pytest.raises(ValidationError, match="a time from 1970 to 2262 is expected"):
        SensorReading.model_validate_json(json.dumps(READING | {"ts": "1969-01-01T00:00:00Z"}))


def test_a_model_is_told_by_name_version_and_digest() -> None:
    ref = ModelRef(name="mean", version="7", sha256="70")

    assert json.loads(ref.to_json()) == {"name": "mean", "version": "7", "sha256": "70"}
