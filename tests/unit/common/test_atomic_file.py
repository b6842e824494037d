"""Files that are whole or untouched, also on a full disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from common.files.atomic import PRIVATE, replace_file, write_report, write_text
from tests.support.servers.tiny_disk import tiny_disk


def test_a_report_is_its_owners_alone_and_its_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "report.json"

    write_report(path, {"a": 1})

    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert path.stat().st_mode & 0o777 == PRIVATE


def test_on_a_full_disk_the_older_file_is_untouched_and_nothing_is_left(tmp_path: Path) -> None:
    with tiny_disk(tmp_path, megabytes=1) as disk:
        path = tmp_path / "report.json"
        write_report(path, {"old": 1})
        before = path.read_bytes()
        with disk.full(), pytest.raises(UserError, match="cannot be written: No space left"):
            write_report(path, {"new": "x" * 10_000})

        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["folder", "file/report"])
def test_a_place_that_is_none_is_one_clear_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(UserError, match=r"^[^\n]* cannot be written: [A-Z][^\n]*\.$"):
        write_text(tmp_path / place, "x")


def test_a_device_is_written_to_and_stays_one() -> None:
    device = Path("/dev/null")

    replace_file(device, b"x", PRIVATE)

    assert device.is_char_device()
