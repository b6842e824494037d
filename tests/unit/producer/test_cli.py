"""The producer's commands as a user meets them; no broker."""

from __future__ import annotations

import gzip
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.cmapss.files import PUBLISHED, PublishedFile
from common.cmapss.reader import load_dataset
from producer.programs import app
from tests.support.cmapss import text, write_set

runner = CliRunner()


@pytest.fixture(autouse=True)
def _data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SURGELINE_DATA_DIR", str(write_set(tmp_path / "data", "FD001", [3, 2])))
    monkeypatch.setenv("SURGELINE_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, driver = logging.getLogger(), logging.getLogger("aiokafka")
    handlers, root_level, driver_level = root.handlers[:], root.level, driver.level
    yield
    root.handlers[:] = handlers
    root.setLevel(root_level)
    driver.setLevel(driver_level)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engines", "1-9"], "Engines '1-9' came; expected numbers from 1 to 2"),
        (["--speed", "fast"], "Speed 'fast' came"),
        (["--start", "tomorrow"], "Start 'tomorrow' came"),
        (["--start", "9999-12-31T23:59:59Z"], "from 1970 to 2262"),
        (["--cycle-interval", "0s"], "Cycle interval '0s' came"),
        (["--run-id", "a b"], "Run id 'a b' came"),
        (["--dataset", "FD009"], "test_FD009.txt (or test_FD009.txt.gz) was not found"),
        (["--dataset", "SIM", "--engines", "1-2001"], "expected numbers from 1 to 2000"),
        ([], "No broker answers at 127.0.0.1:1"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    result = runner.invoke(app, ["replay", "--progress", "none", *arguments])

    assert result.exit_code == 2
    errors = [line for line in result.stderr.splitlines() if not line.startswith("warning:")]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert message in errors[0]
    assert result.stdout == ""


def test_in_json_mode_a_mistake_is_also_the_last_json_line() -> None:
    result = runner.invoke(app, ["replay", "--progress", "json", "--engines", "7"])

    assert result.exit_code == 2
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["state"] for line in told] == ["failed"]
    assert "Engines '7' came" in told[0]["error"]


def test_data_that_are_not_the_published_ones_are_remarked_on() -> None:
    result = runner.invoke(app, ["replay", "--progress", "none"])

    assert "warning: test_FD001.txt is not the file NASA published" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ([], {"train_SIM.txt", "test_SIM.txt", "RUL_SIM.txt"}),
        (["--split", "train"], {"train_SIM.txt"}),
        (["--split", "test"], {"test_SIM.txt", "RUL_SIM.txt"}),
    ],
)
def test_simulate_writes_files_that_the_reader_reads(
    tmp_path: Path, arguments: list[str], files: set[str]
) -> None:
    out = tmp_path / "new" / "sim"

    result = runner.invoke(app, ["simulate", "--engines", "2", "--out", str(out), *arguments])

    assert result.exit_code == 0
    assert {path.name for path in out.iterdir()} == files
    assert result.stdout.count("2 simulated engines") == len(files)
    for split in ("train", "test"):
        if f"{split}_SIM.txt" in files:
            assert len(load_dataset(out, "SIM", split).engines) == 2


def test_data_check_lists_every_file_and_refuses_damaged_ones(tmp_path: Path) -> None:
    result = runner.invoke(app, ["data", "check", "--dir", str(tmp_path / "data")])

    assert result.exit_code == 2
    for name in PUBLISHED:
        assert name in result.stdout
    assert result.stdout.count("damaged") == 2
    assert "train_FD001.txt, test_FD001.txt differ from what NASA published" in result.stderr


def test_data_check_of_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    result = runner.invoke(app, ["data", "check", "--dir", str(tmp_path)])

    assert result.exit_code == 2
    assert "surgeline data fetch" in result.stderr


def test_data_check_is_content_with_verified_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hashlib import sha256

    content = text([4]).encode()
    published = PublishedFile("train_FD001.txt", len(content), sha256(content).hexdigest())
    monkeypatch.setitem(PUBLISHED, "train_FD001.txt", published)
    (tmp_path / "train_FD001.txt.gz").write_bytes(gzip.compress(content))

    result = runner.invoke(app, ["data", "check", "--dir", str(tmp_path)])

    assert result.exit_code == 0
    assert result.stdout.count("verified") == 1


@pytest.mark.parametrize(
    "command", [["replay"], ["simulate"], ["data", "fetch"], ["data", "check"]]
)
def test_help_teaches_by_example(command: list[str]) -> None:
    result = runner.invoke(app, [*command, "--help"])

    assert result.exit_code == 0
    assert f"surgeline {' '.join(command)}" in " ".join(result.stdout.split())


def test_the_commands_import_nothing_heavy_until_they_run() -> None:
    heavy = ("numpy", "aiokafka", "httpx", "producer.app", "producer.simulator.simulate")
    code = f"import producer.cli, sys; print([name for name in {heavy} if name in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"
