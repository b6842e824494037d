"""Other terminals find a stack while it runs, and never believe a file it left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import UserError
from deploy.local.statefile import STATE_FILE, StackState, claimed, publish, running_stack

STATE = StackState(
    pid=4711,
    urls={"api": "http://127.0.0.1:8080"},
    environment={"SURGELINE_API__PORT": "8080"},
    processes={"api": 4712},
)

HOLDER = """
import sys
from pathlib import Path
from deploy.local.statefile import *
from tests.unit.deploy.test_statefile import STATE
with claimed(Path(sys.argv[1])):
    publish(Path(sys.argv[1]), STATE)
    print("claimed", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Return another process that runs a stack, as far as the state file tells."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    return process


def test_a_running_stack_is_found(tmp_path: Path) -> None:
    process = holder(tmp_path)

    found = running_stack(tmp_path)
    process.communicate("")

    assert found == STATE
    assert running_stack(tmp_path) is None
    assert not (tmp_path / STATE_FILE).exists()


def test_the_file_of_a_killed_stack_is_not_believed(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.kill()
    process.communicate()

    assert (tmp_path / STATE_FILE).exists()
    assert running_stack(tmp_path) is None


def test_a_second_stack_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    process = holder(tmp_path)

    with (
        pytest.raises(UserError, match=r"already runs in .*process 4711.*--var DIR"),
        claimed(tmp_path),
    ):
        pass
    process.communicate("")

    with claimed(tmp_path):  # free again
        pass


def test_only_the_owner_may_read_the_state(tmp_path: Path) -> None:
    with claimed(tmp_path):
        publish(tmp_path, STATE)

        assert (tmp_path / STATE_FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}'])
def test_a_damaged_state_file_is_no_stack(tmp_path: Path, text: str) -> None:
    process = holder(tmp_path)
    (tmp_path / STATE_FILE).write_text(text)

    assert running_stack(tmp_path) is None
    process.communicate("")


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UserError, match="cannot be used for the stack"), claimed(tmp_path / "file"):
        pass
