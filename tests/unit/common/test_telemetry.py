"""Streams of SMAP and MSL: found, read as they are, refused where they are damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from common.errors import DatasetError
from common.readers.telemetry import as_recording
from common.telemetry.files import find_folder, parse_array, read_content, spacecraft_of
from common.telemetry.labels import DISPUTED, LONGEST_CLEAN, parse_labels
from common.telemetry.published import PUBLISHED_STREAMS
from common.telemetry.streams import load_streams, machine_of, read_labels
from tests.support.telemetry import BURST, TEST_ROWS, TRAIN_ROWS, write_telemetry

NAMES = {"A-1": "SMAP", "P-2": "SMAP", "C-1": "MSL"}
HEAD = "chan_id,spacecraft,anomaly_sequences,class,num_values\n"


@pytest.mark.parametrize("packed", [True, False], ids=["archives", "folders"])
def test_both_layouts_are_read_alike(tmp_path: Path, packed: bool) -> None:
    folder = write_telemetry(tmp_path / "smap_msl", NAMES, packed=packed)

    streams = load_streams(folder, "SMAP", "test")

    assert [each.name for each in streams] == ["A-1", "P-2"]
    assert [each.anomalies for each in streams] == [(BURST,), (BURST,)]
    assert streams[0].values.shape == (TEST_ROWS, 25)
    content = read_content(folder, "A-1", "test")
    assert streams[0].sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("named", ["smap_msl", ".", "cmapss"], ids=["itself", "above", "beside"])
def test_the_folder_is_found_from_where_the_setting_points(tmp_path: Path, named: str) -> None:
    write_telemetry(tmp_path / "smap_msl", NAMES)

    found = find_folder(tmp_path / named)

    assert found is not None
    assert found.resolve() == tmp_path / "smap_msl"


def test_where_there_is_none_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="SURGELINE_DATA_DIR"):
        load_streams(tmp_path, "SMAP", "test")


def test_a_stream_is_an_asset_whose_readings_are_counted(tmp_path: Path) -> None:
    streams = load_streams(write_telemetry(tmp_path, NAMES), "MSL", "test")

    (asset,) = as_recording(streams).assets

    assert asset.asset_id == "C-1"
    assert asset.cycles.tolist() == list(range(1, TEST_ROWS + 1))
    assert asset.clock_us is None
    assert asset.faulty is not None
    assert asset.healthy is not None
    assert np.flatnonzero(asset.faulty).tolist() == list(range(*BURST))
    assert not (asset.faulty & asset.healthy).any()
    assert asset.values(machine_of("MSL")).shape == (TEST_ROWS, 1)


def test_training_readings_are_taken_for_healthy(tmp_path: Path) -> None:
    assets = as_recording(load_streams(write_telemetry(tmp_path, NAMES), "SMAP", "train")).assets

    assert [len(asset) for asset in assets] == [TRAIN_ROWS, TRAIN_ROWS]
    assert all(asset.healthy is not None and asset.healthy.all() for asset in assets)


def test_a_stream_without_labels_has_none(tmp_path: Path) -> None:
    folder = write_telemetry(tmp_path, {"T-10": "MSL", "C-1": "MSL"})
    labels = folder / "labeled_anomalies.csv"
    kept = [line for line in labels.read_text().splitlines() if not line.startswith("T-10")]
    labels.write_text("\n".join(kept))

    by_name = {each.name: each for each in load_streams(folder, "MSL", "test")}

    assert by_name["T-10"].anomalies is None
    assert not by_name["T-10"].clean
    assert by_name["C-1"].clean


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("a,b\n", "lacks the columns", id="columns"),
        pytest.param(HEAD + 'A-1,APOLLO,"[[1, 2]]",[p],9\n', "'APOLLO' came", id="spacecraft"),
        pytest.param(HEAD + 'A-1,SMAP,"[[1, 9]]",[p],9\n', "rows 1 to 9 came", id="beyond"),
        pytest.param(HEAD + 'A-1,SMAP,"[[5, 4]]",[p],9\n', "rows 5 to 4 came", id="backwards"),
        pytest.param(HEAD + 'A-1,SMAP,"one",[p],9\n', "line 2: 'one' came", id="no list"),
        pytest.param(HEAD + 'A-1,SMAP,"[[1, 2]]",[p],many\n', "num_values 'many'", id="count"),
        pytest.param(HEAD + "A-1,SMAP\n", "num_values None came", id="short line"),
    ],
)
def test_labels_that_are_none_are_refused_with_their_line(text: str, told: str) -> None:
    with pytest.raises(DatasetError, match=told):
        parse_labels(text.encode(), "labels.csv")


def test_anomalies_come_in_order_and_touching_ones_are_one() -> None:
    text = HEAD + 'A-1,SMAP,"[[7, 8], [1, 2], [3, 4]]","[p, p, p]",20\n'

    assert parse_labels(text.encode(), "it")["A-1"].anomalies == ((1, 5), (7, 9))


def test_a_stream_of_other_columns_or_rows_is_refused(tmp_path: Path) -> None:
    folder = write_telemetry(tmp_path, {"A-1": "SMAP"}, packed=False)
    np.save(folder / "train" / "A-1.npy", np.zeros((10, 7)))
    np.save(folder / "test" / "A-1.npy", np.zeros((10, 25)))

    with pytest.raises(DatasetError, match="7 columns came; 25 were expected"):
        load_streams(folder, "SMAP", "train")
    with pytest.raises(DatasetError, match="10 rows came; 500 were expected"):
        load_streams(folder, "SMAP", "test")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        pytest.param(np.array([{"a": 1}], dtype=object), "holds object of shape", id="pickle"),
        pytest.param(np.zeros(4), "rows and columns", id="one axis"),
        pytest.param(np.array([["a"]]), "numbers were expected", id="words"),
        pytest.param(np.array([[0.0, np.nan]]), "row 0, column 1: nan came", id="not finite"),
        pytest.param(np.empty((0, 25)), "0 rows", id="empty"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(
    tmp_path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.generic]], told: str
) -> None:
    np.save(tmp_path / "it.npy", values, allow_pickle=True)

    with pytest.raises(DatasetError, match=told):
        parse_array((tmp_path / "it.npy").read_bytes(), "it")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    folder = write_telemetry(tmp_path, {"A-1": "SMAP"})
    (folder / "test.npz").write_bytes(b"not a zip")

    with pytest.raises(DatasetError, match=r"test\.npz cannot be read"):
        load_streams(folder, "SMAP", "test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("SMAP", ("SMAP",)), ("msl,SMAP,MSL", ("MSL", "SMAP")), ("FD001", ()), ("SMAP,", ())],
)
def test_a_list_of_spacecraft_is_understood(text: str, expected: tuple[str, ...]) -> None:
    assert spacecraft_of(text) == expected


@pytest.mark.real_data
def test_the_published_streams_are_read_and_verified(smap_msl_dir: Path) -> None:
    known = {
        (each.name, split): each.sha256
        for spacecraft in ("SMAP", "MSL")
        for split in ("train", "test")
        for each in load_streams(smap_msl_dir, spacecraft, split)
    }

    assert known == dict(PUBLISHED_STREAMS)


@pytest.mark.real_data
def test_disputed_streams_are_those_that_the_rule_names(smap_msl_dir: Path) -> None:
    labels = read_labels(smap_msl_dir)
    long = {
        name
        for name, said in labels.items()
        if max(stop - start for start, stop in said.anomalies) > LONGEST_CLEAN * said.rows
    }

    assert long | {"P-10", "P-14"} == set(DISPUTED)
    assert read_content(smap_msl_dir, "P-10", "test") == read_content(smap_msl_dir, "P-14", "test")
