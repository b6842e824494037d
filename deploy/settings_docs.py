"""Writes ``docs/settings.md`` and ``.env.example`` from ``common/settings/``, their source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from common.errors import SettingsError
from common.settings import (
    Settings,
    as_text,
    field_paths,
    file_variable_name,
    secret_paths,
    variable_name,
)
from deploy.env_file import example_lines

PAGE: Final = Path("docs/settings.md")
EXAMPLE: Final = Path(".env.example")
WRITTEN_BY: Final = "Written by `surgeline settings --write` from common/settings/."


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting, as people read it.

    Attributes:
        path: Its place in ``Settings``, such as ``("kafka", "linger_ms")``.
        variable: Its environment variable.
        default: As one would write it in that variable.
        allowed: Bounds or choices; empty when any value of the type will do.
        description: What it does, with its unit.
        file_variable: For a secret: the variable that may name a file with it; else empty.
        group: First sentence about the group it belongs to.
    """

    path: tuple[str, ...]
    variable: str
    default: str
    allowed: str
    description: str
    group: str
    file_variable: str = ""


def setting_rows() -> list[SettingRow]:
    """Return every setting, in the order of ``common/settings/``."""
    return list(_rows())


def settings_page() -> str:
    """Return the text of ``docs/settings.md``."""
    lines = [
        "# Settings",
        "",
        f"<!-- {WRITTEN_BY} Do not edit. -->",
        "",
        "Every setting is an environment variable and is read once, at start. A misspelt one is",
        "refused, with the nearest name. `surgeline settings` shows the values in effect;",
        "`.env.example` lists them all for copying. `surgeline up` sets the addresses of what it",
        "starts itself ([local-stack.md](local-stack.md)). Every secret may stand in a file, named",
        "by its variable with `_FILE` at the end; connections that are encrypted or ask for a",
        "password are described in [security.md](security.md).",
    ]
    for group, rows in groupby(setting_rows(), key=lambda row: row.group):
        lines += ["", f"## {group}", "", "| variable | default | allowed | meaning |"]
        lines.append("| --- | --- | --- | --- |")
        for row in rows:
            default = f"`{row.default}`" if row.default else "(empty)"
            also = f" Or in a file: `{row.file_variable}`." if row.file_variable else ""
            allowed = row.allowed.replace("|", "\\|")
            lines.append(f"| `{row.variable}` | {default} | {allowed} | {row.description}{also} |")
    return "\n".join(lines) + "\n"


def env_example() -> str:
    """Return the text of ``.env.example``.

    First what docker-compose.yml reads, passwords empty; then every setting, commented out, at its
    default.
    """
    lines = [
        f"# {WRITTEN_BY}",
        "# Copy to .env, uncomment what you change, and load it: set -a; . ./.env; set +a",
        "# For `docker compose`, `make env` copies it and makes up the passwords; compose reads it",
        "# by itself, and hands on the settings that are not about addresses (docker-compose.yml).",
        "",
        *example_lines(),
    ]
    for group, rows in groupby(setting_rows(), key=lambda row: row.group):
        lines += ["", f"# --- {group}"]
        for row in rows:
            allowed = f" ({row.allowed})" if row.allowed else ""
            lines += [f"# {row.description}{allowed}", f"#{row.variable}={row.default}"]
            if row.file_variable:
                lines += ["# Or the file that holds it.", f"#{row.file_variable}="]
    return "\n".join(lines) + "\n"


def stale_files(root: Path) -> list[Path]:
    """Return which of the two files differ from what the settings say.

    Args:
        root: The repository.
    """
    return [
        path
        for path, text in _texts().items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]


def write(root: Path) -> list[Path]:
    """Write both files and return those that changed.

    Raises:
        SettingsError: If ``root`` is not the repository.
    """
    if not (root / "common" / "settings").is_dir():
        raise SettingsError(f"{root} is not Surgeline's repository: it has no common/settings/.")
    changed = stale_files(root)
    for path in changed:
        (root / path).write_text(_texts()[path], encoding="utf-8")
    return changed


def _texts() -> dict[Path, str]:
    return {PAGE: settings_page(), EXAMPLE: env_example()}


def _rows() -> Iterator[SettingRow]:
    secrets = set(secret_paths())
    for path in field_paths():
        model: type[BaseModel] = Settings
        for part in path[:-1]:
            inner = model.model_fields[part].annotation
            assert isinstance(inner, type)  # noqa: S101 - field_paths descends into groups only
            assert issubclass(inner, BaseModel)  # noqa: S101
            model = inner
        field = model.model_fields[path[-1]]
        yield SettingRow(
            path=path,
            variable=variable_name(path),
            default=as_text(field.default),
            allowed=_allowed(model.model_json_schema()["properties"][path[-1]]),
            description=field.description or "",
            group="General" if model is Settings else _first_sentence(model),
            file_variable=file_variable_name(path) if path in secrets else "",
        )


def _first_sentence(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0].rstrip(".")


def _allowed(schema: dict[str, object]) -> str:
    """Return a field's bounds in words, from its JSON schema."""
    if "enum" in schema:
        choices = schema["enum"]
        assert isinstance(choices, list)  # noqa: S101 - JSON schema says so
        return ", ".join(str(choice) for choice in choices)
    if schema.get("type") == "boolean":
        return "true, false"
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]}" for key, sign in words.items() if key in schema]
    return ", ".join(bounds)
