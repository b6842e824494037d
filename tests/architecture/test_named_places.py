"""Files, folders, modules and pages that our own text names are there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).parents[2]
HISTORY = "CHANGELOG.md"
"""Tells of what is gone, too."""
PLACE = re.compile(r"`+([a-z_.]+/[\w.*/-]*)(?:::\w+)?`+")
"""A path between backticks, as pages, docstrings and comments write it."""
STANDS_FOR_ANY = re.compile(r"\b[A-Z]{4,}\b(?=/|$)")
"""``NAME/``: whatever is there."""
COMMAND = re.compile(r"python -m ([a-z_]+(?:\.[a-z_]+)*)")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")


def tracked() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return {name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()}


FILES = tracked()
FOLDERS = {str(folder) for name in FILES for folder in PurePosixPath(name).parents}
TOP = {name.partition("/")[0] for name in FILES if "/" in name}


def texts(*suffixes: str) -> dict[str, str]:
    """Every text of ours, but for recorded histories and other people's files."""
    return {
        name: (REPOSITORY / name).read_text(encoding="utf-8")
        for name in sorted(FILES)
        if name.endswith(suffixes) and name != HISTORY
    }


def is_there(place: str) -> bool:
    pattern = STANDS_FOR_ANY.sub("*", place.rstrip("/"))
    if "*" in pattern:
        return any(PurePosixPath(each).match(pattern) for each in FILES | FOLDERS)
    return pattern in FILES or pattern in FOLDERS


def missing(text: str) -> set[str]:
    named = (place for place in PLACE.findall(text) if place.partition("/")[0] in TOP)
    return {place for place in named if not is_there(place)}


def test_every_place_that_our_text_names_is_there() -> None:
    wrong = {
        name: sorted(found)
        for name, text in texts(".md", ".py", ".toml", ".yml", ".yaml", "Makefile").items()
        if (found := missing(text))
    }

    assert wrong == {}


def test_a_place_that_is_not_there_is_found() -> None:
    gone = ("bench/no_such.py", "docs/nothing/")

    assert missing("see ``{}`` and `{}`".format(*gone)) == set(gone)
    assert missing("`docs/*.md`, `tests/unit/NAME/`, `/etc/hosts` and `text/html`") == set()


def test_every_command_that_our_text_names_can_be_started() -> None:
    runnable = {name.removesuffix(".py").replace("/", ".") for name in FILES}
    wrong = {
        name: sorted(found)
        for name, text in texts(".md", ".py", ".yml", "Makefile").items()
        if (
            found := {
                command
                for command in COMMAND.findall(text)
                if command.partition(".")[0] in TOP
                and not {command, f"{command}.__main__"} & runnable
            }
        )
    }

    assert wrong == {}


def test_every_page_that_a_page_links_to_is_there() -> None:
    wrong = {
        name: broken
        for name, text in texts(".md").items()
        if (
            broken := [
                target
                for target in LINK.findall(text)
                if not (REPOSITORY / name).parent.joinpath(target).exists()
            ]
        )
    }

    assert wrong == {}
