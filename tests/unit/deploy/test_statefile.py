"""Other terminals find a stack while it runs, and never believe a file it left behind."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import UserError
from deploy.local import statekeeper
from deploy.local.statefile import (
    LOCK_FILE,
    STATE_FILE,
    StackState,
    claimed,
    look,
    running_stack,
)
from deploy.local.statekeeper import StateKeeper
from tests.support.servers.backends import wait_until
from tests.support.servers.tiny_disk import tiny_disk

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
with claimed(Path(sys.argv[1])) as claim:
    assert claim.publish(STATE) is None
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
    assert "left over from a stack that was killed (process 4711)" in str(look(tmp_path).trouble)


def test_a_second_stack_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    process = holder(tmp_path)

    with (
        pytest.raises(UserError, match=r"already runs in .*4711, http://127.0.0.1:8080.*--var DIR"),
        claimed(tmp_path),
    ):
        pass
    process.communicate("")

    with claimed(tmp_path):  # free again
        pass


def test_only_the_owner_may_read_the_state(tmp_path: Path) -> None:
    with claimed(tmp_path) as claim:
        claim.publish(STATE)

        assert (tmp_path / STATE_FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}'])
def test_a_damaged_state_file_is_no_stack(tmp_path: Path, text: str) -> None:
    process = holder(tmp_path)
    (tmp_path / STATE_FILE).write_text(text)

    assert running_stack(tmp_path) is None
    assert "A stack runs in" in str(look(tmp_path).trouble)
    process.communicate("")


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UserError, match="cannot be used for the stack"), claimed(tmp_path / "file"):
        pass


def test_the_file_of_a_killed_stack_does_not_speak_for_its_successor(tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.kill()
    process.communicate()

    with claimed(tmp_path):  # and nothing published yet
        assert running_stack(tmp_path) is None
        assert "its addresses are not known" in str(look(tmp_path).trouble)


def test_where_nothing_runs_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert look(tmp_path) == look(tmp_path / "none")
    assert look(tmp_path).trouble is None


OTHER_PIDS = STATE.model_copy(update={"processes": {"api": 1}})
OTHER_PLACE = STATE.model_copy(update={"environment": {"SURGELINE_API__PORT": "1"}})


@pytest.mark.parametrize(
    ("wanted", "shown", "words"),
    [
        pytest.param(OTHER_PIDS, STATE, ["cannot be written: No space", "again"], id="pids"),
        pytest.param(OTHER_PLACE, OTHER_PLACE, [], id="addresses"),
    ],
)
def test_on_a_full_disk_the_old_file_stays_only_while_it_leads_to_the_stack(
    tmp_path: Path, wanted: StackState, shown: StackState, words: list[str]
) -> None:
    said: list[str] = []
    with tiny_disk(tmp_path, megabytes=1) as disk, claimed(tmp_path) as claim:
        keeper = StateKeeper(claim, said.append)
        keeper.publish(STATE)
        with disk.full():
            keeper.publish(wanted)
            keeper.publish(wanted)
            assert running_stack_elsewhere(tmp_path) == shown
        keeper.publish(wanted)

        assert running_stack_elsewhere(tmp_path) == wanted
        assert sorted(path.name for path in tmp_path.iterdir()) == [STATE_FILE, LOCK_FILE]
    assert [expected in sentence for expected, sentence in zip(words, said, strict=True)] == [
        True for _ in words
    ]


def running_stack_elsewhere(folder: Path) -> StackState | None:
    """What a process that does not hold the lock finds."""
    code = "import sys; from pathlib import Path; from deploy.local.statefile import look\n"
    code += "state = look(Path(sys.argv[1])).state; print(state and state.model_dump_json() or '')"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    return StackState.model_validate_json(done.stdout) if done.stdout.strip() else None


def test_a_folder_that_another_stack_has_taken_is_left_alone(tmp_path: Path) -> None:
    with claimed(tmp_path) as claim:
        claim.publish(STATE)
        (tmp_path / LOCK_FILE).unlink()
        other = holder(tmp_path)

        assert claim.publish(OTHER_PLACE) == "another stack has taken the folder"
        assert running_stack(tmp_path) == STATE
    assert running_stack(tmp_path) == STATE
    other.communicate("")


async def test_a_state_file_that_somebody_deletes_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statekeeper, "CHECK_EVERY_S", 0.01)
    with claimed(tmp_path) as claim:
        keeper = StateKeeper(claim, lambda _sentence: None)
        keeper.publish(STATE)
        keeping = asyncio.create_task(keeper.keep())
        shutil.rmtree(tmp_path)

        await asyncio.to_thread(wait_until, lambda: claim.shows(STATE), "the state file", 10)
        keeping.cancel()
