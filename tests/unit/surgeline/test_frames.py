"""Any frame is a result, with a row for each that came, or one sentence."""

from __future__ import annotations

import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing.parametric import dataframes

import surgeline
from common.readers.frames import read_frame
from detector.tools.check.report import Outcome

FD001 = surgeline.load("fd001")
OUTCOMES = {outcome.value for outcome in Outcome}

NAMES = st.sampled_from(
    ["unit", "cycle", "time", "asset", "label", *FD001.columns[:6], "a\\b", "", "x" * 99]
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.binary(max_size=4), st.datetimes(), st.dates(), st.timedeltas(),
    st.complex_numbers(), st.decimals(), st.lists(st.integers(), max_size=2),
    st.just(pd.NA), st.just(pd.NaT), st.just(object()),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
)  # fmt: skip


@st.composite
def columns(draw: st.DrawFn) -> dict[Any, list[Any]]:
    """Some columns as they should be, some of anything."""
    rows = draw(st.integers(0, 40))
    found: dict[Any, list[Any]] = {}
    if draw(st.booleans()):
        found = {name: [1.0] * rows for name in FD001.columns}
    if draw(st.booleans()):
        found["cycle"] = list(range(1, rows + 1))
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.one_of(NAMES, st.integers(), st.text(max_size=4)))
        pool = draw(st.lists(VALUES, min_size=1, max_size=4))
        found[name] = [pool[i % len(pool)] for i in range(rows)]
    return found


def is_a_result_or_one_sentence(frame: Any, **named: Any) -> None:
    sentences: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for look in (
            lambda: FD001.score(frame, **named),
            lambda: surgeline.machine_from_frame(frame),
        ):
            try:
                found = look()
            except surgeline.SurgelineError as exc:
                sentences.append(str(exc))
                continue
            if isinstance(found, surgeline.Description):
                found.to_toml()
                continue
            assert type(found) is type(frame)
            assert len(found) == len(frame)
            assert set(found["outcome"]) <= OUTCOMES
    assert all(each and "\n" not in each for each in sentences)


@settings(deadline=None, max_examples=60)
@given(columns())
def test_any_pandas_frame_is_a_result_or_one_sentence(found: dict[Any, list[Any]]) -> None:
    is_a_result_or_one_sentence(pd.DataFrame(found, dtype=object))
    try:
        inferred = pd.DataFrame(found)
    except (ValueError, TypeError, OverflowError):
        return  # pandas itself makes no frame of it
    is_a_result_or_one_sentence(inferred)


def polars_column(name: str, values: list[Any]) -> pl.Series:
    try:
        return pl.Series(name, values, strict=False)
    except (Exception, pl.exceptions.PanicException):  # noqa: BLE001 (polars says it in many ways)
        return pl.Series(name, values, pl.Object)


@settings(deadline=None, max_examples=60)
@given(columns())
def test_any_polars_frame_is_a_result_or_one_sentence(found: dict[Any, list[Any]]) -> None:
    named = {str(name).encode(errors="replace").decode(): found[name] for name in found}
    is_a_result_or_one_sentence(pl.DataFrame([polars_column(*each) for each in named.items()]))


@settings(deadline=None, max_examples=50)
@given(dataframes(min_cols=1, max_cols=4), st.booleans())
def test_columns_of_any_type_of_polars_are_a_result_or_one_sentence(
    frame: pl.DataFrame, beside: bool
) -> None:
    if beside:
        frame = frame.with_columns(pl.lit(1.0).alias(name) for name in FD001.columns[2:])
        names = dict(zip(frame.columns, FD001.columns[:2], strict=False))
        frame = frame.rename(names)
    is_a_result_or_one_sentence(frame)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pd.Series([1, 2, None], dtype="Int64"), id="nullable"),
        pytest.param(pd.Series([1.0, 2.0, None]), id="floats"),
        pytest.param(pd.Series([1, 2, None], dtype=object), id="objects"),
        pytest.param(pd.Series(["1", "2", ""]), id="texts"),
        pytest.param(pd.Series(["1", "2", None], dtype="category"), id="categories"),
        pytest.param(pd.Series([Decimal(1), Decimal(2), Decimal("NaN")]), id="decimals"),
        pytest.param(pd.Series([np.float32(1), np.float32(2), np.nan], dtype="float32"), id="32"),
    ],
)
def test_numbers_are_read_whatever_they_are_kept_as(values: pd.Series[Any]) -> None:
    frame = pd.DataFrame({"other": [1, 2, 3], "a": values})

    found = read_frame(frame).table.column("a")

    assert np.array_equal(found.numbers, [1.0, 2.0, np.nan], equal_nan=True)
    assert found.texts() in (["1", "2", None], ["1.0", "2.0", None])


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_pandas_are_those_of_polars(zone: str | None, unit: str) -> None:
    moments = pd.date_range("2026-01-01", periods=3, freq="7min", tz=zone).as_unit(unit)
    frame = pd.DataFrame({"time": [*moments[:2], pd.NaT], "a": [1, 2, 3]})

    raw = read_frame(frame).table.column("time").raw

    expected = [None if each is pd.NaT else each.value // 1000 for each in frame["time"]]
    assert raw.dt.epoch("us").to_list() == expected


def test_the_same_values_have_the_same_digest() -> None:
    values = {"a": [1.0, 2.0, np.nan], "b": ["x", None, "z"]}

    digests = {
        read_frame(pd.DataFrame(values)).table.sha256,
        read_frame(pl.DataFrame(values)).table.sha256,
    }
    other = read_frame(pl.DataFrame({**values, "a": [1.0, 2.0, 3.0]})).table.sha256

    assert len(digests) == 1
    assert other not in digests


def test_a_subclass_of_a_frame_is_one() -> None:
    class Mine(pd.DataFrame):  # type: ignore[misc]  # pandas comes without types
        """Somebody's own."""

    assert read_frame(Mine({"a": [1, 2]})).kind == "pandas"
    with pytest.raises(surgeline.SurgelineError, match="dict came; a DataFrame"):
        read_frame({"a": [1, 2]})
