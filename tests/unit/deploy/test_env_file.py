"""``make env``: passwords are made up once, kept, and nobody else's to read."""

from __future__ import annotations

import stat
import subprocess
import sys
from itertools import count
from pathlib import Path

from common.settings import load_settings
from deploy.env_file import EXAMPLE, TARGET, VARIABLES, filled, write
from deploy.settings_docs import env_example

SECRETS = [one.name for one in VARIABLES if one.default is None]
REPOSITORY = Path(__file__).parents[3]


def values(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in lines if name}


def test_every_secret_gets_a_value_of_its_own(tmp_path: Path) -> None:
    (tmp_path / EXAMPLE).write_text(env_example(), encoding="utf-8")

    made = write(tmp_path)
    found = values((tmp_path / TARGET).read_text(encoding="utf-8"))

    assert made == SECRETS
    assert list(found) == SECRETS
    assert len(set(found.values())) == len(SECRETS)
    assert all(len(value) == 48 and value.isalnum() for value in found.values())
    assert stat.S_IMODE((tmp_path / TARGET).stat().st_mode) == 0o600


def test_what_is_there_stays_and_what_is_missing_is_added() -> None:
    before = "STACK_REDIS_PASSWORD=mine\nSTACK_API_PORT=1\nSTACK_GRAFANA_PASSWORD= \n"
    numbers = count()

    after, made = filled(before, lambda: f"new{next(numbers)}")
    again, nothing = filled(after, lambda: "never")

    assert values(after) | {"STACK_REDIS_PASSWORD": "mine", "STACK_API_PORT": "1"} == values(after)
    assert set(made) == set(SECRETS) - {"STACK_REDIS_PASSWORD"}
    assert (again, nothing) == (after, [])


def test_an_open_file_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / TARGET).write_text("STACK_API_PORT=1\n", encoding="utf-8")
    (tmp_path / TARGET).chmod(0o644)

    write(tmp_path)

    assert stat.S_IMODE((tmp_path / TARGET).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [TARGET.name]


def test_it_says_no_secret_and_its_file_sets_no_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / EXAMPLE).write_text(env_example(), encoding="utf-8")
    command = [
        sys.executable,
        "-S",
        "-m",
        "deploy.env_file",
        str(tmp_path),
    ]  # -S: nothing installed

    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found = values((tmp_path / TARGET).read_text(encoding="utf-8"))

    assert said.stdout == ".env: 6 passwords were made up. Only you can read it.\n"
    assert load_settings(found) == load_settings({})
