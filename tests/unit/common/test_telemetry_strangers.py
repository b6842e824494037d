"""Files in the layout of SMAP and MSL from anybody: read as they are, or refused and told why."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from common.errors import DatasetError
from common.telemetry.files import SPACECRAFT, parse_array, read_content, stream_names
from common.telemetry.labels import COLUMNS, parse_labels
from tests.support.telemetry import write_telemetry

DTYPES = [
    "?",
    "i1",
    "<i8",
    ">i4",
    "u1",
    ">u8",
    "<f2",
    ">f4",
    "<f8",
    "g",
    "c8",
    "S3",
    "<U2",
    "M8[s]",
]
PAIRS = [("a", "f8"), ("b", "i4")]
ANY_ARRAY = st.sampled_from([*map(np.dtype, DTYPES), np.dtype(PAIRS)]).flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    )
)


def saved(values: object) -> bytes:
    content = io.BytesIO()
    np.save(content, np.asarray(values), allow_pickle=True)
    return content.getvalue()


def told(error: DatasetError, source: str) -> None:
    """Check that a refusal says of which file it is."""
    assert str(error).startswith(source)


def read_or_refused(content: bytes) -> NDArray[np.float64] | None:
    """Return what was read, sound by all that is promised; none if it was refused."""
    try:
        values = parse_array(content, "it")
    except DatasetError as exc:
        told(exc, "it")
        return None
    assert values.dtype == np.float64
    assert values.ndim == 2
    assert values.size
    assert np.isfinite(values).all()
    assert not values.flags.writeable
    return values


@given(values=ANY_ARRAY, by_column=st.booleans())
def test_any_array_is_read_as_it_is_or_refused(
    values: NDArray[np.generic], by_column: bool
) -> None:
    laid = np.asfortranarray(values) if by_column else values

    found = read_or_refused(saved(laid))

    sound = values.ndim == 2 and values.size and values.dtype.kind in "fiu"
    if sound:
        with np.errstate(over="ignore"):
            numbers = values.astype(np.float64)
        sound = bool(np.isfinite(numbers).all())
    assert (found is not None) == bool(sound)
    if found is not None:
        assert np.array_equal(found, values.astype(np.float64))


@pytest.mark.parametrize("by_column", [False, True], ids=["by row", "by column"])
@pytest.mark.parametrize("dtype", ["i1", ">i4", "u1", ">u8", "<f2", ">f4", "<f8", "g"])
def test_numbers_of_every_kind_and_layout_are_read_in_their_places(
    dtype: str, by_column: bool
) -> None:
    values = np.arange(12, dtype=dtype).reshape(4, 3)

    found = parse_array(saved(np.asfortranarray(values) if by_column else values), "it")

    assert found.tolist() == np.arange(12).reshape(4, 3).tolist()


@given(
    data=st.data(),
    cut=st.integers(0, 300),
    changes=st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), max_size=4),
)
def test_damaged_bytes_never_surprise(
    data: st.DataObject, cut: int, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(saved(np.ones((4, 3))))
    for place, value in changes:
        content[place % len(content)] = value
    tail = data.draw(st.binary(max_size=3))

    read_or_refused(bytes(content[: len(content) - cut % 40]) + tail)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "no array that can be read", id="empty"),
        pytest.param(b"row,value\n1,2\n", "no array that can be read", id="a table"),
        pytest.param(saved(np.ones((4, 3)))[:-8], "88 bytes of numbers came", id="cut off"),
        pytest.param(saved(np.ones((4, 3))) + b"more", "something after it", id="something after"),
        pytest.param(saved(np.array([[{"a": 1}, None]])), "holds object of shape", id="objects"),
        pytest.param(saved(np.ones((2, 2), bool)), "holds bool", id="truth values"),
        pytest.param(saved([[1.0, np.inf]]), "row 0, column 1: inf came", id="infinite"),
    ],
)
def test_a_refusal_says_what_came(content: bytes, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        parse_array(content, "it")


def test_a_head_that_promises_too_much_costs_no_memory() -> None:
    content = bytearray(saved(np.ones((4, 3))))
    large = content.replace(b"(4, 3), ", b"(10**9,3)")
    assert large != content

    for shape in (b"(999999, 999), }", b"(99999999999999999999, 3), }"):
        start = content.index(b"(4, 3)")
        changed = bytes(content[:start]) + shape + bytes(content[start + len(shape) :])
        with pytest.raises(DatasetError, match=r"cut off|rows and"):
            parse_array(changed, "it")
    with pytest.raises(DatasetError, match="no array"):
        parse_array(bytes(large), "it")


def table(*rows: tuple[str, ...], columns: tuple[str, ...] = COLUMNS) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    return text.getvalue().encode("utf-8", "surrogatepass")


ROWS = st.one_of(
    st.integers(-5, 30),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.integers(10**20, 10**25),
)
SEQUENCES = st.one_of(
    st.text(max_size=20),
    st.recursive(ROWS, lambda inner: st.lists(inner, max_size=3), max_leaves=8).map(json.dumps),
    st.lists(st.lists(ROWS, min_size=1, max_size=3), max_size=3).map(json.dumps),
    st.lists(st.lists(st.integers(0, 22), min_size=2, max_size=2).map(sorted), max_size=4).map(
        json.dumps
    ),
    st.dictionaries(st.text(max_size=2), ROWS, max_size=2).map(json.dumps),
)
LINES = st.tuples(
    st.one_of(st.sampled_from(["A-1", "P-2", "../A-1", ""]), st.text(max_size=5)),
    st.one_of(st.sampled_from(SPACECRAFT), st.text(max_size=5)),
    SEQUENCES,
    st.one_of(
        st.just("20"), st.integers(-2, 30).map(str), st.text(max_size=3), st.just("9" * 5000)
    ),
)


@given(lines=st.lists(LINES, max_size=3))
def test_any_table_of_labels_is_understood_or_refused(lines: list[tuple[str, ...]]) -> None:
    try:
        found = parse_labels(table(*lines), "labels.csv")
    except DatasetError as exc:
        told(exc, "labels.csv")
        return
    given = {name: [line for line in lines if line[0] == name] for name in found}
    for name, said in found.items():
        assert said.spacecraft in SPACECRAFT
        ends = [0, *(end for span in said.anomalies for end in span), said.rows + 1]
        assert ends == sorted(ends)
        rows = {row for line in given[name] for first, last in json.loads(line[2])
                for row in range(first, last + 1)}  # fmt: skip
        assert rows == {row for start, stop in said.anomalies for row in range(start, stop)}


@given(content=st.binary(max_size=80))
def test_any_bytes_for_a_table_are_understood_or_refused(content: bytes) -> None:
    for each in (content, ",".join(COLUMNS).encode() + b"\n" + content):
        try:
            parse_labels(each, "labels.csv")
        except DatasetError as exc:
            told(exc, "labels.csv")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(("A-1", "SMAP", "[[1.5, 3]]", "9"), r"\[first, last\]", id="half a row"),
        pytest.param(("A-1", "SMAP", "[[true, 3]]", "9"), r"\[first, last\]", id="a truth"),
        pytest.param(("A-1", "SMAP", '{"12": 1}', "9"), r"\[first, last\]", id="no list"),
        pytest.param(("A-1", "SMAP", "[[1, Infinity]]", "9"), r"\[first, last\]", id="no end"),
        pytest.param(("A-1", "SMAP", "[" * 50_000, "9"), r"\[first, last\]", id="too deep"),
        pytest.param(("A-1", "SMAP", "[[-1, 3]]", "9"), "rows -1 to 3", id="before the first"),
        pytest.param(("A-1", "SMAP", "[]", "²"), "num_values '²'", id="a small two"),
        pytest.param(("../A-1", "SMAP", "[]", "9"), "chan_id '../A-1'", id="a path"),
        pytest.param(("A 1", "SMAP", "[]", "9"), "chan_id 'A 1'", id="a blank"),
        pytest.param(("A-1", "MSL", "[]", "9"), "an earlier line says SMAP", id="another craft"),
    ],
)
def test_labels_that_would_be_misread_are_refused(row: tuple[str, ...], reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        parse_labels(table(("A-1", "SMAP", "[[1, 2]]", "9"), row), "labels.csv")


def test_a_mark_before_the_first_column_changes_nothing() -> None:
    content = table(("A-1", "SMAP", "[[1, 2]]", "9"))

    assert parse_labels(b"\xef\xbb\xbf" + content, "it") == parse_labels(content, "it")


@given(places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_damaged_archive_is_refused_or_read(
    archive: tuple[Path, bytes], places: list[tuple[float, int]]
) -> None:
    folder, whole = archive
    content = bytearray(whole)
    for place, value in places:
        content[int(place * (len(content) - 1))] = value
    (folder / "test.npz").write_bytes(content)

    try:
        for name in stream_names(folder, "test"):
            parse_array(read_content(folder, name, "test"), name)
    except DatasetError:
        pass


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    folder = write_telemetry(tmp_path_factory.mktemp("damaged"), {"A-1": "SMAP"}, rows=400)
    with zipfile.ZipFile(folder / "test.npz", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("A-1.npy", saved(np.ones((40, 25)) * np.arange(25)))
    return folder, (folder / "test.npz").read_bytes()
