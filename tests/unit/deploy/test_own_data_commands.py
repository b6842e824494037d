"""`surgeline init` and `surgeline check`, as somebody with a CSV file calls them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from common.machines.files import load_machine
from deploy.commands import app
from tests.support.pumps import CHANNELS, write_pumps

HOSTILE = {
    "empty": b"",
    "binary": bytes(range(256)),
    "one column": b"x\n1\n2\n",
    "ragged": b"a,b\n1,2\n1\n",
    "duplicate names": b"a,a\n1,2\n",
    "no time": b"x,y\n1,2\n3,4\n",
    "mixed zones": b"time,x\n2026-01-01 00:00Z,1\n2026-01-01 00:01,2\n",
    "a form of time that is not read": b"time,x\n1/2/2026 2 PM,1\n1/2/2026 3 PM,2\n",
    "texts alone": b"time,x\n2026-01-01,a\n2026-01-02,b\n",
    "control in a name": b"time,\x1b[2J\n2026-01-01,1\n",
    "blank": b"time,x\n" + b",\n" * 1000,
    "one row": b"time,x\n2026-01-01,1\n",
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder somebody works in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


def test_from_a_file_to_a_checked_machine_type(folder: Path) -> None:
    write_pumps(folder / "pumps.csv", days=2)

    described = run("init", "pumps.csv")
    command = shlex.split(described.output.splitlines()[-1])
    checked = run(*command[1:], "--json", "check.json")

    assert described.exit_code == 0, described.output
    assert load_machine("pumps.toml").channel_names == CHANNELS
    assert "one reading every 1 min" in described.output
    assert command == ["surgeline", "check", "--machine", "pumps.toml", "pumps.csv"]
    assert checked.exit_code == 0, checked.output
    assert "readings would be scored (9" in checked.output
    report = json.loads((folder / "check.json").read_text())
    assert report["scored"] > 0.9 * report["rows"]
    assert [asset["asset_id"] for asset in report["assets"]] == ["P-101", "P-102", "P-103"]


def test_what_was_said_is_said_again_in_the_next_command(folder: Path) -> None:
    rows = (f"2026-01-01 00:{minute:02d},{minute % 7},x,1" for minute in range(60))
    (folder / "my rig.csv").write_text("\n".join(("stamp,p q,who,n", *rows)))

    result = run(
        "init", "my rig.csv", "--time-column", "stamp", "--asset-column", "who", "--ignore", "n"
    )

    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].strip() == (
        "surgeline check --machine my-rig.toml --time-column stamp --asset-column who --ignore n "
        "'my rig.csv'"
    )
    assert run(*shlex.split(result.output.splitlines()[-1])[1:]).exit_code in (0, 1)


def test_a_file_that_is_there_is_replaced_only_by_force(folder: Path) -> None:
    write_pumps(folder / "pumps.csv", days=1)
    (folder / "pumps.toml").write_text("mine")

    refused = run("init", "pumps.csv")

    assert refused.exit_code == 2
    assert "--force" in refused.output
    assert (folder / "pumps.toml").read_text() == "mine"
    assert run("init", "pumps.csv", "--out", "other.toml").exit_code == 0
    assert run("init", "pumps.csv", "--force").exit_code == 0
    assert (folder / "pumps.toml").read_text() == (folder / "other.toml").read_text()


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_no_file_brings_a_traceback(folder: Path, content: bytes) -> None:
    (folder / "any.csv").write_bytes(content)
    write_pumps(folder / "pumps.csv", days=1)
    run("init", "pumps.csv")

    for result in (run("init", "any.csv"), run("check", "--machine", "pumps.toml", "any.csv")):
        assert result.exit_code in (0, 2), result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "\x1b[2J" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("init", "none.csv"), id="no file"),
        pytest.param(("init", "."), id="a folder without tables"),
        pytest.param(("init", "*.parquet"), id="a pattern without files"),
        pytest.param(("check", "--machine", "none.toml", "x.csv"), id="no machine type"),
        pytest.param(("init", "\0"), id="a name that cannot be"),
    ],
)
def test_what_is_not_there_is_told(folder: Path, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)

    assert result.exit_code == 2, result.output
    assert result.output.startswith("error:")


def test_too_little_to_score_is_told_with_its_reason_and_exit_code_1(folder: Path) -> None:
    write_pumps(folder / "pumps.csv", days=1)
    run("init", "pumps.csv")
    text = (folder / "pumps.toml").read_text()
    (folder / "pumps.toml").write_text(text.replace("interval_s = 60.0", "interval_s = 600.0"))

    result = run("check", "--machine", "pumps.toml", "pumps.csv")

    assert result.exit_code == 1
    assert "same tick" in result.output
    assert "interval_s is longer than the time between two readings" in result.output


def test_the_output_in_the_docs_is_what_the_commands_print(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    write_pumps(folder / "pumps.csv")
    page = (Path(__file__).parents[3] / "docs" / "machines.md").read_text(encoding="utf-8")

    described = run("init", "pumps.csv")
    checked = run("check", "--machine", "pumps.toml", "pumps.csv")

    entries = (folder / "pumps.toml").read_text(encoding="utf-8").split("\n\n")
    assert sum(entry in page for entry in entries if entry.startswith("[[channel]]")) == 1
    for result in (described, checked):
        shown = "\n".join(line.rstrip() for line in result.output.splitlines())
        assert shown in page
