"""Every test that docs/operations.md names is there, and every row of what may die names one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
WITHOUT_A_TEST = ("Prometheus, Grafana",)
"""Nothing of ours asks them for anything."""


def test_every_test_the_page_names_is_there() -> None:
    named = NAMED.findall(PAGE)

    assert len(named) > 20
    for file, test in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not test or f"def {test}(" in text, f"{file}::{test}"


def test_every_row_of_what_may_die_names_a_test() -> None:
    table = PAGE.partition("## What may die")[2].partition("## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]

    assert len(rows) >= 8
    for row in rows:
        assert NAMED.search(row) or row.startswith(tuple(f"| {it}" for it in WITHOUT_A_TEST)), row


def test_every_file_the_page_leads_to_is_there() -> None:
    targets = re.findall(r"\]\(([\w-]+\.md)(?:#[\w-]+)?\)", PAGE)

    assert targets
    assert [target for target in targets if not (ROOT / "docs" / target).exists()] == []
