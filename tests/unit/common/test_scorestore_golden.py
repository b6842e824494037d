"""InfluxDB's lines and SQLite's rows against literal text: what is in files that exist already.

Pinned anew by ``python -m tests.support.golden``.
"""

from __future__ import annotations

import pytest

from common.records.verdicts import Verdict
from tests.support.golden import GOLDEN, STORED, STORES


@pytest.mark.parametrize(
    "name", [name for name, golden in GOLDEN.items() if golden.file.parent == STORES]
)
def test_what_is_stored_is_what_is_pinned(name: str) -> None:
    assert GOLDEN[name].make() == GOLDEN[name].pinned()


def test_every_verdict_is_among_the_pinned() -> None:
    assert {record.status for record in STORED} == set(Verdict)
