"""TOML that a person has written: read, taken apart and checked, or refused in one sentence."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from common.errors import SurgelineError

MAX_BYTES: Final = 1024 * 1024

T = TypeVar("T")


def read_toml_text(path: Path, what: str, refusal: type[SurgelineError], mend: str = "") -> str:
    """Return the text of a file.

    Args:
        path: The file.
        what: It should be, such as ``a machine type``.
        refusal: What is raised.
        mend: A last sentence that says what to do.

    Raises:
        SurgelineError: As ``refusal``: if it cannot be read, is no text, or is too large.
    """
    end = f" {mend}" if mend else ""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise refusal(f"{path} is larger than {MAX_BYTES} bytes: not {what}.{end}")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise refusal(f"{path} cannot be read as {what}: it is not UTF-8 text.{end}") from exc
    except (OSError, ValueError) as exc:  # the latter for a name that none may have
        why = exc.strerror if isinstance(exc, OSError) else exc
        raise refusal(f"{path} cannot be read as {what}: {why}.{end}") from exc


def built_of_toml(
    text: str,
    source: str,
    refusal: type[SurgelineError],
    build: Callable[[dict[str, Any]], T],
    told: Callable[[ValidationError], str],
) -> T:
    """Return what a text says.

    Args:
        text: TOML.
        source: Its name, for messages.
        refusal: What is raised.
        build: Makes it of the tables; what a model refuses may leave it.
        told: Puts a model's refusal in words.

    Raises:
        SurgelineError: As ``refusal``, whatever is in the text.
    """
    try:
        return build(tomllib.loads(text))
    except ValidationError as exc:
        raise refusal(f"{source}: {told(exc)}") from exc
    except RecursionError as exc:
        raise refusal(f"{source}: tables or lists lie too deep in one another.") from exc
    except ValueError as exc:  # a number of 5,000 digits is TOML, and no number here
        raise refusal(f"{source} is not TOML: {exc}.") from exc
