"""Whatever a person's TOML file holds is what it says, or one sentence: for each kind of file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import SurgelineError
from common.files.toml import MAX_BYTES
from common.fleets import load_fleets, parse_fleets
from common.machines.files import load_machine, parse_machine
from common.settings import Settings
from producer.ingest.map_file import load_map, parse_map

PARSERS = (parse_fleets, parse_machine, parse_map)
LOADERS: tuple[Callable[[Path], object], ...] = (
    lambda path: load_fleets(Settings(fleets=path)),
    lambda path: load_machine(str(path)),
    load_map,
)
HOSTILE = {
    "a number of 5,000 digits": "a = " + "9" * 5000,
    "lists in lists": "a = " + "[" * 3000 + "]" * 3000,
    "tables in tables": "a = " + "{b = " * 400 + "1" + "}" * 400,
    "no date": "a = 0000-00-00",
    "a control character": 'a = "\x01"',
    "half a line": "[fleet",
    "nothing": "",
}


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_none_may_say_is_one_sentence_that_names_the_file(
    parse: Callable[[str, str], object], text: str
) -> None:
    with pytest.raises(SurgelineError, match=r"^mine\.toml") as caught:
        parse(text, "mine.toml")

    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("parse", PARSERS)
@given(
    st.one_of(
        st.text(max_size=200),
        st.text("[]{}=.\"'abfleetchannel019-:\n ", max_size=200),
    )
)
def test_any_text_is_what_it_says_or_a_sentence(
    parse: Callable[[str, str], object], text: str
) -> None:
    refused = ""
    try:
        parse(text, "mine.toml")
    except SurgelineError as exc:
        refused = str(exc)

    assert not refused or refused.startswith("mine.toml")


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"a = '\xff'", "not UTF-8", id="no text"),
        pytest.param(b"#" * (MAX_BYTES + 1), "larger than", id="large"),
    ],
)
def test_a_file_that_cannot_be_one_is_refused(
    tmp_path: Path, load: Callable[[Path], object], content: bytes, words: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)

    with pytest.raises(SurgelineError, match=words):
        load(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SurgelineError, match=r"nowhere\.toml cannot be read as a map: No such"):
        load_map(tmp_path / "nowhere.toml")
