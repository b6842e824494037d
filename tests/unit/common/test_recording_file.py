"""From tables to recordings: roles, ticks, counters, assets; what is left out is counted."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from common.cmapss.engines import engine_asset_id
from common.cmapss.reader import remaining_useful_life
from common.errors import DatasetError
from common.machines.machine import Channel, Condition, MachineType, Step
from common.machines.turbofan import TURBOFAN
from common.readers.cmapss import as_recording
from common.readers.files import find_files
from common.readers.names import asset_id
from common.readers.recording_file import RecordingFile, read_recording
from common.readers.roles import Roles, find_roles
from common.readers.table_file import read_table
from tests.support.fleets import fleet

MINUTE = Step(clock="time", interval_s=60.0, tolerance=0.25)


def machine(step: Step = MINUTE, *channels: str, condition: str = "") -> MachineType:
    conditions = (Condition(name=condition, tolerance=1.0),) if condition else ()
    return MachineType(
        name="m",
        step=step,
        conditions=conditions,
        channels=tuple(Channel(name=name) for name in channels or ("x",)),
    )


def read(folder: Path, text: str, kind: MachineType, **given: str) -> RecordingFile:
    path = folder / "pumps.csv"
    path.write_text(text)
    return read_recording([path], kind, Roles(**given))


def minutes(*texts: str) -> str:
    """Lines of one asset: `MM:SS,value`."""
    return "at,x\n" + "".join(f"2026-01-01 00:{text}\n" for text in texts)


def test_a_reading_has_the_number_of_its_nearest_tick(tmp_path: Path) -> None:
    file = read(tmp_path, minutes("00:00,1", "01:05,2", "01:58,3"), machine())

    [asset] = file.recording.assets
    first = 1_767_225_600 // 60
    assert asset.cycles.tolist() == [first, first + 1, first + 2]
    assert asset.channels[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert asset.clock_us is not None
    assert asset.clock_us[1] == 1_767_225_665_000_000
    assert (asset.asset_id, file.recording.name) == ("pumps", "pumps")
    assert any("UTC" in remark for remark in file.remarks)


def test_of_two_readings_of_a_tick_the_first_counts(tmp_path: Path) -> None:
    file = read(tmp_path, minutes("00:00,1", "00:05,2", "01:00,3"), machine())

    assert file.recording.assets[0].channels[:, 0].tolist() == [1.0, 3.0]
    assert file.counts[0].same_tick == 1


def test_far_from_its_tick_a_reading_is_left_out(tmp_path: Path) -> None:
    file = read(tmp_path, minutes("00:00,1", "00:15,2", "00:16,3", "01:00,4"), machine())
    tolerant = machine(Step(clock="time", interval_s=60.0))

    assert (file.counts[0].off_tick, file.counts[0].same_tick) == (1, 1)
    assert read(tmp_path, minutes("00:00,1", "00:30,2"), tolerant).counts[0].off_tick == 0


def test_rows_out_of_order_are_sorted_and_counted(tmp_path: Path) -> None:
    file = read(tmp_path, minutes("00:00,1", "02:00,3", "01:00,2"), machine())

    assert file.recording.assets[0].channels[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert file.counts[0].out_of_order == 1


def test_rows_without_a_time_are_counted(tmp_path: Path) -> None:
    file = read(tmp_path, "at,x\n2026-01-01,1\n,2\n", machine())

    assert (file.counts[0].rows, file.counts[0].without_time) == (2, 1)


def test_assets_come_from_their_column_and_get_safe_ids(tmp_path: Path) -> None:
    text = "at,x,Pump\n2026-01-01,1,Süd 1\n2026-01-01,2,P#2\n2026-01-02,3,Süd 1\n2026-01-02,4,P#2\n"

    file = read(tmp_path, text, machine())

    assert file.roles == Roles(time="at", asset="Pump")
    assert [each.asset_id for each in file.recording.assets] == ["Sud-1", "P_2"]
    assert [each.called for each in file.counts] == ["Süd 1", "P#2"]
    assert file.recording.assets[0].channels[:, 0].tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("name", "safe"), [("##7", "7"), ("a" * 200, "a" * 128), (" P 1\t2 ", "P-1-2"), ("*", "")]
)
def test_asset_ids_follow_the_rule(name: str, safe: str) -> None:
    assert asset_id(name) == safe


@pytest.mark.parametrize(
    ("names", "told"),
    [(("P 1", "P-1"), "would both be called 'P-1'"), (("***", "P-1"), "cannot name an asset")],
)
def test_assets_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, names: tuple[str, str], told: str
) -> None:
    text = "at,x,Pump\n" + "".join(f"2026-01-01,1,{name}\n" for name in names)

    with pytest.raises(DatasetError, match=told):
        read(tmp_path, text, machine(), asset="Pump")


def test_several_files_are_assets_named_after_them(tmp_path: Path) -> None:
    for name in ("valve1/0.csv", "valve2/0.csv.gz"):
        path = tmp_path / name
        path.parent.mkdir()
        text = minutes("00:00,1", "01:00,2").encode()
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)

    file = read_recording(find_files([str(tmp_path)]), machine())

    assert [each.asset_id for each in file.recording.assets] == ["valve1-0", "valve2-0"]
    assert file.recording.rows == 4


def test_files_of_the_same_assets_are_joined(tmp_path: Path) -> None:
    for month in ("01", "02"):
        (tmp_path / f"{month}.csv").write_text(
            f"at,x,pump\n2026-{month}-01,1,A\n2026-{month}-01,2,B\n"
        )

    file = read_recording(find_files([str(tmp_path / "*.csv")]), machine(), Roles(asset="pump"))

    assert [(each.asset_id, len(each)) for each in file.recording.assets] == [("A", 2), ("B", 2)]


def test_a_counter_is_the_cycle_and_without_one_readings_are_numbered(tmp_path: Path) -> None:
    counted = read(tmp_path, "cycle,x\n3,1\n5,2\n9,4\n", machine(Step()))
    numbered = read(tmp_path, "y,x\n3,1\n3,2\n", machine(Step()))
    disordered = read(
        tmp_path, "n,x\n5,2\n3,1\n3,7\n,8\n0,9\n1.5,9\n", machine(Step()), counter="n"
    )

    assert counted.recording.assets[0].cycles.tolist() == [3, 5, 9]
    assert counted.recording.assets[0].clock_us is None
    assert numbered.recording.assets[0].cycles.tolist() == [1, 2]
    assert disordered.recording.assets[0].cycles.tolist() == [3, 5]
    assert disordered.recording.assets[0].channels[:, 0].tolist() == [1.0, 2.0]
    assert disordered.counts[0][2:] == (6, 3, 0, 1, 2)


def test_a_label_says_what_is_sound_and_what_fails(tmp_path: Path) -> None:
    text = "at,x,changepoint,anomaly\n2026-01-01,1,0,0\n2026-01-02,1,1,1\n2026-01-03,1,0,\n"

    file = read(tmp_path, text, machine(Step(clock="time", interval_s=86_400.0)))

    [asset] = file.recording.assets
    assert file.roles.label == "anomaly"
    assert asset.healthy is not None
    assert asset.faulty is not None
    assert asset.healthy.tolist() == [True, False, False]
    assert asset.faulty.tolist() == [False, True, False]


def test_conditions_and_channels_are_in_the_order_of_the_machine_type(tmp_path: Path) -> None:
    kind = machine(MINUTE, "b", "a", condition="load")

    file = read(tmp_path, "a,load,at,b\n1,2,2026-01-01,3\n", kind)

    [asset] = file.recording.assets
    assert asset.conditions.tolist() == [[2.0]]
    assert asset.channels.tolist() == [[3.0, 1.0]]
    assert not asset.channels.flags.writeable


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("at,y\n2026-01-01,1\n", "lacks the columns 'x'", id="no such channel"),
        pytest.param("at,x\n2026-01-01,on\n", "line 2: 'on' came in column 'x'", id="texts"),
        pytest.param("when,x\nnoon,1\n", "Name it with --time-column", id="no time"),
        pytest.param("Date,x\n1/31/2026 2 PM,1\n", "line 2: '1/31/2026 2 PM' came", id="US"),
        pytest.param("at,x\n2026-01-01,1\n2026-01-01Z,1\n", "1 of 2 have one", id="mixed zones"),
    ],
)
def test_what_does_not_fit_the_machine_type_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        read(tmp_path, text, machine())


def test_a_column_given_by_name_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Did you mean pump"):
        read(tmp_path, "at,x,pump\n2026-01-01,1,A\n", machine(), asset="pumps")


@pytest.mark.parametrize(
    ("header", "row", "roles"),
    [
        pytest.param("Zeit,Anlage,x", "2026-01-{n:02d},A,1", Roles("Zeit", "Anlage"), id="German"),
        pytest.param("ts,x", "{epoch},1", Roles("ts"), id="epoch"),
        pytest.param("at,x", "{epoch},1", Roles("at"), id="an epoch of another name"),
        pytest.param("big,x", "{flip}00000000,1", Roles(), id="a number of that size"),
        pytest.param("ts,Machine status,x", "{epoch},RUN,1", Roles("ts"), id="a state"),
        pytest.param("ts,machine_id,x", "{epoch},7,1", Roles("ts", "machine_id"), id="an id"),
        pytest.param(",ts,x", "{n},{epoch},1", Roles("ts", counter="column 1"), id="an index"),
        pytest.param("ts,fault,x", "{epoch},0,1", Roles("ts", label="fault"), id="a label"),
        pytest.param("ts,fault current,x", "{epoch},0.{n},1", Roles("ts"), id="no label"),
    ],
)
def test_roles_are_found(tmp_path: Path, header: str, row: str, roles: Roles) -> None:
    path = tmp_path / "t.csv"
    rows = (row.format(n=n, epoch=1_700_000_000 + n, flip=10 + n % 2) for n in range(1, 20))
    path.write_text("\n".join((header, *rows)))

    assert find_roles(read_table(path), Roles()) == roles


def test_an_asset_without_a_name_that_tells_is_found_by_its_times(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f"2026-01-{day:02d},{who},1\n" for day in range(1, 20) for who in ("N", "S"))
    path.write_text(f"at,side,x\n{rows}")

    assert find_roles(read_table(path), Roles()).asset == "side"


def test_parquet_and_csv_are_the_same_recording(tmp_path: Path) -> None:
    text = minutes("00:00,1", "01:00,2.5", "02:00,")
    csv = read(tmp_path, text, machine())
    path = tmp_path / "pumps.parquet"
    pl.read_csv(text.encode(), try_parse_dates=True).write_parquet(path)

    parquet = read_recording([path], machine())

    np.testing.assert_array_equal(
        csv.recording.assets[0].channels, parquet.recording.assets[0].channels
    )
    assert csv.recording.assets[0].cycles.tolist() == parquet.recording.assets[0].cycles.tolist()


def test_turbofan_engines_are_a_recording() -> None:
    dataset = fleet(2)

    recording = as_recording(dataset)

    assert recording.machine is TURBOFAN
    assert recording.rows == dataset.rows
    first = recording.assets[0]
    assert first.asset_id == engine_asset_id(dataset.name, dataset.split, 1)
    assert first.life_left is not None
    assert first.life_left.tolist() == remaining_useful_life(dataset)[0].tolist()
    assert first.healthy is None


@pytest.mark.real_data
def test_skab_is_read_as_one_asset_a_file(skab_dir: Path) -> None:
    names = read_table(skab_dir / "anomaly-free.csv").names[1:]
    kind = machine(Step(clock="time", interval_s=1.0), *names)

    file = read_recording(find_files([str(skab_dir)]), kind)

    assert file.roles == Roles(time="datetime", label="anomaly")
    by_id = {each.asset_id: each for each in file.recording.assets}
    assert by_id["anomaly-free"].faulty is None
    faulty = by_id["valve1-0"].faulty
    assert faulty is not None
    assert 0 < int(faulty.sum()) < len(faulty)
    assert sum(each.rows for each in file.counts) == file.recording.rows + sum(
        each.same_tick + each.off_tick + each.without_time for each in file.counts
    )
