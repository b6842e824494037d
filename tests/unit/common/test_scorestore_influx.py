"""Line protocol, InfluxQL and InfluxDB's answers, without a server."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client.rest import ApiException
from msgspec import structs

from common.errors import BackendError, BackendRefusedError, BackendUnavailableError
from common.records.verdicts import Evidence, Level, LifeLeft, ScoreRecord, SourcePosition, Verdict
from common.scorestore.influx.errors import influx_errors, statement_error, status_error
from common.scorestore.influx.lines import MAX_TIME_NS, repeat_lines, verdict_lines
from common.scorestore.influx.queries import Series, literal, select_moment, select_page
from common.scorestore.influx.summaries import (
    NAMES_CHARS,
    in_questions,
    names_of,
    select_names,
    select_runs,
    summaries_of,
)
from common.scorestore.paging import Bounds, Position
from common.scorestore.port import ScoreQuery

ROW = ScoreRecord(
    asset_id="engine-1",
    run_id="run-1",
    cycle=12,
    ts=datetime(2026, 1, 1, 0, 0, 12, 345_678, tzinfo=UTC),
    status=Verdict.SCORED,
    model="fd001@1",
    score=1.5,
    warning_threshold=1.0,
    critical_threshold=2.0,
    level=Level.WARNING,
    evidence=Evidence.CHANNEL,
    severity=1.25,
    life=LifeLeft(40.5, 28.0, 60.25),
    shares={"T24": 0.25, "T30": 0.75},
    source=SourcePosition("surgeline.readings", 3, 2_000_007),
    published_ts_ms=1_767_225_600_000,
)

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
nasty_text = st.text(st.sampled_from("ab ,=\\\"'%{}é\t"), max_size=12)
tags = (any_text | nasty_text).filter(
    lambda text: bool(text) and not set(text) & {"\\", "\n", "\r"}
)
strings = any_text | nasty_text | st.just('\n"\\')


def split(text: str, separator: str, *, strings: bool) -> list[str]:
    """Split at separators that have no backslash before them and are not inside a string."""
    parts, part, quoted, index = [], "", False, 0
    while index < len(text):
        guarded = '"\\' if quoted else ",= "
        if text[index] == "\\" and text[index + 1 : index + 2] in tuple(guarded):
            part += text[index : index + 2]
            index += 2
            continue
        if strings and text[index] == '"':
            quoted = not quoted
        if text[index] == separator and not quoted:
            parts.append(part)
            part = ""
        else:
            part += text[index]
        index += 1
    return [*parts, part]


def unescape(text: str, special: str) -> str:
    found, index = "", 0
    while index < len(text):
        if text[index] == "\\" and text[index + 1 : index + 2] in tuple(special):
            index += 1
        found += text[index]
        index += 1
    return found


def parse(line: str) -> tuple[dict[str, str], dict[str, str], int]:
    """Read one line as the protocol's description says: tags, fields as written, time.

    Only a field's value can be a string; a double quote in a tag or a name is a character.
    """
    head, *rest = split(line, " ", strings=False)
    tag_set = {}
    for item in split(head, ",", strings=False)[1:]:
        name, value = split(item, "=", strings=False)
        tag_set[unescape(name, ",= ")] = unescape(value, ",= ")
    fields: dict[str, str] = {}
    body = " ".join(rest)
    while not body.startswith(" "):
        name = split(body, "=", strings=False)[0]
        value = split(body[len(name) + 1 :], ",", strings=True)[0]
        value = split(value, " ", strings=True)[0]
        fields[unescape(name, ",= ")] = value
        body = body[len(name) + 1 + len(value) :].removeprefix(",")
    return tag_set, fields, int(body)


def text_of(field: str) -> str:
    assert field[0] == field[-1] == '"'
    return unescape(field[1:-1], '"\\')


def test_a_verdict_is_one_line() -> None:
    assert verdict_lines([ROW]) == [
        "score,asset_id=engine-1,model=fd001@1,run_id=run-1 "
        'cycle=12i,level="warning",status="scored",detail="",'
        "published_ts_ms=1767225600000i,"
        "score=1.5,warning_threshold=1.0,critical_threshold=2.0,"
        'evidence="channel",severity=1.25,life=40.5,life_low=28.0,life_high=60.25,'
        "share_T24=0.25,share_T30=0.75 "
        "1767225612345678012"
    ]


def test_a_verdict_without_a_score_has_no_fields_of_one() -> None:
    bare = structs.replace(ROW, status=Verdict.GAP, score=None, detail="cycles 3 to 5 are missing")

    assert verdict_lines([bare]) == [
        "score,asset_id=engine-1,model=fd001@1,run_id=run-1 "
        'cycle=12i,level="warning",status="gap",detail="cycles 3 to 5 are missing",'
        "published_ts_ms=1767225600000i 1767225612345678012"
    ]


def test_a_repeat_is_one_line_whose_time_is_the_message_s_own() -> None:
    assert repeat_lines([structs.replace(ROW, status=Verdict.LATE, detail="late")]) == [
        "repeat,asset_id=engine-1,model=fd001@1,run_id=run-1,partition=3,status=late "
        'cycle=12i,topic="surgeline.readings",offset=2000007i,detail="late" '
        "1767225600000000007"
    ]


@given(tags, tags, tags, strings, st.dictionaries(tags, st.floats(0, 1), max_size=4))
def test_no_text_breaks_out_of_its_place(
    asset_id: str, run_id: str, model: str, detail: str, shares: dict[str, float]
) -> None:
    odd = structs.replace(
        ROW, asset_id=asset_id, run_id=run_id, model=model, detail=detail, shares=shares
    )
    (line,) = verdict_lines([odd])

    tag_set, fields, time_ns = parse(line)

    assert tag_set == {"asset_id": asset_id, "run_id": run_id, "model": model}
    assert text_of(fields.pop("detail")) == detail
    assert {
        name.removeprefix("share_"): float(value)
        for name, value in fields.items()
        if name.startswith("share_")
    } == shares
    assert time_ns == 1_767_225_612_345_678_012


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_exact_and_plain_whoever_made_them(value: float) -> None:
    numpys = structs.replace(ROW, score=np.float64(value), shares={"T24": np.float64(value)})
    (line,) = verdict_lines([numpys])

    assert [line] == verdict_lines([structs.replace(ROW, score=value, shares={"T24": value})])
    _, fields, _ = parse(line)
    assert float(fields["score"]) == float(fields["share_T24"]) == value


@pytest.mark.parametrize("bad", ["", "a\nb", "a\rb", "a\\b", "ends\\"])
@pytest.mark.parametrize("place", ["asset_id", "run_id", "model"])
def test_what_cannot_be_a_tag_is_refused(place: str, bad: str) -> None:
    odd = structs.replace(ROW, **{place: bad})

    for lines in (verdict_lines, repeat_lines):
        with pytest.raises(ValueError, match="cannot be a tag"):
            lines([odd])


def test_a_channel_name_that_cannot_be_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be a tag or field name"):
        verdict_lines([structs.replace(ROW, shares={"T\\24": 1.0})])


@pytest.mark.parametrize("year", [1, 1600, 2263, 9999])
def test_a_time_beyond_influxdb_s_is_refused(year: int) -> None:
    moment = datetime(year, 6, 1, tzinfo=UTC)
    with pytest.raises(BackendRefusedError, match="1677 to 2262"):
        verdict_lines([structs.replace(ROW, ts=moment)])


def scan_literal(text: str) -> tuple[str, str]:
    """Read a string literal as InfluxQL's scanner does; return it and what follows."""
    assert text[0] == "'"
    found, index = "", 1
    while text[index] != "'":
        assert text[index] != "\n"
        if text[index] == "\\":
            index += 1
            found += {"n": "\n", "\\": "\\", "'": "'", '"': '"'}[text[index]]
        else:
            found += text[index]
        index += 1
    return found, text[index + 1 :]


