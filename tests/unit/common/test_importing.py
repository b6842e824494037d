"""The garbage collector does not look through a program while it is imported, nor afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from common.terminal.importing import imported


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """What a test has frozen is frozen no longer, except for what was."""
    gc.collect()
    yield
    gc.enable()


def test_what_is_imported_is_neither_looked_through_nor_freed() -> None:
    before, made = gc.get_freeze_count(), list[list[object]]()

    def load() -> str:
        assert not gc.isenabled()
        made.extend([] for _ in range(1000))
        return "a program"

    assert imported(load) == "a program"
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + 1000


def test_an_import_that_fails_leaves_the_collector_as_it_was() -> None:
    with pytest.raises(ModuleNotFoundError):
        imported(lambda: __import__("no_such_module"))

    assert gc.isenabled()


def test_who_has_switched_the_collector_off_finds_it_off() -> None:
    gc.disable()

    imported(lambda: None)

    assert not gc.isenabled()
