"""Following a log file: whole lines, once each, however they are written."""

from __future__ import annotations

from pathlib import Path

from deploy.local.logtail import LogBounds, LogTail, last_lines


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


def test_a_large_log_is_rotated_and_followed_on(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    tail = LogTail(log, LogBounds(10, kept=2))
    with log.open("ab") as writer:  # appends, as a child does
        for number in range(4):
            writer.write(b"%d-0123456789\n" % number)
            writer.flush()
            assert tail.new_lines() == [f"{number}-0123456789"]
            tail.bound()
            assert log.stat().st_size == 0

    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {
        "api.log": "", "api.log.1": "3-0123456789\n", "api.log.2": "2-0123456789\n",
    }  # fmt: skip
    assert (tmp_path / "api.log.1").stat().st_mode & 0o777 == 0o600


def test_a_log_that_grows_faster_than_it_is_read_is_rotated_too(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    tail = LogTail(log, LogBounds(10, kept=1))
    append(log, b"x" * 15)
    tail.bound()
    assert log.stat().st_size == 15

    append(log, b"x" * 15)
    tail.bound()

    assert (log.stat().st_size, (tmp_path / "api.log.1").stat().st_size) == (0, 30)


def test_a_large_log_is_emptied_where_none_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = LogTail(log, LogBounds(10, kept=0))
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
    tmp_path: Path,
) -> None:
    log = tmp_path / "logs" / "log"
    log.parent.mkdir()
    tail = LogTail(log, LogBounds(1))
    append(log, b"one\n")
    assert tail.new_lines() == ["one"]
    log.unlink()
    log.parent.rmdir()
    log.parent.touch()  # a file where the folder was: NotADirectoryError for everything in it

    tail.bound()
    assert tail.new_lines() == []
    assert last_lines(log) == []
