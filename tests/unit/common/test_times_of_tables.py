"""Columns of times: ISO text with a zone or none, epochs of any unit, and what is no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import DatasetError
from common.readers.table import Table
from common.readers.table_file import read_table
from common.readers.times import NO_TIME, looks_like_time, read_clock

MOMENT = datetime(2026, 1, 31, 12, 30, 15, 250_000, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US = (MOMENT - EPOCH) // timedelta(microseconds=1)


def table(folder: Path, *times: str) -> Table:
    path = folder / "t.csv"
    path.write_text("at;x\n" + "".join(f"{text};1\n" for text in times))
    return read_table(path)


@pytest.mark.parametrize(
    ("text", "us", "has_zone"),
    [
        pytest.param("2026-01-31 12:30:15.25", US, False, id="no zone"),
        pytest.param("2026-01-31T12:30:15,250", US, False, id="T and a comma"),
        pytest.param("2026-01-31T12:30:15.250000Z", US, True, id="Z"),
        pytest.param("2026-01-31T13:30:15.250+01:00", US, True, id="offset"),
        pytest.param("2026-01-31 07:00:15.250-0530", US, True, id="offset of half an hour"),
        pytest.param("2026-01-31 14:30:15.250+02", US, True, id="offset of hours"),
        pytest.param("2026-01-31 12:30", US - 15_250_000, False, id="minutes"),
        pytest.param("31.01.2026 12:30:15.25", US, False, id="German"),
        pytest.param("2026/01/31 12:30:15.25", US, False, id="slashes"),
        pytest.param("2026-01-31", US - 45_015_250_000, False, id="a day"),
        pytest.param(f"{US // 1_000_000}", US - 250_000, True, id="seconds"),
        pytest.param(f"{US / 1e6:.6f}", US, True, id="seconds and parts"),
        pytest.param(f"{US // 1000}", US, True, id="milliseconds"),
        pytest.param(f"{US}", US, True, id="microseconds"),
        pytest.param(f"{US}000", US, True, id="nanoseconds"),
    ],
)
def test_a_time_is_read_however_it_is_written(
    tmp_path: Path, text: str, us: int, has_zone: bool
) -> None:
    found = table(tmp_path, text, text, "")
    clock = read_clock(found, "at")

    assert looks_like_time(found.column("at"))
    assert clock.us.tolist() == [us, us, NO_TIME]
    assert clock.has_zone is has_zone


@given(st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 (no zone is meant)
def test_every_time_reads_back(tmp_path_factory: pytest.TempPathFactory, moment: datetime) -> None:
    clock = read_clock(table(tmp_path_factory.getbasetemp(), moment.isoformat()), "at")

    assert clock.us[0] == (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        pytest.param(("2026-01-01 00:00", "1/31/2026 2 PM"), "line 3", id="another form"),
        pytest.param(("2026-01-01 00:00", "2026-02-30 00:00"), "2026-02-30", id="no such day"),
        pytest.param(("2026-01-01 00:00Z", "2026-01-01 00:01"), "1 of 2 have one", id="mixed"),
        pytest.param(("1900-01-01 00:00",), "1970 to 2261", id="too early"),
        pytest.param(("1700000000", "1700000000000"), "in one unit", id="mixed units"),
        pytest.param(("0", "1", "2"), "--ignore", id="from a start"),
        pytest.param(("-5", "1700000000"), "'-5' came", id="negative"),
        pytest.param(("", ""), "is blank", id="blank"),
    ],
)
def test_what_is_no_time_names_line_and_value(
    tmp_path: Path, times: tuple[str, ...], told: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        read_clock(table(tmp_path, *times), "at")

    assert told in str(caught.value)


def test_times_of_parquet_keep_their_zone(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    berlin = pl.Series([US * 1000]).cast(pl.Datetime("ns", "Europe/Berlin"))
    pl.DataFrame(
        {"berlin": berlin, "naive": pl.Series([US]).cast(pl.Datetime("us"))}
    ).write_parquet(path)
    found = read_table(path)

    assert read_clock(found, "berlin").us.tolist() == [US]
    assert read_clock(found, "berlin").has_zone
    assert read_clock(found, "naive").us.tolist() == [US]
    assert not read_clock(found, "naive").has_zone
