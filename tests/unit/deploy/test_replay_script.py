"""What the container of the profile `replay` sends."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "deploy" / "docker" / "replay.sh"


def said(tmp_path: Path) -> tuple[str, str]:
    """Standard output and error, with a `python` that only says what it is called with."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").write_text('#!/bin/sh\necho "$@"\n')
    (programs / "python").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(SCRIPT), "--speed", "max"],
        env={"PATH": str(programs), "SURGELINE_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("folder", ["data", "data/cmapss"])
def test_recorded_engines_where_they_are_mounted(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "test_FD001.txt").touch()

    assert said(tmp_path) == (
        "-m producer replay --dataset FD001 --progress none --speed max\n",
        "",
    )


def test_without_them_the_simulator_and_it_is_said(tmp_path: Path) -> None:
    output, errors = said(tmp_path)

    assert output == "-m producer replay --dataset SIM --progress none --speed max\n"
    assert "SIMULATED" in errors
