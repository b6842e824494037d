"""Tables: CSV as people have it, Parquet, and every file that is none, told in one sentence."""

from __future__ import annotations

import gzip
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import BackendMissingError, DatasetError
from common.readers.table_file import read_table

PLAIN = "time,Pressure [bar],pump\n2026-01-01 00:00:00,1.5,A\n2026-01-01 00:01:00,,A\n"


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(PLAIN, id="comma"),
        pytest.param(PLAIN.replace(",", ";"), id="semicolon"),
        pytest.param(PLAIN.replace(",", "\t"), id="tab"),
        pytest.param(PLAIN.replace(",", ";").replace("1.5", "1,5"), id="decimal comma"),
        pytest.param("\ufeff" + PLAIN, id="byte order mark"),
        pytest.param(PLAIN.encode("utf-16"), id="UTF-16"),
        pytest.param(PLAIN.replace("\n", "\r\n"), id="Windows"),
        pytest.param(PLAIN.replace("\n", "\r"), id="old Mac"),
        pytest.param(PLAIN.replace("Pressure [bar]", '"Pressure [bar]"'), id="quoted name"),
        pytest.param(PLAIN.replace("1.5", '"1.5"'), id="quoted value"),
        pytest.param(PLAIN.replace(",", " , "), id="spaces"),
        pytest.param("\n\n" + PLAIN + "\n\n", id="blank lines around"),
        pytest.param(PLAIN.replace("A\n2", "A\n\n,,\n \n2"), id="blank lines within"),
        pytest.param(PLAIN.replace(",,", ",N/A,"), id="N/A"),
        pytest.param(gzip.compress(PLAIN.encode()), id="gzip"),
    ],
)
def test_a_table_reads_the_same_however_it_is_written(tmp_path: Path, content: str | bytes) -> None:
    table = read_table(written(tmp_path, content))

    assert table.names == ("time", "Pressure [bar]", "pump")
    assert [column.kind for column in table.columns] == ["text", "number", "text"]
    np.testing.assert_array_equal(table.column("Pressure [bar]").numbers, [1.5, np.nan])
    assert table.column("pump").texts() == ["A", "A"]


def test_a_last_field_may_be_blank_whatever_separates(tmp_path: Path) -> None:
    for separator in "\t;,":
        table = read_table(written(tmp_path, "a,b\n1,2\n3,".replace(",", separator)))

        np.testing.assert_array_equal(table.column("b").numbers, [2.0, np.nan])


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a,b\n1,2\n\n,\n3,4\n"))

    assert table.lines.tolist() == [2, 5]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\n\n\n", "is empty", id="blank"),
        pytest.param(b"a,b\n", "no rows", id="names alone"),
        pytest.param(b"\x00\x01\x02PNG", "is not text", id="binary"),
        pytest.param(b"PK\x03\x04xxxx", "Excel", id="workbook"),
        pytest.param(b"PAR1xxxxxxxxPAR1", "as Parquet", id="damaged Parquet"),
        pytest.param(gzip.compress(PLAIN.encode())[:-9], "damaged gzip", id="cut gzip"),
        pytest.param(b"\xff\xfea", "UTF-16", id="cut UTF-16"),
        pytest.param(b"value\n1\n2\n", "one column", id="one column"),
        pytest.param(b"1,2\n3,4\n", "line 1: '1,2' came; names of columns", id="no names"),
        pytest.param(b"a,b\n1,2\n1,2,3\n", "line 3: 3 fields came; 2 were", id="too long"),
        pytest.param(b"a,b,c\n1,2,3\n\n1,2\n", "line 4: 2 fields came; 3 were", id="too short"),
        pytest.param(b'a,b\n"1",2\n"1\n', "line 3", id="half a quotation mark"),
        pytest.param(b'a,b\n"1",2\n1,2,3\n', "line 3: 3 fields", id="too long, quoted"),
        pytest.param(b"a,b,a\n1,2,3\n", "columns 1 and 3 are both named 'a'", id="twice"),
        pytest.param(b"a\\b,a/b\n1,2\n", "would both be called 'a/b'", id="twice as channels"),
        pytest.param(b"a,b\n,\n,\n", "all of them are blank", id="nothing but blanks"),
        pytest.param(b'a,b\n"' + b"x" * 200_000 + b'",1\n', "line", id="a field without end"),
    ],
)
def test_what_is_no_table_is_told_in_one_sentence(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = written(tmp_path, content)

    with pytest.raises(DatasetError) as caught:
        read_table(path)

    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_file_that_is_missing_are_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Is a directory"):
        read_table(tmp_path)
    with pytest.raises(DatasetError, match="No such file"):
        read_table(tmp_path / "none.csv")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.getbasetemp(), content, "any.csv")

    try:
        table = read_table(path)
    except DatasetError:
        return
    assert all(len(column.numbers) == len(table) for column in table.columns)


@given(st.text('ab1,;"\n\t .-é', max_size=60))
def test_any_text_is_a_table_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    path = written(tmp_path_factory.getbasetemp(), content, "text.csv")

    try:
        table = read_table(path)
    except DatasetError:
        return
    assert all(len(column.numbers) == len(table) for column in table.columns)


def test_windows_1252_is_read_and_said(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "time;T [°C]\n1;2\n".encode("cp1252")))

    assert table.names == ("time", "T [°C]")
    assert "Windows-1252" in table.notes[0]


def test_a_few_texts_among_numbers_are_blank_and_said(tmp_path: Path) -> None:
    rows = "\n".join("Bad,1" if number % 20 == 0 else f"{number},1" for number in range(100))
    table = read_table(written(tmp_path, f"a,b\n{rows}\n"))

    assert table.column("a").kind == "number"
    assert int(np.isnan(table.column("a").numbers).sum()) == 5
    assert table.notes == ("column 'a': 5 texts ('Bad') were read as blank",)


def test_infinity_is_blank_and_a_name_that_is_missing_is_a_number(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, ",a\n0,inf\n1,2\n"))

    assert table.names == ("column 1", "a")
    np.testing.assert_array_equal(table.column("a").numbers, [np.nan, 2.0])


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame(
        {
            "at": pl.Series([0, 60_000_000]).cast(pl.Datetime("us", "UTC")),
            "machine": pl.Series(["a", "b"], dtype=pl.Categorical),
            "on": [True, None],
            "x": pl.Series([1, None], dtype=pl.Int16),
            "list": [[1], [2]],
        }
    ).write_parquet(path)

    table = read_table(path)

    assert [column.kind for column in table.columns] == [
        "time", "text", "number", "number", "blank",
    ]  # fmt: skip
    assert table.column("machine").texts() == ["a", "b"]
    assert "list" in table.notes[0]


def test_a_million_blanks_are_read_in_a_moment(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n" + "\n" * 1_000_000 + ",\n" * 1_000_000 + "3,4\n")
    began = time.process_time()

    table = read_table(path)

    assert table.column("b").numbers.tolist() == [2.0, 4.0]
    assert table.lines.tolist() == [2, 2_000_003]
    assert time.process_time() - began < 10


def test_without_polars_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)

    with pytest.raises(BackendMissingError, match="extra `tables`"):
        read_table(written(tmp_path, PLAIN))
