"""Rows from JSON: whatever strangers send becomes numbers, or a list of what is wrong."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.detection.rows import LARGEST, MOST_WRONG, rows_of
from api.views.scoring.requests import ROW_EXAMPLE
from common.machines.machine import Channel, MachineType
from common.machines.turbofan import TURBOFAN
from models.artifact.store import load_artifact
from tests.support.builders import toy_machine
from tests.support.own_pumps import PUMP

MACHINE = toy_machine()
USED = TURBOFAN.using(("T24", "T50"))
WIDTH = MACHINE.row_width
SOUND: list[Any] = [0.0, 0.1, 100, 1.5, -2, 3e5]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.integers(10**300, 10**320)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=WIDTH + 1)
        | st.dictionaries(
            st.sampled_from(["altitude", "mach", "tra", "T24", "T30", "T50", "x"]),
            inner,
            max_size=7,
        )
    ),
    max_leaves=12,
)


@given(st.lists(anything, max_size=6), st.booleans())
@example([[math.nan] * 6], True)
@example([[10**400] * 6], False)
@example([SOUND, {}], False)
def test_rows_are_numbers_or_something_is_said(rows: list[Any], blanks: bool) -> None:
    found = rows_of(rows, MACHINE, blanks=blanks)

    assert found.values.shape == (len(rows), WIDTH)
    assert len(found.wrong) <= MOST_WRONG
    for each in found.wrong:
        assert each.path
        assert isinstance(each.path[0], int)
        assert 0 <= each.path[0] < len(rows)
        assert "expected" in each.message
    if not found.wrong:
        channels = found.values[:, 3:]
        assert np.isfinite(found.values[:, :3]).all()
        assert blanks or np.isfinite(channels).all()
        assert (np.abs(found.values[~np.isnan(found.values)]) <= LARGEST).all()


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6), min_size=WIDTH, max_size=WIDTH), min_size=1, max_size=4)
)
def test_lists_and_objects_mean_the_same_to_the_last_bit(rows: list[list[float]]) -> None:
    names = (*MACHINE.condition_names, *MACHINE.channel_names)
    objects = [dict(zip(names, row, strict=True)) | {"comment": "x"} for row in rows]

    by_list, by_name = rows_of(rows, MACHINE), rows_of(json.loads(json.dumps(objects)), MACHINE)

    assert not by_list.wrong
    assert not by_name.wrong
    assert by_list.values.tolist() == by_name.values.tolist() == rows


def test_a_list_may_have_the_used_channels_or_all_of_them() -> None:
    every = [*USED.condition_names, *(each.name for each in USED.channels)]
    row = [2000.0 if name in ("T24", "T50") else 5.0 for name in every]
    row[every.index("T24")], row[every.index("T50")] = 600.0, 1400.0

    wide, narrow = rows_of([row], USED), rows_of([[5.0, 5.0, 5.0, 600.0, 1400.0]], USED)

    assert wide.wrong == narrow.wrong == []
    assert wide.values.tolist() == narrow.values.tolist() == [[5.0, 5.0, 5.0, 600.0, 1400.0]]


@pytest.mark.parametrize(
    ("row", "path", "message"),
    [
        pytest.param([1.0, 2.0], (0,), "6 numbers", id="too few"),
        pytest.param("x", (0,), "6 numbers", id="no row"),
        pytest.param(None, (0,), "an object", id="null"),
        pytest.param([*SOUND[:5], "7"], (0, "T50"), "a number was expected", id="text"),
        pytest.param([*SOUND[:5], True], (0, "T50"), "a number was expected", id="boolean"),
        pytest.param([*SOUND[:5], None], (0, "T50"), "a number was expected", id="blank"),
        pytest.param([*SOUND[:5], math.inf], (0, "T50"), "a finite number", id="infinite"),
        pytest.param([*SOUND[:5], 10**400], (0, "T50"), "a finite number", id="endless"),
        pytest.param([*SOUND[:5], 1e19], (0, "T50"), "at most 1e+18", id="beyond all machines"),
        pytest.param([math.nan, *SOUND[1:]], (0, "altitude"), "a finite number", id="condition"),
        pytest.param({"altitude": 0.0}, (0, "mach"), "there is none", id="name missing"),
    ],
)
def test_what_is_wrong_is_named(row: object, path: tuple[object, ...], message: str) -> None:
    (first, *_) = rows_of([row], MACHINE).wrong

    assert first.path == path
    assert message in first.message


def test_what_no_sound_sensor_reads_is_refused_with_its_limits_and_unit() -> None:
    (wrong,) = rows_of([[600.0, 4.0, 70.0]], PUMP).wrong

    assert wrong.path == (0, "Flow Rate")
    assert wrong.message == "0 to 500 l/min was expected"


def test_a_condition_is_never_blank_and_a_channel_only_where_blanks_may_be() -> None:
    rows = [[0.0, 0.0, 0.0, None, 1.0, 1.0], [None, 0.0, 0.0, 1.0, 1.0, 1.0]]

    (wrong,) = rows_of(rows, MACHINE, blanks=True).wrong

    assert wrong.path == (1, "altitude")


def test_the_example_of_the_description_is_a_row_of_fd001() -> None:
    machine = load_artifact("fd001").manifest.machine

    assert not rows_of([ROW_EXAMPLE], machine).wrong
    assert set(ROW_EXAMPLE) == {*machine.condition_names, *machine.channel_names}


def test_many_names_are_cut_short() -> None:
    many = MachineType(name="m", channels=tuple(Channel(name=f"c{i}") for i in range(1000)))

    (wrong,) = rows_of([[1.0]], many).wrong

    assert len(wrong.message) < 500
