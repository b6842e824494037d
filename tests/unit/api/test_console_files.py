"""The console's files: what is served, what a page may load, which libraries are in it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import httpx
import pytest

from api.console.files import STATIC, ConsoleFiles, Served, minified, served
from tests.support.api import running

VENDOR = STATIC / "vendor"
MOST_BYTES = 60 * 1024
"""Of the whole console, compressed: it opens on a slow line too."""

OWN = sorted(path for path in STATIC.glob("*.js"))


def test_the_libraries_are_the_ones_the_table_names() -> None:
    text = (VENDOR / "README.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `([\w.-]+)` \| `([0-9a-f]{64})` \|$", text, re.MULTILINE))
    packages = re.findall(r"^\| `(?:@preact/)?([\w-]+)` \| [\d.]+ \| (\S+) \|", text, re.MULTILINE)

    shipped = {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    assert named.keys() == shipped
    for name, digest in named.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name
    assert len(packages) == 5
    for package, licence in packages:
        said = (VENDOR / f"LICENSE.{package}").read_text(encoding="utf-8")
        assert ("Apache License" if licence == "Apache-2.0" else "Permission is hereby") in said


def test_the_whole_console_is_small() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    sizes = {path.name: len(file.zipped or file.plain) for path, file in sent(files)}

    assert sum(sizes.values()) <= MOST_BYTES, sorted(sizes.items(), key=lambda each: -each[1])


def sent(files: list[Path]) -> list[tuple[Path, Served]]:
    return [(path, served(path)) for path in files]


@pytest.mark.parametrize("path", [*OWN, STATIC / "theme.css"], ids=lambda path: path.name)
def test_own_files_are_sent_without_what_only_readers_need(path: Path) -> None:
    plain = served(path).plain

    assert len(plain) < path.stat().st_size
    assert b"\n//" not in plain


def test_what_cannot_be_parsed_is_sent_as_it_is() -> None:
    assert minified(b"const = 1; // why", "application/javascript") == b"const = 1; // why"


async def test_libraries_and_their_licences_reach_the_reader_byte_for_byte() -> None:
    async with running() as api:
        for path in [each for each in VENDOR.iterdir() if each.suffix != ".sed"]:
            answer = await api.client.get(f"/console/vendor/{path.name}")
            assert answer.content == path.read_bytes(), path.name


async def test_a_file_is_sent_once_and_again_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "main.js").write_text("let first = 1;")
    files = ConsoleFiles(tmp_path)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=files), base_url="http://localhost"
    ) as client:
        first = await client.get("/main.js")
        again = await client.get("/main.js", headers={"If-None-Match": first.headers["etag"]})
        (tmp_path / "main.js").write_text("let second = 22;")
        changed = await client.get("/main.js", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert (changed.status_code, "second" in changed.text) == (200, True)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_modules_import_only_files_that_are_there_and_no_code_from_text(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    for address in re.findall(r"(?:from|import) '([^']+)'", text):
        assert address.startswith("./"), address
        assert (STATIC / address).is_file(), address
    assert not re.search(r"\beval\(|new Function|innerHTML|dangerouslySetInnerHTML", text)


async def test_browsers_get_the_page_at_the_root_and_programs_the_way() -> None:
    async with running() as api:
        page = await api.client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
        way = await api.client.get("/", headers={"Accept": "*/*"})

    assert page.headers["content-type"].startswith("text/html")
    assert way.json()["links"]["console"] == "/console/index.html"


async def test_every_file_of_the_page_is_there_and_says_what_may_be_loaded() -> None:
    async with running() as api:
        page = await api.client.get("/", headers={"Accept": "text/html"})
        wanted = re.findall(r'(?:src|href)="(/console/[^"]+)"', page.text)
        answers = [page, *[await api.client.get(address) for address in wanted]]

    assert len(wanted) >= 4
    for answer in answers:
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["../files.py", "%2e%2e/files.py", "..%2f..%2fapp.py", "nothing.js"]
)
async def test_nothing_beside_the_consoles_files_is_served(path: str) -> None:
    async with running() as api:
        assert (await api.client.get(f"/console/{path}")).status_code == 404
