"""The C-MAPSS reader: what it accepts, and how it says what is wrong."""

from __future__ import annotations

import gzip
import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.cmapss.files import PUBLISHED, Split, file_name, find_file
from common.cmapss.reader import load_dataset, parse_engines, parse_rul, remaining_useful_life
from common.errors import DatasetError
from tests.support.cmapss import line, text, write_set


def test_columns_land_where_their_names_say(tmp_path: Path) -> None:
    dataset = load_dataset(write_set(tmp_path, "FD001", [3, 2]), "FD001", "train")

    assert [engine.unit for engine in dataset.engines] == [1, 2]
    second = dataset.engines[1]
    assert second.cycles.tolist() == [1, 2]
    assert second.settings.shape == (2, 3)
    assert second.sensors.shape == (2, 21)
    assert second.settings[1].tolist() == [2.00200, 2.00201, 2.00202]
    assert second.sensors[0, 0] == 2.00103
    assert second.sensors[1, 20] == 2.00223
    assert dataset.rows == 5
    assert dataset.sha256 == hashlib.sha256(text([3, 2]).encode()).hexdigest()


def test_arrays_cannot_be_changed(tmp_path: Path) -> None:
    engine = load_dataset(write_set(tmp_path, "FD001", [2]), "FD001", "train").engines[0]

    for array in (engine.cycles, engine.settings, engine.sensors):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_gzip_and_plain_files_are_the_same_data_set(tmp_path: Path) -> None:
    plain = load_dataset(write_set(tmp_path / "plain", "FD002", [4]), "FD002", "train")
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / "train_FD002.txt.gz").write_bytes(gzip.compress(text([4]).encode()))

    packed = load_dataset(folder, "FD002", "train")

    assert packed.sha256 == plain.sha256
    np.testing.assert_array_equal(packed.engines[0].sensors, plain.engines[0].sensors)


def test_the_folder_that_holds_cmapss_will_do(tmp_path: Path) -> None:
    write_set(tmp_path / "cmapss", "FD001", [2], rul=[5])

    dataset = load_dataset(tmp_path, "FD001", "test")

    assert dataset.rul is not None
    assert dataset.rul.tolist() == [5]


def test_rul_counts_down_to_failure_or_to_the_published_rest(tmp_path: Path) -> None:
    write_set(tmp_path, "FD001", [3, 1], rul=[10, 0])

    train = remaining_useful_life(load_dataset(tmp_path, "FD001", "train"))
    test = remaining_useful_life(load_dataset(tmp_path, "FD001", "test"))

    assert [rul.tolist() for rul in train] == [[2, 1, 0], [0]]
    assert [rul.tolist() for rul in test] == [[12, 11, 10], [0]]


