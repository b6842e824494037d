"""What the design promises about names, imports and files, checked."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from pydantic import BaseModel

from common.metering.names import OF_ALL
from common.settings import TEST_PREFIX, Settings, variable_names
from common.topics import REPEAT_MEASUREMENT, SCORE_MEASUREMENT, StateKeys, Topics

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("common", "models", "producer", "detector", "api", "deploy", "surgeline")
MAPPED = (*PACKAGES, "bench")
"""Every folder in them is a room, and says what it is for."""
DATA_SUFFIXES = {".gz", ".zip", ".npz", ".npy", ".csv", ".parquet", ".db", ".pkl", ".pickle", ".pt"}
LARGEST_FILE_BYTES = 1024 * 1024
VARIABLE = re.compile(r"SURGELINE_[A-Z0-9_]*[A-Z0-9]")
ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"
NAME_HOME = Path("common/topics.py")
METRICS_HOME = Path("common/metering/names.py")


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True
    ).stdout
    files = [REPOSITORY / name for name in listed.decode().split("\0") if name]
    return [file for file in files if file.is_file()]  # one may be deleted and not committed


def modules(packages: tuple[str, ...] = PACKAGES) -> list[Path]:
    return [
        file
        for file in tracked_files()
        if file.suffix == ".py" and file.relative_to(REPOSITORY).parts[0] in packages
    ]


def test_packages_import_only_what_the_contracts_allow() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_provides_a_package_of_our_name(package: str) -> None:
    providers = set(metadata.packages_distributions().get(package, []))

    assert providers <= {"surgeline"}
    module = importlib.import_module(package)
    assert module.__file__ is not None
    assert Path(module.__file__).parents[1] == REPOSITORY


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(file.relative_to(REPOSITORY))
        for file in modules(MAPPED)
        if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]

    assert silent == []


def test_every_folder_of_code_is_a_package_with_a_map() -> None:
    folders = {file.parent for file in modules(MAPPED)}

    missing = [str(folder) for folder in folders if not (folder / "__init__.py").is_file()]

    assert [folder for folder in missing if "migrations" not in folder] == []


def string_constants(file: Path) -> Iterator[str]:
    """The texts in a module, but for docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node) is not None
        if isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and id(node) not in docstrings
        if is_text and isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_architecture_page_names_the_rooms_as_they_are() -> None:
    rows = re.findall(r"^\| `(\w+)/` \| (.*) \|$", ARCHITECTURE.read_text(), re.MULTILINE)
    named = {f"{folder}/{room}" for folder, text in rows for room in re.findall(r"`(\w+)/`", text)}
    there = {
        "/".join(file.relative_to(REPOSITORY).parts[:2])
        for file in modules(MAPPED)
        if file.name == "__init__.py" and len(file.relative_to(REPOSITORY).parts) == 3
    }

    assert named == {each for each in there if not each.startswith("deploy/")}


def test_names_of_topics_and_keys_are_written_in_one_place() -> None:
    topics = Topics()
    suffixes = [
        name.removeprefix(topics.prefix)
        for name in (topics.readings, topics.alerts, topics.evidence, topics.dead_letter)
    ]
    key_part = StateKeys().asset_state("a", "r").split(":")[1]
    name = re.compile(rf"^[^ /]*({'|'.join(map(re.escape, suffixes))})$|:{key_part}:")

    elsewhere = {
        f"{file.relative_to(REPOSITORY)}: {text!r}"
        for file in modules()
        if file.relative_to(REPOSITORY) != NAME_HOME
        for text in string_constants(file)
        if name.search(text)
    }

    assert elsewhere == set()
    assert any(name.search(text) for text in string_constants(REPOSITORY / NAME_HOME))


def test_names_of_measurements_are_written_in_one_place() -> None:
    stores = [file for file in modules() if "influx" in file.name]

    elsewhere = [
        f"{file.relative_to(REPOSITORY)}: {text!r}"
        for file in stores
        for text in string_constants(file)
        if re.search(
            rf'(measurement|FROM|from)\W+"?({SCORE_MEASUREMENT}|{REPEAT_MEASUREMENT})\b', text
        )
    ]

    assert elsewhere == []


def test_names_of_metrics_are_written_in_one_place() -> None:
    known = {spec.name for specs in OF_ALL.values() for spec in specs}
    name = re.compile(rf"\b({'|'.join(sorted(known))})(_total|_bucket|_sum|_count)?\b")

    elsewhere = {
        f"{file.relative_to(REPOSITORY)}: {text!r}"
        for file in modules()
        if file.relative_to(REPOSITORY) != METRICS_HOME
        for text in string_constants(file)
        if name.search(text)
    }

    assert elsewhere == set()
    assert any(name.search(text) for text in string_constants(REPOSITORY / METRICS_HOME))


