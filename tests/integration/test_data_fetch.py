"""Fetching the data from a real HTTP server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from common.cmapss.files import PublishedFile
from common.errors import DownloadError
from deploy.local.programs import free_port
from producer.data import download
from producer.data.download import FileState, check, fetch

CONTENTS = {
    "train_FD001.txt": b"1 1 train \n" * 400,
    "test_FD001.txt": b"1 1 test \n" * 300,
    "RUL_FD001.txt": b"7 \n",
}
PUBLISHED = {
    name: PublishedFile(name, len(content), hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
}


@dataclass
class Server:
    """What the server answers, and what it was asked."""

    url: str = ""
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            self.send_response(state.status)
            for name, value in ({"Content-Length": str(len(state.body))} | state.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep test output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_port}/archive.zip"
        yield state
        http.shutdown()
        thread.join()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def nasa_like(members: dict[str, bytes] = CONTENTS) -> bytes:
    inner = zipped({**members, "readme.txt": b"note", "Damage Propagation Modeling.pdf": b"%PDF"})
    return zipped({"6. Turbofan Engine Degradation Simulation Data Set/CMAPSSData.zip": inner})


def files(folder: Path) -> dict[str, bytes]:
    """All that is in the folder, hidden files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("pack", [nasa_like, lambda: zipped(CONTENTS)], ids=["nested", "plain"])
def test_the_files_of_the_archive_arrive_verified(
    server: Server, tmp_path: Path, pack: Callable[[], bytes]
) -> None:
    server.body = pack()
    told: list[tuple[int, int]] = []

    report = fetch(
        tmp_path / "new" / "data", server.url, lambda *state: told.append(state), PUBLISHED
    )

    assert files(tmp_path / "new" / "data") == CONTENTS
    assert sorted(report.written) == sorted(CONTENTS)
    assert report.kept == ()
    assert told[-1] == (len(server.body), len(server.body))
    assert set(check(report.folder, PUBLISHED).values()) == {FileState.VERIFIED}


def test_what_is_verified_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    server.body = nasa_like()
    fetch(tmp_path, server.url, published=PUBLISHED)

    again = fetch(tmp_path, server.url, published=PUBLISHED)

    assert len(server.asked) == 1
    assert again.written == ()
    assert sorted(again.kept) == sorted(CONTENTS)


def test_only_what_is_missing_or_damaged_is_written(server: Server, tmp_path: Path) -> None:
    server.body = nasa_like()
    packed = gzip.compress(CONTENTS["train_FD001.txt"])
    (tmp_path / "train_FD001.txt.gz").write_bytes(packed)
    (tmp_path / "test_FD001.txt.gz").write_bytes(b"\x1f\x8bdamaged")
    assert check(tmp_path, PUBLISHED) == {
        "train_FD001.txt": FileState.VERIFIED,
        "test_FD001.txt": FileState.DAMAGED,
        "RUL_FD001.txt": FileState.MISSING,
    }

    report = fetch(tmp_path, server.url, published=PUBLISHED)

    assert report.kept == ("train_FD001.txt",)
    assert sorted(report.written) == ["RUL_FD001.txt", "test_FD001.txt"]
    assert set(check(tmp_path, PUBLISHED).values()) == {FileState.VERIFIED}


def test_an_existing_nested_folder_is_filled(server: Server, tmp_path: Path) -> None:
    server.body = nasa_like()
    (tmp_path / "cmapss").mkdir()

    fetch(tmp_path, server.url, published=PUBLISHED)

    assert files(tmp_path / "cmapss") == CONTENTS


REFUSED = [
    pytest.param(
        lambda: nasa_like({**CONTENTS, "RUL_FD001.txt": b"8 \n"}),
        "RUL_FD001.txt .* sha256 differs",
        id="other content",
    ),
    pytest.param(
        lambda: nasa_like({**CONTENTS, "RUL_FD001.txt": b"7 \n" * 10**6}),
        "RUL_FD001.txt' unpacks to more than the 3 bytes expected",
        id="over size",
    ),
    pytest.param(
        lambda: zipped({"../RUL_FD001.txt": b"7 \n"}),
        "points outside of its folder",
        id="climbs out",
    ),
    pytest.param(
        lambda: zipped({"/etc/RUL_FD001.txt": b"7 \n"}),
        "points outside of its folder",
        id="absolute",
    ),
    pytest.param(
        lambda: zipped({"C:\\data\\RUL_FD001.txt": b"7 \n"}),
        "points outside of its folder",
        id="drive",
    ),
    pytest.param(
        lambda: zipped({"a\\..\\..\\RUL_FD001.txt": b"7 \n"}),
        "points outside of its folder",
        id="backslashes",
    ),
    pytest.param(lambda: b"<html>not here</html>", "not a zip archive", id="no zip"),
    pytest.param(lambda: b"", "not a zip archive", id="nothing"),
    pytest.param(lambda: nasa_like()[:-60], "not a zip archive", id="cut"),
    pytest.param(
        lambda: zipped({"CMAPSSData.zip": b"no zip"}), "not a zip archive", id="inner is no zip"
    ),
]


@pytest.mark.parametrize(("pack", "message"), REFUSED)
def test_what_is_not_the_archive_is_refused_in_one_line(
    server: Server, tmp_path: Path, pack: Callable[[], bytes], message: str
) -> None:
    server.body = pack()
    folder = tmp_path / "data"

    with pytest.raises(DownloadError, match=message) as caught:
        fetch(folder, server.url, published=PUBLISHED)

    assert "\n" not in str(caught.value)
    assert [path for path in tmp_path.iterdir() if path != folder] == []
    for name, content in files(folder).items():
        assert content == CONTENTS[name]


def test_files_that_the_archive_lacks_are_named(server: Server, tmp_path: Path) -> None:
    server.body = nasa_like({"RUL_FD001.txt": CONTENTS["RUL_FD001.txt"]})

    with pytest.raises(DownloadError, match=r"lacks test_FD001\.txt, train_FD001\.txt"):
        fetch(tmp_path, server.url, published=PUBLISHED)

    assert list(files(tmp_path)) == ["RUL_FD001.txt"]


def test_a_body_shorter_than_announced_is_no_archive(server: Server, tmp_path: Path) -> None:
    server.body = nasa_like()
    server.headers = {"Content-Length": str(len(server.body) + 100), "Connection": "close"}

    with pytest.raises(DownloadError, match="cannot be fetched from"):
        fetch(tmp_path, server.url, published=PUBLISHED)


def test_a_server_that_never_ends_is_cut_off(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.body = nasa_like()
    monkeypatch.setattr(download, "MAX_ARCHIVE_BYTES", len(server.body) - 1)

    with pytest.raises(DownloadError, match="sends more than"):
        fetch(tmp_path, server.url, published=PUBLISHED)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_an_error_status_is_told(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status

    with pytest.raises(DownloadError, match=f"answered {status} instead of the data"):
        fetch(tmp_path, server.url, published=PUBLISHED)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/x.zip", "nonsense", "ftp://x/y"])
def test_offline_is_one_clear_line_that_says_what_else_to_do(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch(tmp_path, url.format(port=free_port()), published=PUBLISHED)

    message = str(caught.value)
    assert "\n" not in message
    assert "cannot be fetched from" in message
    assert "SURGELINE_DATA_DIR" in message
    assert "SIM" in message


def test_a_folder_that_cannot_be_written_is_told_before_the_download(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DownloadError, match=r"file.* cannot be written.*--dir"):
        fetch(tmp_path / "file" / "data", server.url, published=PUBLISHED)

    assert server.asked == []
