"""The console's files: what is served, what a page may load, which libraries are in it."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest

from api.console.files import STATIC
from tests.support.api import running

VENDOR = STATIC / "vendor"
MOST_BYTES = 60 * 1024
"""Of the whole console, compressed: it opens on a slow line too."""

OWN = sorted(path for path in STATIC.glob("*.js"))


def test_the_libraries_are_the_ones_the_table_names() -> None:
    table = (VENDOR / "README.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `([\w.-]+)` .*`([0-9a-f]{64})` \|$", table, re.MULTILINE))

    shipped = {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    assert named.keys() == shipped
    for name, digest in named.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name
        package = re.search(rf"`{name}` \| `@?(?:preact/)?([\w-]+)`", table)
        assert package is not None
        assert (VENDOR / f"LICENSE.{package[1]}").is_file()


def test_the_whole_console_is_small() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]

    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= MOST_BYTES


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