def test_the_environment_is_read_only_where_settings_are() -> None:
    """Everything else gets its settings handed over."""
    may_read = {
        "common/settings/load.py",
        "deploy/commands.py",
        "deploy/up.py",
        "deploy/demo/command.py",
    }
    # a child process inherits its environment, which is no reading of settings
    may_read |= {"api/adapters/process_replay_launcher.py", "api/adapters/scoring/process.py"}
    may_read |= {"detector/adapters/scoring/running.py"}
    may_read |= {"deploy/pictures.py"}
    # onnxruntime is told by an environment variable alone to send no usage data
    may_read |= {"common/terminal/entry.py"}
    # MLflow is told by environment variables alone, here, to send no usage data
    may_read |= {"models/tracking/mlflow_registry.py"}

    readers = {
        str(file.relative_to(REPOSITORY))
        for file in modules()
        if re.search(r"os\.(environ|getenv)", file.read_text(encoding="utf-8"))
    }

    assert readers - may_read == set()


def test_no_data_and_nothing_large_is_in_the_repository() -> None:
    texts_of_data = re.compile(r"^(train|test|RUL)_FD\d{3}\.txt")
    offenders = [
        str(file.relative_to(REPOSITORY))
        for file in tracked_files()
        if file.suffix in DATA_SUFFIXES
        or texts_of_data.match(file.name)
        or file.stat().st_size > LARGEST_FILE_BYTES
    ]

    assert offenders == []


def test_every_variable_that_the_docs_name_exists() -> None:
    known = variable_names()
    # a whole group may be meant, as in SURGELINE_KAFKA__*
    known |= {name.rpartition("__")[0] for name in known if "__" in name}
    documents = [
        file
        for file in tracked_files()
        if file.suffix in {".md", ".yml", ".yaml", ".toml"} or file.name in {"Makefile", "run"}
    ]

    unknown = {
        f"{file.relative_to(REPOSITORY)}: {name}"
        for file in documents
        for name in VARIABLE.findall(file.read_text(encoding="utf-8"))
        if name not in known and not name.startswith(TEST_PREFIX)
    }

    assert unknown == set()
    assert any("SURGELINE_" in file.read_text(encoding="utf-8") for file in documents)


def test_every_setting_is_read_by_something() -> None:
    sources = [file.read_text() for file in modules() if file.parts[-2] != "settings"]
    read = set(re.findall(r"\.(\w+)", "\n".join(sources)))

    assert {name for name in setting_names(Settings()) if name not in read} == set()


def setting_names(group: BaseModel) -> Iterator[str]:
    for name in type(group).model_fields:
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from setting_names(value)
        else:
            yield name


def test_every_setting_that_messages_name_exists() -> None:
    known = variable_names()

    unknown = {
        f"{file.relative_to(REPOSITORY)}: {name}"
        for file in modules()
        for text in string_constants(file)
        for name in VARIABLE.findall(text)
        if name not in known and not TEST_PREFIX.startswith(name)
    }

    assert unknown == set()


def test_no_text_names_surgeline_as_if_a_package_index_had_it() -> None:
    from_an_index = re.compile(r"pip install[^\n]*[ '\"]surgeline\b")

    wrong = [
        f"{file.relative_to(REPOSITORY)}: {line.strip()}"
        for file in tracked_files()
        if file.suffix in {".py", ".md", ".toml", ".yml"} and file != Path(__file__)
        for line in file.read_text(encoding="utf-8").splitlines()
        if from_an_index.search(line)
    ]

    assert wrong == []


def test_nothing_prints_past_our_consoles() -> None:
    """All print through ``common/terminal/``, so that no foreign text can command a terminal."""
    made = re.compile(r"(?<![\w.])Console\(")

    makers = {
        str(file.relative_to(REPOSITORY))
        for file in modules()
        if made.search(file.read_text(encoding="utf-8"))
    }

    assert makers == set()


def test_no_module_is_named_after_the_standard_library_or_a_dependency() -> None:
    dependencies = set(metadata.packages_distributions()) - set(PACKAGES)
    top_level = {file.relative_to(REPOSITORY).parts[0].removesuffix(".py") for file in modules()}

    assert top_level & (set(sys.stdlib_module_names) | dependencies) == set()
