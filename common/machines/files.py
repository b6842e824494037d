"""Reads a machine type from its TOML file, and says what is wrong with one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from common.errors import MachineTypeError
from common.files.toml import built_of_toml, read_toml_text
from common.machines.machine import MachineType
from common.terminal.nearest import suggestion

SHIPPED: Final = Path(__file__).parent
"""Machine types that come with the package, called by the file's name."""


def shipped_machines() -> tuple[str, ...]:
    """Return the names of the machine types that come with the package, sorted."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.toml")))


def load_machine(name_or_path: str) -> MachineType:
    """Return the machine type of a shipped name or of a file.

    Raises:
        MachineTypeError: If there is none, or it says what none may say.
    """
    if name_or_path in shipped_machines():
        return _read(SHIPPED / f"{name_or_path}.toml")
    path = Path(name_or_path)
    if name_or_path and path.is_file():
        return _read(path)
    near = suggestion(name_or_path, shipped_machines())
    raise MachineTypeError(
        f"No machine type {name_or_path!r}: neither a shipped name "
        f"({', '.join(shipped_machines())}) nor a file.{near} Write one with `surgeline init`."
    )


def parse_machine(text: str, source: str) -> MachineType:
    """Return the machine type that a TOML text describes.

    Args:
        text: The file's content.
        source: Its name, for messages.

    Raises:
        MachineTypeError: Naming ``source``, the entry at fault and what was expected.
    """
    return built_of_toml(
        text,
        source,
        MachineTypeError,
        lambda tables: MachineType.model_validate(_tuples(tables)),
        _first,
    )


def _read(path: Path) -> MachineType:
    return parse_machine(read_toml_text(path, "a machine type", MachineTypeError), str(path))


def _tuples(value: object) -> object:
    """Strict models take tuples for tuples, and whole numbers for no floats; TOML has neither."""
    if isinstance(value, dict):
        return {key: _as_float(key, _tuples(item)) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return value


FLOATS: Final = frozenset({"lowest", "highest", "tolerance", "interval_s"})


def _as_float(key: str, value: object) -> object:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if key in FLOATS and is_whole else value  # type: ignore[arg-type]


def _first(exc: ValidationError) -> str:
    error = exc.errors(include_url=False)[0]
    place = ""
    for part in error["loc"]:
        place += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if place else ''}{part}"
    more = exc.error_count() - 1
    told = error["msg"].removeprefix("Value error, ")
    came = "" if error["type"] in ("value_error", "missing") else f"; got {error['input']!r:.80}"
    others = f" ({more} more)" if more else ""
    return f"{place + ': ' if place else ''}{told}{came}{others}."
