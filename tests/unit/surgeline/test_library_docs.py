"""The examples of docs/library.md run as they stand, and print what the page shows."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "library.md"
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n```text\n(?P<shown>.*?)^```\n)?", re.M | re.S
)


def test_the_page_shows_what_its_examples_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = list(BLOCK.finditer(PAGE.read_text(encoding="utf-8")))
    names: dict[str, object] = {}

    for block in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block["code"], "docs/library.md", "exec"), names)  # noqa: S102 (our page)
        shown = block["shown"] or ""
        assert printed.getvalue().rstrip() == shown.rstrip(), block["code"]

    assert len(blocks) >= 6
