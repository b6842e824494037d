"""How many processors a process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detector.worker.cores import cores


@pytest.fixture(autouse=True)
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 5})


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max 100000\n", 4),
        ("150000 100000\n", 1.5),
        ("800000 100000\n", 4),
        ("100000 0\n", 4),
        ("", 4),
        ("nobody knows\n", 4),
    ],
)
def test_a_containers_limit_counts_where_there_is_one(
    tmp_path: Path, limit: str, expected: float
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(limit)

    assert cores(file) == expected


def test_without_a_limit_it_is_what_the_system_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cores(tmp_path / "none") == 4

    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert cores(tmp_path / "none") == 3
