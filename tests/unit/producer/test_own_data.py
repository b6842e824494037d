"""What `surgeline init` finds in a table: columns, cadence, set points, limits; and its TOML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import DatasetError
from common.machines.files import load_machine, parse_machine
from common.machines.machine import Channel, Condition, MachineType, Step, Window
from common.readers.roles import Roles
from common.readers.table_file import read_table
from producer.own_data.describe import describe
from producer.own_data.findings import ColumnFinding, Findings
from producer.own_data.infer import infer
from producer.own_data.levels import find_levels
from producer.own_data.limits import find_limits, outlier
from producer.own_data.units import unit_of
from tests.support.pumps import CHANNELS, write_pumps

N = 600
RNG = np.random.default_rng(0)
NOISY = RNG.normal(50, 1, N)


def found(folder: Path, columns: Mapping[str, Any], **given: str) -> Findings:
    """What is inferred of a table with one reading every 10 s, unless it has a time of its own."""
    times = {"at": [1_700_000_000 + 10 * row for row in range(len(next(iter(columns.values()))))]}
    path = folder / "rig.csv"
    pl.DataFrame({**({} if "at" in columns else times), **columns}, strict=False).write_csv(path)
    return infer([read_table(path)], "rig", Roles(**given))


def decisions(findings: Findings) -> dict[str, str]:
    return {each.name: each.decision for each in findings.columns}


def test_pumps_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "pumps.csv"
    truth = write_pumps(path, days=4)

    findings = infer([read_table(path)], "pumps", Roles())

    machine = findings.machine
    assert findings.roles == Roles(time="Timestamp", asset="Pump")
    assert findings.assets == ("P-101", "P-102", "P-103")
    assert machine.step == Step(word="minute", clock="time", interval_s=60.0)
    assert machine.window.length == 30
    assert machine.channel_names == CHANNELS
    assert [each.unit for each in machine.channels] == [
        "bar", "bar", "m3/h", "A", "degC", "degC", "mm/s", "mm/s",
    ]  # fmt: skip
    assert machine.conditions == ()
    assert findings.cadence is not None
    assert findings.cadence.longer == 3 * len(truth.outages)
    assert set(truth.channels) <= set(CHANNELS)


def test_the_same_seed_makes_the_same_pumps_with_the_same_truth(tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("first.csv", "again.csv", "other.csv"))

    truth = write_pumps(first, seed=1, days=10)

    assert write_pumps(again, seed=1, days=10) == truth
    write_pumps(other, seed=2, days=10)
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()
    table = pl.read_csv(first, try_parse_dates=True)
    failing, gross = (
        pl.col("Pump") == truth.pump,
        pl.col("Timestamp") >= truth.gross.replace(tzinfo=None),
    )
    for channel in truth.channels:
        sound = table.filter(~failing)[channel].max()
        assert table.filter(failing & gross)[channel].max() > sound  # type: ignore[operator]
    for begin, end in truth.outages:
        times = pl.col("Timestamp").is_between(
            begin.replace(tzinfo=None), end.replace(tzinfo=None), closed="left"
        )
        assert table.filter(times).is_empty()


def test_each_column_becomes_what_it_is(tmp_path: Path) -> None:
    findings = found(
        tmp_path,
        {
            "x": NOISY,
            "flat": [7.0] * N,
            "nothing": [None] * N,
            "note": ["ok", "hot"] * (N // 2),
            "row": range(1, N + 1),
            "total": range(100, 2 * N + 100, 2),
            "elapsed time": [row / 10 for row in range(N)],
            "energy [kWh]": [row // 3 / 10 for row in range(N)],
            "fault": [0] * (N - 9) + [1] * 9,
            "speed setpoint [rpm]": [1450.0] * 300 + [2950.0] * 300,
        },
    )

    assert decisions(findings) == {
        "at": "time",
        "x": "channel",
        "flat": "not used",
        "nothing": "left out",
        "note": "left out",
        "row": "counter",
        "total": "left out",
        "elapsed time": "left out",
        "energy [kWh]": "not used",
        "fault": "label",
        "speed setpoint [rpm]": "condition",
    }
    [condition] = findings.machine.conditions
    assert (condition.unit, condition.tolerance) == ("rpm", 150.0)
    assert findings.machine.channel_names == ("x",)
    assert findings.machine.step.clock == "time"


@pytest.mark.parametrize(
    ("name", "values", "levels"),
    [
        pytest.param("speed", [1450] * 300 + [2950] * 300, (1450, 2950), id="two speeds"),
        pytest.param("mode", [1, 2, 3] * 200, (1, 2, 3), id="a mode that changes often"),
        pytest.param("x", [1, 2, 3] * 200, None, id="the same without its name"),
        pytest.param("valve", [0] * 300 + [1] * 300, None, id="0 and 1"),
        pytest.param("T", [25] * 300 + [26] * 300, None, id="a coarse sensor"),
        pytest.param("x", RNG.uniform(0, 0.01, 600) + [1, 2, 3] * 200, None, id="follows others"),
        pytest.param("x", RNG.uniform(0, 0.01, 600) + [0, 5] * 300, None, id="on and off"),
        pytest.param("speed", [1450] * 595 + [2950] * 5, None, id="hardly ever"),
        pytest.param("speed", [1450] * 50 + [2950] * 50, None, id="too few"),
        pytest.param("x", NOISY, None, id="measured"),
        pytest.param(
            "load", np.repeat([0, 10, 25, 42], 150) + RNG.uniform(-0.01, 0.01, 600),
            (0, 10, 25, 42), id="set, with jitter",
        ),
    ],
)  # fmt: skip
def test_set_points_are_found_only_where_it_is_sure(
    name: str, values: Sequence[float], levels: tuple[float, ...] | None
) -> None:
    result = find_levels(name, np.asarray(values, np.float64))

    if levels is None:
        assert result is None
    else:
        assert result is not None
        assert result.values == pytest.approx(levels, abs=0.01)
        assert result.tolerance <= 0.11 * min(np.diff(levels))


@given(st.lists(st.floats(-1e15, 1e15), min_size=1, max_size=20), st.floats(-1e6, 1e6))
def test_limits_are_far_beyond_all_that_was_seen(few: list[float], shift: float) -> None:
    values = np.resize(few, 200) + shift
    limits = find_limits(values)

    if limits is None:
        assert np.ptp(values) == 0 or outlier(values) is not None
        return
    assert limits[0] < min(0.0, values.min())
    assert limits[1] > max(0.0, values.max())
    assert limits[0] <= values.min() - 2.9 * np.ptp(values)
    assert limits[1] >= values.max() + 2.9 * np.ptp(values)


def test_no_limit_is_proposed_from_a_broken_sensor(tmp_path: Path) -> None:
    findings = found(tmp_path, {"x": [*NOISY[:-1], -9999.0], "y": NOISY})

    assert findings.machine.channels[0].limits == (-np.inf, np.inf)
    assert "-9999 is far from all others" in findings.columns[1].why
    assert findings.machine.channels[1].lowest is not None


def test_blanks_say_how_long_to_hold(tmp_path: Path) -> None:
    blanks = [None if row % 50 < 7 else row % 13 for row in range(N)]

    findings = found(tmp_path, {"x": blanks, "y": NOISY, "z": [None] * 200 + [*NOISY[200:]]})

    assert [each.max_hold for each in findings.machine.channels] == [7, 3, 10]


@pytest.mark.parametrize(
    ("times", "step"),
    [
        pytest.param([i * 60 for i in range(N)], Step(word="minute", clock="time", interval_s=60.0),
                     id="minutes"),
        pytest.param([i * 60 + i % 3 * 0.4 for i in range(N)],
                     Step(word="minute", clock="time", interval_s=60.0), id="a jitter"),
        pytest.param([i * 900 for i in range(N) if i % 7],
                     Step(word="reading", clock="time", interval_s=900.0), id="holes"),
        pytest.param([i * 0.02 for i in range(N)],
                     Step(word="reading", clock="time", interval_s=0.02), id="50 Hz"),
        pytest.param(list(np.cumsum(np.random.default_rng(1).exponential(60, N))),
                     Step(word="reading"), id="whenever"),
        pytest.param([0] * N, Step(word="reading"), id="time stands still"),
    ],
)  # fmt: skip
def test_cadence_is_found(tmp_path: Path, times: list[float], step: Step) -> None:
    values = NOISY[: len(times)]

    findings = found(tmp_path, {"at": [1.7e9 + each for each in times], "x": values})

    assert findings.machine.step == step


def test_short_stretches_make_a_short_window(tmp_path: Path) -> None:
    times = [
        1_700_000_000 + hour * 3600 + minute * 60 for hour in range(30) for minute in range(20)
    ]

    findings = found(tmp_path, {"at": times, "x": NOISY})

    assert (findings.stretch, findings.machine.window.length) == (20, 6)


def test_a_file_without_times_is_numbered(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    pl.DataFrame({"x": NOISY}).with_columns(y=NOISY * 2).write_csv(path)

    findings = infer([read_table(path)], "t", Roles())

    assert findings.machine.step.clock == "counter"
    assert findings.cadence is None
    assert any("numbered" in remark for remark in findings.remarks)


def test_rows_of_machines_nobody_told_apart_are_remarked(tmp_path: Path) -> None:
    times = [1_700_000_000 + row // 3 * 60 for row in range(N)]

    findings = found(tmp_path, {"at": times, "x": NOISY})

    assert any("--asset-column" in remark for remark in findings.remarks)


def test_nothing_measured_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no column of numbers that change .* flat \(not used"):
        found(tmp_path, {"flat": [1.0] * N, "note": ["a", "b"] * (N // 2)})


def test_set_points_alone_are_measured(tmp_path: Path) -> None:
    findings = found(tmp_path, {"speed": [1450] * 300 + [2950] * 300})

    assert findings.machine.channel_names == ("speed",)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Pressure [bar]", "bar"), ("Flow [m³/h]", "m³/h"), ("Speed (rpm)", "rpm"),
        ("Bearing (DE)", ""), ("T (°C)", "°C"), ("temp_C", "degC"), ("Phase A", ""),
        ("current_A", "A"), ("valve", ""), ("x[]", ""), ("Level %", ""), ("level_pct", "%"),
    ],
)  # fmt: skip
def test_units_are_found_in_names(name: str, unit: str) -> None:
    assert unit_of(name) == unit


printable = st.text(st.characters(codec="utf-8"), max_size=20)
channel_names = (
    st.text(st.characters(codec="utf-8", exclude_characters="\\"), min_size=1, max_size=64)
    .map(str.strip)
    .filter(lambda name: bool(name) and name.isprintable())
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
limits = st.tuples(numbers, numbers).map(sorted).filter(lambda pair: pair[0] < pair[1])


@st.composite
def machines(draw: st.DrawFn) -> MachineType:
    names = draw(st.lists(channel_names, min_size=1, max_size=6, unique=True))
    split = draw(st.integers(0, len(names) - 1))
    channels = [
        Channel(
            name=name,
            unit=draw(printable),
            meaning=draw(printable),
            lowest=low,
            highest=high,
            used=number == 0 or draw(st.booleans()),
            max_hold=draw(st.integers(0, 1000)),
        )
        for number, name in enumerate(names[split:])
        for low, high in [draw(st.just((None, None)) | limits.map(tuple))]
    ]
    return MachineType(
        name=draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}", fullmatch=True)),
        source=draw(printable),
        title=draw(printable),
        step=draw(
            st.builds(
                Step,
                word=st.from_regex(r"[a-z][a-z -]{0,31}", fullmatch=True),
                clock=st.sampled_from(["counter", "time"]),
                interval_s=st.floats(1e-6, 366 * 86_400.0),
                tolerance=st.floats(0.001, 0.5),
            )
        ),
        window=Window(length=draw(st.integers(2, 10_000))),
        conditions=tuple(
            Condition(name=name, unit=draw(printable), tolerance=draw(st.floats(1e-300, 1e300)))
            for name in names[:split]
        ),
        channels=tuple(channels),
    )


@given(machines(), printable)
def test_what_is_written_reads_back_as_exactly_the_same(machine: MachineType, why: str) -> None:
    names = [*machine.condition_names, *(each.name for each in machine.channels)]
    columns = [ColumnFinding(name, "channel", why, seen=(0.0, 1.0)) for name in names]
    other = ColumnFinding(why, "left out", why)
    findings = Findings(machine, (*columns, other), Roles(), None, 1, ("a",), 1, (why,))

    assert parse_machine(describe(findings), "written") == machine


@given(
    st.lists(channel_names, min_size=1, max_size=4, unique=True),
    st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=2, max_size=30),
)
def test_what_is_inferred_reads_back_whatever_columns_are_called(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], values: list[float | None]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        findings = found(folder, dict.fromkeys((f"c {name}"[:60] for name in names), values))
    except DatasetError:
        return
    path = folder / "rig.toml"
    path.write_text(describe(findings), encoding="utf-8")

    assert load_machine(str(path)) == findings.machine


@pytest.mark.real_data
def test_skab_is_understood(skab_dir: Path) -> None:
    tables = [read_table(path) for path in sorted(skab_dir.rglob("*.csv"))]

    findings = infer(tables, "skab", Roles())

    assert findings.roles == Roles(time="datetime", label="anomaly")
    assert findings.machine.step == Step(word="second", clock="time", interval_s=1.0)
    assert len(findings.machine.channel_names) == 8
    assert decisions(findings)["changepoint"] == "left out"