@given(strings | st.text(st.sampled_from("'\\\n\"; -"), max_size=12))
def test_a_literal_ends_where_it_should(text: str) -> None:
    assert scan_literal(literal(text) + " AND 1=1") == (text, " AND 1=1")


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, '{"message":"unauthorized access"}', BackendRefusedError, "unauthorized.*_TOKEN"),
        (403, "", BackendRefusedError, "no message.*_TOKEN"),
        (404, '{"error":"database not found: \\"x\\""}', BackendRefusedError, 'd: "x".*_BUCKET'),
        (400, '{"error":"partial write: x dropped=1"}', BackendRefusedError, "partial write: x"),
        (413, "<html>too large</html>", BackendRefusedError, "too large.*MAX_BATCH_ROWS"),
        (301, "[1]", BackendRefusedError, "301"),
        (429, '{"message":"slow down"}', BackendUnavailableError, "slow down"),
        (500, '{"error":"timeout"}', BackendUnavailableError, "500: timeout"),
        (503, "", BackendUnavailableError, "503"),
        (0, "SSLError", BackendUnavailableError, "SSLError"),
    ],
)
def test_an_answer_tells_whether_to_try_again(
    status: int, body: str, kind: type[BackendError], words: str
) -> None:
    error = status_error("http://influx:8086", status, body)

    assert type(error) is kind
    with pytest.raises(kind, match=f"http://influx:8086.*{words}"):
        raise error


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("database not found: x", BackendRefusedError),
        ("error parsing query", BackendRefusedError),
        ("query timeout limit exceeded", BackendUnavailableError),
        ("max-concurrent-queries limit exceeded(0, 1)", BackendUnavailableError),
        ("engine is closed", BackendUnavailableError),
        ("timeout", BackendUnavailableError),
    ],
)
def test_a_statement_s_error_tells_whether_to_try_again(
    message: str, kind: type[BackendError]
) -> None:
    assert type(statement_error("http://influx:8086", message)) is kind


