"""Docker Compose itself reads docker-compose.yml; that needs no engine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.env_file import TARGET, VARIABLES, write
from tests.support.programs import REPOSITORY, compose

SECRETS = [one.name for one in VARIABLES if one.default is None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the file with a fresh ``.env`` beside it."""
    for name in ("docker-compose.yml", ".env.example"):
        shutil.copy(REPOSITORY / name, tmp_path)
    write(tmp_path)
    return tmp_path


def config(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``docker compose config``; of this process's environment it sees the path alone."""
    return subprocess.run(
        [*compose(), "--profile", "*", "config", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_valid_with_what_make_env_writes(folder: Path) -> None:
    done = config(folder, "--quiet")

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("name", SECRETS)
def test_it_is_refused_while_a_secret_is_unset(folder: Path, name: str) -> None:
    env = folder / TARGET
    lines = env.read_text(encoding="utf-8").splitlines(keepends=True)
    env.write_text("".join(x for x in lines if not x.startswith(f"{name}=")), encoding="utf-8")

    done = config(folder, "--quiet")

    assert done.returncode != 0
    assert f"{name} is missing a value: run make env" in done.stderr


def test_the_example_as_it_is_starts_nothing(folder: Path) -> None:
    shutil.copy(folder / ".env.example", folder / TARGET)

    assert config(folder, "--quiet").returncode != 0


def test_settings_of_the_user_reach_the_containers_and_addresses_do_not(folder: Path) -> None:
    with (folder / TARGET).open("a", encoding="utf-8") as env:
        env.write("SURGELINE_DETECTOR__ALARM__ON_DELAY_CYCLES=7\n")
        env.write("SURGELINE_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:1\n")
        env.write("SURGELINE_DATA_DIR=/srv/cmapss\n")

    services = yaml.safe_load(config(folder).stdout)["services"]
    detector, (data, *_) = services["detector"]["environment"], services["api"]["volumes"]

    assert detector["SURGELINE_DETECTOR__ALARM__ON_DELAY_CYCLES"] == "7"
    assert detector["SURGELINE_KAFKA__BOOTSTRAP_SERVERS"] == "kafka:9092"
    assert (data["type"], data["source"], data["read_only"]) == ("bind", "/srv/cmapss", True)


def test_without_data_an_empty_volume_stands_in(folder: Path) -> None:
    services = yaml.safe_load(config(folder).stdout)["services"]

    assert services["replay"]["volumes"][0]["type"] == "volume"
