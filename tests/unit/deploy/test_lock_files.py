"""The image's lock files fit pyproject.toml, and bring no PyTorch."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[3]
FOLDER = REPOSITORY / "deploy" / "docker"
PINNED = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ ]+)(?P<rest>.*\\)$", re.MULTILINE)
NOT_FOR_SERVING = {"torch", "scikit-learn", "scipy", "matplotlib", "pandas", "polars", "pytest"}

locks = pytest.mark.parametrize(
    ("lock", "extras"),
    [("serving.lock", ["postgres"]), ("serving-mlflow.lock", ["postgres", "mlflow"])],
)


def pins(lock: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for match in PINNED.finditer((FOLDER / lock).read_text(encoding="utf-8")):
        found.setdefault(match["name"], set()).add(match["version"])
    return found


@locks
def test_every_dependency_is_pinned_within_its_range(lock: str, extras: list[str]) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    found = pins(lock)

    for line in wanted:
        requirement = Requirement(line)
        versions = found.get(canonicalize_name(requirement.name), set())
        assert versions, f"run `make lock`: {line} is not in {lock}"
        assert all(version in requirement.specifier for version in versions), line


@locks
def test_nothing_comes_that_serving_does_not_need(lock: str, extras: list[str]) -> None:
    assert extras
    assert not NOT_FOR_SERVING & pins(lock).keys()


@pytest.mark.parametrize("lock", sorted(path.name for path in FOLDER.glob("*.lock")))
def test_every_pin_has_hashes(lock: str) -> None:
    text = (FOLDER / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z])", text.partition("make lock\n")[2].strip())

    assert entries
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
