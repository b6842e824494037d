"""Following a log file: whole lines, once each, however they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local import logtail
from deploy.local.logtail import LogTail, last_lines


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_lines_come_once_and_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = LogTail(log)

    assert tail.new_lines() == []
    append(log, "one\ntwö".encode())
    assert tail.new_lines() == ["one"]
    append(log, b"\r\n\xff\n")
    assert tail.new_lines() == ["twö", "\N{REPLACEMENT CHARACTER}"]
    assert tail.new_lines() == []


def test_a_log_that_was_deleted_and_written_anew_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = LogTail(log)
    append(log, b"a long line\nrest")
    tail.new_lines()

    log.unlink()
    append(log, b"new\n")

    assert tail.new_lines() == ["new"]


def test_a_large_log_is_emptied_and_followed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logtail, "MAX_LOG_BYTES", 10)
    log = tmp_path / "log"
    tail = LogTail(log)
    with log.open("ab") as writer:  # appends, as a child does
        writer.write(b"0123456789abc\n")
        writer.flush()
        tail.new_lines()
        tail.bound()
        assert log.stat().st_size == 0
        writer.write(b"after\n")
        writer.flush()

        assert tail.new_lines() == ["after"]


def test_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, b"\n".join(b"%d" % number for number in range(50)))

    assert last_lines(log, 3) == ["47", "48", "49"]
    assert last_lines(tmp_path / "none") == []


def test_a_log_that_cannot_be_read_or_emptied_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logtail, "MAX_LOG_BYTES", 1)
    log = tmp_path / "logs" / "log"
    log.parent.mkdir()
    tail = LogTail(log)
    append(log, b"one\n")
    assert tail.new_lines() == ["one"]
    log.unlink()
    log.parent.rmdir()
    log.parent.touch()  # a file where the folder was: NotADirectoryError for everything in it

    tail.bound()
    assert tail.new_lines() == []
    assert last_lines(log) == []