def test_assets_are_listed_from_both_measurements() -> None:
    assert select_names(None, None) == (
        'SHOW TAG VALUES FROM "score", "repeat" WITH KEY = "asset_id"'
    )
    assert select_names("a", "it's").endswith(""" WHERE "asset_id" = 'a' AND "run_id" = 'it\\'s'""")


def test_listed_names_are_those_of_both_in_order_beyond_one() -> None:
    answer = [
        {"name": "repeat", "columns": ["key", "value"], "values": [["asset_id", "c"]]},
        {
            "name": "score",
            "columns": ["key", "value"],
            "values": [["asset_id", "b"], ["asset_id", "c"], ["asset_id", "B"]],
        },
    ]

    assert names_of(answer, None) == ["B", "b", "c"]
    assert names_of(answer, "b") == ["c"]
    assert names_of([], None) == []


@given(st.lists(st.text(min_size=1, max_size=130), max_size=60))
def test_names_are_cut_into_questions_of_bounded_length(names: list[str]) -> None:
    groups = list(in_questions(names))

    assert [name for group in groups for name in group] == names
    assert all(sum(map(len, group)) <= NAMES_CHARS for group in groups)


def test_no_more_questions_are_asked_than_the_length_of_an_address_demands() -> None:
    names = [f"{number:0100}" for number in range(45)]

    assert [len(group) for group in in_questions(names)] == [20, 20, 5]
    assert list(in_questions(names[:20])) == [names[:20]]
    assert list(in_questions([])) == []


def test_some_assets_are_picked_in_every_statement() -> None:
    statements = select_runs(None, "r", ["a", "it's"])

    picked = """("asset_id" = 'a' OR "asset_id" = 'it\\'s')"""
    assert len(statements) == len(select_runs(None, None))
    assert all(picked in statement for statement in statements)
    assert all(statement.count(" WHERE ") == 1 for statement in statements)


def test_a_run_of_which_only_rejected_readings_are_known_has_a_summary() -> None:
    tags = {"asset_id": "a", "run_id": "r", "status": "rejected"}
    repeats: list[Series] = [{"tags": tags, "columns": ["time", "count"], "values": [[0, 12]]}]
    answers: list[list[Series]] = [[] for _ in select_runs(None, None)[:-1]]

    (run,) = summaries_of([*answers, repeats])

    assert run.verdicts == {Verdict.REJECTED: 12}
    assert (run.first_cycle, run.last_cycle, run.last_ts) == (None, None, None)


@given(
    st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999) | st.none(),
    st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999) | st.none(),
    st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999),
    st.booleans(),
)
def test_every_time_in_a_statement_is_one_that_influxdb_can_tell(
    since_us: int | None, until_us: int | None, after_us: int, newest_first: bool
) -> None:
    query = ScoreQuery(newest_first=newest_first)
    bounds = Bounds(since_us, until_us, Position(after_us, "a", "r", 1))

    for statement in (select_page(query, bounds, 10), select_moment(query, bounds, after_us)):
        for text in re.findall(r"time (?:>=|<) (-?\d+)", statement):
            assert abs(int(text)) <= MAX_TIME_NS


@pytest.mark.parametrize(
    ("published_ts_ms", "offset", "kept"),
    [
        pytest.param(9_223_372_036_854, 775_806, True, id="the last"),
        pytest.param(9_223_372_036_854, 775_807, False, id="one later"),
        pytest.param(-9_223_372_036_855, 224_194, True, id="the first"),
        pytest.param(-9_223_372_036_855, 224_193, False, id="one earlier"),
    ],
)
def test_a_time_is_kept_as_far_as_influxdb_can(
    published_ts_ms: int, offset: int, kept: bool
) -> None:
    late = structs.replace(
        ROW,
        status=Verdict.LATE,
        source=SourcePosition("t", 0, offset),
        published_ts_ms=published_ts_ms,
    )

    if kept:
        assert repeat_lines([late])[0].endswith(f" {published_ts_ms * 1_000_000 + offset}")
        return
    with pytest.raises(BackendRefusedError, match="outside what InfluxDB can keep"):
        repeat_lines([late])


def test_a_failed_handshake_may_pass() -> None:
    with (
        pytest.raises(BackendUnavailableError, match="answered 0: TLS handshake failed"),
        influx_errors("http://box"),
    ):
        raise ApiException(status=None, reason="TLS handshake failed")
