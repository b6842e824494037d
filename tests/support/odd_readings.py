"""Messages that are nearly readings, for property tests: odd in a few fields, or broken."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from hypothesis import strategies as st

from common.records.readings import IncomingReading

FIELDS: Final = tuple(IncomingReading.model_fields)
SOUND: Final = {
    "schema_version": "2",
    "fleet": '"pumps"',
    "asset_id": '"pump-1"',
    "run_id": '"run-1"',
    "cycle": "7",
    "ts": '"2026-01-01T00:00:07.25Z"',
    "settings": '{"mach": 0.84, "tra": 100}',
    "sensors": '{"T24": 642.3, "T30": -1589}',
}

ODD_NUMBERS: Final = """
    -0 -0.0 0 1.0 2.0 1E2 1e400 -1e400 1e-400 01 1. .5 +1 9007199254740991 9007199254740992
    9007199254740993 18446744073709551617 9223372036854775807.0 2.2250738585072011e-308
    true null NaN Infinity "1" [] {}
"""
ODD_TIMES: Final = """
2026-01-01T00:00:00Z
2026-01-01 00:00:00Z
2026-01-01t00:00:00z
2026-01-01
2026-01-01T00:00:00.1234567Z
2026-01-01T00:00:00.9999999Z
2026-01-01T00:00:60Z
2026-01-01T24:00:00Z
2026-02-29T00:00:00Z
2026-01-01T00:00:00+24:00
1769
2026-01-01T00:00:00+0100
2026-01-01T00:00:00-00:00
2026-01-01T00:00Z
2026-01-01T00:00:00.5+23:59
2026-01-01T00:00:00+01:60
0001-01-01T00:00:00+23:00
1969-12-31T23:59:59.999999Z
1970-01-01T00:00:00+00:01
2262-01-01T00:00:00+01:00
2261-12-31T23:59:59.999999Z
9999-12-31T23:59:59-23:59
2026-W01-1T00:00:00Z
"""

numbers = st.one_of(
    st.integers().map(str),
    st.floats().map(json.dumps),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(ODD_NUMBERS.split()),
    st.sampled_from(["1" * 400, "0.1" + "7" * 60]),
)
ids = st.one_of(
    st.sampled_from(["", "a", "a b", "a\\n", "a\\u0041", "-a", "ä", "a:b._-"]),
    st.sampled_from(["a" * 128, "a" * 129]),
    st.from_regex(r"[A-Za-z0-9._:\-]{1,10}", fullmatch=True),
).map('"{}"'.format)
times = st.one_of(
    st.builds(
        "{}{}{:02}:{:02}".format,
        st.datetimes().map(datetime.isoformat),
        st.sampled_from("+-"),
        st.integers(0, 25),
        st.integers(0, 61),
    ),
    st.sampled_from(ODD_TIMES.strip().split("\n")),
).map('"{}"'.format)
objects = st.lists(
    st.tuples(st.sampled_from(["T24", "T30", "mach", "", "ü", "\\ud800"]), numbers), max_size=4
).map(lambda pairs: "{" + ",".join(f'"{name}": {value}' for name, value in pairs) + "}")
texts: Final = {
    "schema_version": numbers,
    "fleet": ids,
    "asset_id": ids,
    "run_id": ids,
    "cycle": numbers,
    "ts": times,
    "settings": objects,
    "sensors": objects,
}


def message(parts: dict[str, str]) -> bytes:
    inside = ", ".join(f'"{name}": {text}' for name, text in parts.items())
    return f"{{{inside}}}".encode()


@st.composite
def odd_messages(draw: st.DrawFn) -> bytes:
    """A sound message of which a few fields are something else, missing, twice, or unknown."""
    parts = dict(SOUND)
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=3)):
        parts[name] = draw(texts[name])
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=1)):
        del parts[name]
    whole = message(parts)
    if draw(st.booleans()):
        name = draw(st.sampled_from([*FIELDS, "note"]))
        whole = whole[:-1] + f', "{name}": {draw(texts.get(name, objects))}}}'.encode()
    return whole


@st.composite
def broken_messages(draw: st.DrawFn) -> bytes:
    """A sound message with a few bytes changed, inserted or gone."""
    whole = bytearray(message(SOUND))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(whole) - 1))
        whole[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(whole)
