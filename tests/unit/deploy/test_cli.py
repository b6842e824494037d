"""The ``surgeline`` command: quick, complete, and without tracebacks for mistakes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.errors import StackError
from deploy.commands import COMMANDS, app
from deploy.demo import command as demo_command
from deploy.lazy import CommandEntry, load
from deploy.local import statefile
from deploy.local.adoption import adopt_running_stack
from tests.unit.deploy.test_statefile import STATE

HEAVY = {"numpy", "aiokafka", "faust", "torch", "onnxruntime", "fastapi", "sqlalchemy", "httpx"}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: v for name, v in os.environ.items() if not name.startswith("SURGELINE_")}
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=clean | variables,
    )


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])

    assert result.exit_code == 0
    for entry in COMMANDS:
        assert entry.name in result.output
        assert entry.summary.split()[0] in result.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from deploy.commands import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout == "[]\n"


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_exists_and_teaches(entry: CommandEntry) -> None:
    command = load(entry)

    assert command.name == entry.name
    for taught in getattr(command, "commands", {"": command}).values():
        assert len(taught.help or "") > len(entry.summary)


def test_an_unknown_command_is_refused() -> None:
    result = run("repaly")

    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "repaly" in result.stderr


@pytest.mark.parametrize("command", ["settings", "up", "demo", "env"])
def test_a_misspelt_variable_is_refused_with_the_nearest_name(command: str) -> None:
    result = run(command, SURGELINE_KAFKA__BOOTSTRAP_SERVER="x:1")

    assert result.returncode == 2
    assert "Did you mean SURGELINE_KAFKA__BOOTSTRAP_SERVERS?" in result.stderr
    assert "Traceback" not in result.stderr


def test_variables_of_the_test_suite_are_tolerated() -> None:
    assert run("settings", SURGELINE_TEST_KAFKA="127.0.0.1:1").returncode == 0


def test_settings_shows_values_in_effect_and_hides_secrets() -> None:
    result = run("settings", SURGELINE_LOG__LEVEL="DEBUG", SURGELINE_REDIS__URL="redis://:hush@h/0")

    assert "SURGELINE_LOG__LEVEL=DEBUG  (default: INFO)" in result.stdout
    assert "SURGELINE_REDIS__URL=(set)" in result.stdout
    assert "hush" not in result.stdout


def test_env_without_a_stack_says_what_to_do(tmp_path: Path) -> None:
    result = run("env", "--var", str(tmp_path))

    assert result.returncode == 2
    assert "surgeline up" in result.stderr


@pytest.fixture
def stack_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack is found in any var folder."""
    monkeypatch.setattr(statefile, "look", lambda _var_dir: statefile.Sighting(STATE))


@pytest.mark.usefixtures("stack_runs")
def test_commands_are_led_to_the_running_stack_and_told_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    environ: dict[str, str] = {}

    adopt_running_stack(environ)

    assert environ == STATE.environment
    assert "using the running stack of var (process 4711)" in capsys.readouterr().err


@pytest.mark.usefixtures("stack_runs")
def test_what_the_user_set_stays() -> None:
    environ = {"SURGELINE_API__PORT": "1"}

    adopt_running_stack(environ)

    assert environ["SURGELINE_API__PORT"] == "1"


@pytest.mark.usefixtures("stack_runs")
@pytest.mark.parametrize("name", statefile.OWN_SERVERS)
def test_a_user_with_servers_of_their_own_is_not_led_astray(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {name: "mine"}

    adopt_running_stack(environ)

    assert environ == {name: "mine"}
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("stack_runs")
def test_a_demo_over_what_runs_is_led_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    led: dict[str, str] = {}

    def run_there(*_: object) -> None:
        led.update(os.environ)
        raise StackError("seen")

    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(demo_command, "_run_there", run_there)

    CliRunner().invoke(app, ["demo", "--running", "--simulated"])

    assert STATE.environment.items() <= led.items()
