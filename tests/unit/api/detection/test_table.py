"""CSV files: whatever is in one, every row has a place, and what is wrong is said."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from api.adapters.scoring import table
from api.adapters.scoring.header import WrongFileError
from api.adapters.scoring.table import FileRows, read_rows
from api.detection.values import MOST_PROBLEMS
from common.machines.machine import MachineType
from tests.support.builders import toy_machine
from tests.support.own_pumps import PUMP

MACHINE = toy_machine()
NAMES = "altitude,mach,tra,T24,T30,T50"
ROW = "0,0.5,100,1,2,3"


def read(
    tmp_path: Path, text: str | bytes, machine: MachineType = MACHINE, most: int = 1000
) -> FileRows:
    path = tmp_path / "file.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_rows(path, machine, "engine-7", most)


def test_columns_stand_in_any_order_and_others_are_ignored(tmp_path: Path) -> None:
    found = read(tmp_path, "x,T50,T30,T24,tra,mach,altitude\ny,3,2,1,100,0.5,0\n")

    assert found.values.tolist() == [[0.0, 0.5, 100.0, 1.0, 2.0, 3.0]]
    assert found.assets == ("engine-7",)
    assert found.cycles.tolist() == [1]
    assert found.lines.tolist() == [2]
    assert found.usable.tolist() == [True]
    assert found.ignored == ("x",)
    assert found.notes.total == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"\ufeff{NAMES}\r\n{ROW}\r\n", id="as spreadsheets write it"),
        pytest.param(f"{NAMES}\n{ROW}".replace(",", ";").replace("0.5", "0,5"), id="semicolons"),
        pytest.param(f"{NAMES}\n{ROW}".replace(",", "\t"), id="tabs"),
        pytest.param(f"\n\n{NAMES}\n\n{ROW}\n,,,,,\n\n", id="blank lines"),
        pytest.param(f'"{NAMES}"\n'.replace(",", '","') + ROW, id="quoted"),
    ],
)
def test_the_usual_forms_are_read(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).values.tolist() == [[0.0, 0.5, 100.0, 1.0, 2.0, 3.0]]


def test_machines_and_cycles_have_columns_of_their_own(tmp_path: Path) -> None:
    text = f"unit,cycle,{NAMES}\na,3,{ROW}\nb,7,{ROW}\na,5,{ROW}\na,5,{ROW}\na,x,{ROW}\n,9,{ROW}\n"

    found = read(tmp_path, text)

    assert found.assets == ("a", "b")
    assert found.owner.tolist() == [0, 1, 0, 0, 0, -1]
    assert found.cycles.tolist() == [3, 7, 5, 0, 0, 0]
    assert found.usable.tolist() == [True, True, True, False, False, False]
    assert [(each.row, each.column, each.expected[:14]) for each in found.notes.listed] == [
        (3, "cycle", "a cycle after "), (4, "cycle", "a whole number"),
        (5, "asset_id", "the name of a "),
    ]  # fmt: skip


def test_what_is_no_number_is_a_blank_and_what_is_not_plausible_refuses_its_row(
    tmp_path: Path,
) -> None:
    rows = [
        "0,0,0,1,n/a,3",
        "0,0,0,1,1e19,3",
        "?,0,0,1,2,3",
        "0,0,0,,,",
        "0,0,0,1",
        "0,0,0,1_0,2,3",
    ]

    found = read(tmp_path, "\n".join([NAMES, *rows]))

    assert found.usable.tolist() == [True, False, False, False, False, True]
    assert np.isnan(found.values[0, 4])
    assert np.isnan(found.values[5, 3])
    told = {(each.row, each.column, each.received, each.refused) for each in found.notes.listed}
    assert {
        (0, "T30", "n/a", False),
        (1, "T30", "1e+19", True),
        (2, "altitude", "", True),
        (3, None, "no value", True),
        (4, None, "4 fields", True),
        (5, "T24", "1_0", False),
    } <= told


def test_limits_have_the_machines_unit(tmp_path: Path) -> None:
    text = "ts,Flow Rate,Pressure,Motor Temperature\n2026-01-01T00:00:00Z,700,4,70\n"

    (note,) = read(tmp_path, text, PUMP).notes.listed

    assert (note.column, note.received, note.expected) == ("Flow Rate", "700", "0 to 500 l/min")


def test_a_machine_on_a_clock_counts_by_time(tmp_path: Path) -> None:
    names = "time,Flow Rate,Pressure,Motor Temperature"
    times = ["2026-01-01T00:00:00Z", "2026-01-01T01:00:01+01:00", "2026-01-01", "yesterday", ""]
    found = read(tmp_path, "\n".join([names, *(f"{each},100,4,70" for each in times)]), PUMP)

    assert np.diff(found.cycles[:2]).tolist() == [1]
    assert found.cycles[2:].tolist() == [0, 0, 0]
    assert {each.column for each in found.notes.listed} == {"time"}
    with pytest.raises(WrongFileError, match="counts by time"):
        read(tmp_path, "Flow Rate,Pressure,Motor Temperature\n1,2,3\n", PUMP)


@pytest.mark.parametrize(
    ("text", "column", "why"),
    [
        pytest.param("", None, "It is empty", id="empty"),
        pytest.param("\n \n", None, "It is empty", id="blank"),
        pytest.param(NAMES, None, "no rows", id="names alone"),
        pytest.param("altitude,mach,tra,T24,T3O,T50\n" + ROW, "T30", "Did you mean T3O", id="typo"),
        pytest.param(NAMES + ",T50\n" + ROW + ",1", "T50", "twice", id="twice"),
        pytest.param(NAMES + "\n" + f"{ROW}\n" * 1001, None, "more than 1000 rows", id="rows"),
        pytest.param(NAMES + '\n"' + "x" * 200_000, None, "quotation mark", id="quote"),
        pytest.param(",".join("x" * 4001), None, "columns", id="columns"),
        pytest.param("x" * 500_000, None, "no table", id="one endless line"),
        pytest.param(
            f"unit,{NAMES}\n" + "".join(f"m{i},{ROW}\n" for i in range(9)), None, "machines",
            id="machines",
        ),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, column: str | None, why: str
) -> None:
    monkeypatch.setattr(table, "MOST_ASSETS", 8)
    with pytest.raises(WrongFileError, match=why) as caught:
        read(tmp_path, text)

    assert caught.value.column == column


def test_all_that_is_wrong_is_counted_and_the_first_of_it_listed(tmp_path: Path) -> None:
    found = read(tmp_path, NAMES + "\n" + "0,0,0,x,2,3\n" * 300)

    assert found.notes.total == 300
    assert len(found.notes.listed) == MOST_PROBLEMS


cells = st.sampled_from(
    ["", "1", "-2.5", "1e5", "1e999", "nan", "inf", "x", '"', "1;2", "\0", "1,5", "٣", "\ud7ff"]
) | st.text(max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.lists(st.lists(cells, max_size=8), max_size=8), st.sampled_from([",", ";", "\t"]))
@example([["0", "0", "0", "1", "2", "3"]], ",")
def test_whatever_strangers_send_is_rows_or_a_refusal(
    tmp_path: Path, rows: list[list[str]], separator: str
) -> None:
    lines = [NAMES.replace(",", separator), *(separator.join(row) for row in rows)]
    content = "\n".join(lines).encode(errors="surrogatepass")
    found: FileRows | None = None
    with suppress(WrongFileError):
        found = read(tmp_path, content)
    if found is None:
        return

    n = len(found.lines)
    assert found.values.shape == (n, 6)
    assert len(found.usable) == len(found.cycles) == len(found.owner) == n
    usable = found.values[found.usable]
    assert not np.isinf(usable).any()
    assert np.isfinite(usable[:, :3]).all()
    assert (~np.isnan(usable[:, 3:])).any(axis=1).all()
    refused = {each.row for each in found.notes.listed if each.refused}
    assert refused == set(np.flatnonzero(~found.usable).tolist()) or found.notes.total > 100


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.binary(max_size=300))
@example(b";")
def test_any_bytes_are_a_table_or_refused(tmp_path: Path, content: bytes) -> None:
    with suppress(WrongFileError):
        read(tmp_path, content)
