"""What ``surgeline up`` shows: whatever a log holds, and whatever becomes of the screen."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from common.terminal.console import output_console
from deploy.local.logtail import LogTail
from deploy.local.screen import Screen, unfailing
from tests.unit.common.test_console import HOSTILE, STYLING, commands, terminal


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE)
def test_no_line_of_a_log_commands_the_terminal(tmp_path: Path, text: str) -> None:
    log = tmp_path / "log"
    log.write_bytes(text.encode(errors="surrogatepass") + b"\n\x1b[31mred\x1b[0m\n")
    console, file = terminal()

    Screen(console, {"api": LogTail(log)}).print_new()

    assert commands(file.getvalue()) == []
    assert "\x1b[31mred" in file.getvalue()  # its colours stay


def test_links_and_passwords_of_a_log_are_not_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\ http://me:hush@db/x\n")
    console, file = terminal()

    Screen(console, {"api": LogTail(log)}).print_new()

    assert "here http://***@db/x" in STYLING.sub("", file.getvalue())
    assert "evil" not in file.getvalue()


class Broken(io.StringIO):
    """A stream that refuses."""

    def __init__(self, refusal: Exception) -> None:
        super().__init__()
        self.refusal: Exception | None = refusal

    def write(self, text: str) -> int:
        if self.refusal is not None:
            raise self.refusal
        return super().write(text)


@pytest.mark.parametrize(
    "refusal",
    [
        BrokenPipeError(errno.EPIPE, "Broken pipe"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("I/O operation on closed file"),
        UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range"),
    ],
)
def test_a_screen_that_refuses_loses_what_is_said_and_no_more(refusal: Exception) -> None:
    stream = Broken(refusal)
    screen = Screen(output_console(unfailing(stream), soft_wrap=True), {})

    screen.say("detector", "lost")
    stream.refusal = None
    screen.say("detector", "heard")

    assert stream.getvalue() == "surgeline | detector: heard\n"


def test_lines_that_nobody_need_act_on_stay_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(
        b"1:M # WARNING Memory overcommit must be enabled! Without it, a background save\n"
        b'ERROR tansu_storage::dynostore: 7: NotFound { path: "c/groups/consumers/x.json" }\n'
        b"ERROR tansu_service::stream: 9: err=Os { code: 32, kind: BrokenPipe, message: 1 }\n"
        b"ERROR tansu_storage::dynostore: 8: the disk is full\n"
    )
    console, file = terminal()

    Screen(console, {"valkey": LogTail(log)}).print_new()

    assert ": 8: the disk is" in file.getvalue()
    assert "overcommit" not in file.getvalue()
    assert "NotFound" not in file.getvalue()
    assert "BrokenPipe" not in file.getvalue()