def test_a_test_split_without_rul_file_loads_but_has_no_rul(tmp_path: Path) -> None:
    dataset = load_dataset(write_set(tmp_path, "FD001", [3]), "FD001", "test")

    assert dataset.rul is None
    with pytest.raises(DatasetError, match=r"RUL_FD001\.txt is not beside .* data fetch"):
        remaining_useful_life(dataset)


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        pytest.param(
            line(1, 1) + line(1, 2, fields=23),
            r"some\.txt, line 2: 25 columns came; expected 26",
            id="column missing",
        ),
        pytest.param(
            line(1, 1) + "\n" + line(1, 2),
            r"some\.txt, line 2: 0 columns came; expected 26",
            id="blank line",
        ),
        pytest.param(
            line(1, 1) + line(1, 2).replace("1.00223", "broken"),
            r"line 2: 'broken' came in column 26; expected a number",
            id="word",
        ),
        pytest.param(
            line(1, 1).replace("1.00104", "1_00104"),
            r"line 1: '1_00104' came in column 7; expected a number",
            id="underscore",
        ),
        pytest.param(
            line(1, 1).replace("1.00104", "#"), r"'#' came in column 7", id="comment sign"
        ),
        pytest.param(
            line(1, 1) + line(1, 2).replace("1.00200", "nan"),
            r"line 2: nan came in column 3; expected a finite number",
            id="not a number",
        ),
        pytest.param(
            line(1, 1).replace("1.00100", "1e999"),
            r"line 1: inf came in column 3; expected a finite number",
            id="overflow",
        ),
        pytest.param(line(1, 1) + line(1, 3), r"line 2: cycle 3 came; expected cycle 2", id="gap"),
        pytest.param(
            line(1, 1) + line(1, 1), r"line 2: cycle 1 came; expected cycle 2", id="repeat"
        ),
        pytest.param(line(1, 0), r"line 1: cycle 0 came; expected cycle 1", id="from zero"),
        pytest.param(
            line(1, 1) + line(3, 1), r"line 2: engine 3 came; expected engine 2", id="engine gap"
        ),
        pytest.param(
            line(1, 1) + line(2, 1) + line(1, 2),
            r"line 3: engine 1 came; expected engine 3",
            id="engine comes back",
        ),
        pytest.param(
            "1.5" + line(1, 1)[1:], r"line 1: engine 1\.5 came; expected engine 1", id="fraction"
        ),
        pytest.param("", r"some\.txt is empty", id="empty"),
        pytest.param(" \n\n", r"some\.txt is empty", id="only white space"),
        pytest.param("é" + line(1, 1), r"line 1: .* came in column 1; expected a number", id="é"),
    ],
)
def test_a_fault_is_named_by_file_and_line(damaged: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        parse_engines(damaged.encode(), "some.txt")


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        pytest.param("1\n2\n", r"RUL\.txt has 2 lines; 3 were expected", id="line missing"),
        pytest.param("1\n2.5\n3\n", r"line 2: '2\.5' came; expected a whole number", id="fraction"),
        pytest.param("1\n-2\n3\n", r"line 2: '-2' came", id="negative"),
        pytest.param("1\n2\n" + "9" * 30, r"line 3: '9+' came", id="absurd"),
        pytest.param("", r"has 0 lines; 3 were expected", id="empty"),
    ],
)
def test_a_fault_in_the_rul_file_is_named(damaged: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        parse_rul(damaged.encode(), 3, "RUL.txt")


@given(st.binary(max_size=200))
@example(b"\x1c")  # white space to numpy, but to no one else
def test_any_bytes_are_either_engines_or_a_dataset_error(rubbish: bytes) -> None:
    try:
        parse_engines(rubbish, "some.txt")
    except DatasetError as exc:
        assert "some.txt" in str(exc)  # noqa: PT017 - both outcomes are right


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6))
def test_every_row_of_every_engine_is_read(lengths: list[int]) -> None:
    engines = parse_engines(text(lengths).encode(), "some.txt")

    assert [len(engine) for engine in engines] == lengths
    for engine in engines:
        expected = [float(f"{engine.unit}.{cycle:03d}03") for cycle in engine.cycles]
        assert engine.sensors[:, 0].tolist() == expected


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    engines = parse_engines(text([2]).replace("\n", "\r\n").encode(), "some.txt")

    assert len(engines[0]) == 2


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_missing_data_say_how_to_get_them_in_one_line(tmp_path: Path, folder: str) -> None:
    with pytest.raises(DatasetError) as caught:
        load_dataset(tmp_path / folder, "FD001", "test")

    message = str(caught.value)
    assert "\n" not in message
    for part in ("test_FD001.txt", str(tmp_path), "surgeline data fetch", "SURGELINE_DATA_DIR"):
        assert part in message


@pytest.mark.parametrize("name", ["../FD001", "FD001/x", "", "FD 001"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="not the name of a data set"):
        load_dataset(tmp_path, name, "train")


@pytest.mark.parametrize("cut", [5, 40])
def test_damaged_gzip_is_named(tmp_path: Path, cut: int) -> None:
    packed = gzip.compress(text([9]).encode())
    (tmp_path / "train_FD001.txt.gz").write_bytes(packed[:cut])

    with pytest.raises(DatasetError, match=r"train_FD001\.txt\.gz is a damaged gzip"):
        load_dataset(tmp_path, "FD001", "train")


PUBLISHED_COUNTS = [
    ("FD001", "train", 20_631, 100),
    ("FD001", "test", 13_096, 100),
    ("FD002", "train", 53_759, 260),
    ("FD002", "test", 33_991, 259),
    ("FD003", "train", 24_720, 100),
    ("FD003", "test", 16_596, 100),
    ("FD004", "train", 61_249, 249),
    ("FD004", "test", 41_214, 248),
]


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "split", "rows", "engines"), PUBLISHED_COUNTS)
def test_the_published_files_have_the_published_counts_and_sums(
    cmapss_dir: Path, name: str, split: Split, rows: int, engines: int
) -> None:
    if find_file(cmapss_dir, file_name(name, split)) is None:
        pytest.skip(f"{name} {split} is not among the files at hand")

    dataset = load_dataset(cmapss_dir, name, split)

    assert (dataset.rows, len(dataset.engines)) == (rows, engines)
    assert dataset.sha256 == PUBLISHED[file_name(name, split)].sha256
    if split == "test":
        assert dataset.rul is not None
        assert len(dataset.rul) == engines


@pytest.mark.real_data
def test_the_largest_file_is_read_well_within_a_second(cmapss_dir: Path) -> None:
    began = time.process_time()
    load_dataset(cmapss_dir, "FD004", "train")

    assert time.process_time() - began < 1.0
