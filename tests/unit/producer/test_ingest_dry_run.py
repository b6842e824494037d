"""The dry run: what docs/ingest.md shows is what it prints, and foreign text commands nothing."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from common.terminal.console import output_console
from producer.ingest.dry_run import MAX_RECORDS_SHOWN, show
from producer.ingest.fitting import require_fit
from producer.ingest.map_file import MessageMap, parse_map
from producer.ingest.ports import SourceMessage
from producer.ingest.translate import Reason, Translator
from tests.support.own_pumps import PUMP, PUMP_TOML

PAGE = (Path(__file__).parents[3] / "docs/ingest.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def the_map() -> MessageMap:
    return parse_map(block("toml"), "map.toml")


def shown(values: list[bytes | None], wanted: MessageMap) -> str:
    file = io.StringIO()
    messages = [SourceMessage(0, at, value) for at, value in enumerate(values)]
    show(messages, Translator(wanted), PUMP, output_console(file))
    return file.getvalue()


def test_the_page_shows_what_is_printed() -> None:
    _, _, output = block("text").partition("\n")
    came = [line.encode() for line in re.findall(r"  before  (.*)", output)]

    require_fit(the_map(), PUMP, "map.toml")

    assert shown(list(came), the_map()) == output


@pytest.mark.parametrize(
    ("lines", "code", "told"),
    [
        (['{"a": "p", "t": 1767225600, "x": 1}', "{"], 0, "asset p, fleet default"),
        (["{"], 1, "Nothing could be translated"),
        ([], 1, "is empty"),
    ],
)
def test_a_file_of_messages_needs_no_broker(
    tmp_path: Path, lines: list[str], code: int, told: str
) -> None:
    (tmp_path / "map.toml").write_text(
        'fleet = "default"\nasset = "a"\ntime = "t"\n[channels]\n"Flow Rate" = "x"\n'
        'Pressure = "p"\n"Motor Temperature" = "m"\n',
        encoding="utf-8",
    )
    (tmp_path / "pump.toml").write_text(PUMP_TOML, encoding="utf-8")
    (tmp_path / "s.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    options = ["--map", "map.toml", "--machine", "pump.toml", "--from-file", "s.jsonl"]

    done = subprocess.run(
        [sys.executable, "-m", "producer", "ingest", *options, "--dry-run"],
        cwd=tmp_path,
        env={**os.environ, "SURGELINE_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code, done.stderr
    assert told in done.stdout + done.stderr


def test_the_page_names_every_reason() -> None:
    assert [reason for reason in Reason if f"`{reason}`" not in PAGE] == []


def test_the_page_names_every_entry_of_a_map() -> None:
    for name in MessageMap.model_fields:
        assert re.search(rf"\| .*`\[?{name}\]?`", PAGE), name


def test_foreign_text_is_shown_and_not_obeyed() -> None:
    text = shown([b'"\x1b[2J"', b"\xff\xfe", None, '{"a": "\u202e"}'.encode()], the_map())

    assert not {"\x1b", "\u202e"} & set(text)
    assert "\\x1b[2J" in text
    assert "(no value)" in text


def test_what_is_long_is_cut_and_a_path_that_finds_nothing_is_told() -> None:
    wanted = parse_map(
        'fleet = "f"\nasset = "a"\ntime = "t"\nrecords = "r"\n[channels]\nx = "x"\ny = "no"', "m"
    )
    one = b'{"a":"p","t":1767225600,"x":1}'

    text = shown([b'{"r":[' + b",".join([one] * 100) + b"]}"], wanted)

    assert text.count("  after   ") == MAX_RECORDS_SHOWN
    assert "  and 97 more of this message" in text
    assert "Never a value of y: are the paths right?" in text
    assert "(3,107 bytes)" in text
