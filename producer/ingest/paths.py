"""Where in a JSON document something is: a JMESPath expression or a JSON pointer.

A path is understood once, when the map is read, and then looked up in every message. Looking up
never raises: what is not there is None, as JSON's null is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jmespath
from jmespath.exceptions import ArityError, JMESPathError, UnknownFunctionError

Find = Callable[[object], object]
"""Returns what is at a path of a document; None where there is nothing."""

MAX_PATH_CHARS: Final = 500
MAX_INDEX_DIGITS: Final = 9


def parse_path(text: str) -> Find:
    """Return what looks a path up.

    Args:
        text: A JSON pointer if it begins with ``/`` (no JMESPath expression does), else JMESPath.

    Raises:
        ValueError: A sentence that says what is wrong with it.

    Example:
        >>> parse_path("data.values[1]")({"data": {"values": [4, 5]}})
        5
        >>> parse_path("/data/flow [m3~1h]")({"data": {"flow [m3/h]": 7}})
        7
    """
    if not 0 < len(text) <= MAX_PATH_CHARS:
        raise ValueError(f"a path of 1 to {MAX_PATH_CHARS} characters was expected")
    if text.startswith("/"):
        return _pointer(text)
    try:
        compiled: Any = jmespath.compile(text)
    except JMESPathError as exc:
        raise ValueError(
            f"{text!r} is no JMESPath: {_first_line(exc)}. Names with spaces or signs need "
            """quotes, as in 'data."Flow [m3/h]"'; or write a JSON pointer, as in """
            "'/data/Flow [m3~1h]'"
        ) from exc
    except RecursionError as exc:
        raise ValueError(f"{text[:40]!r}... is nested too deeply") from exc
    _refuse_unknown_functions(compiled, text)
    steps = _steps(compiled.parsed)
    return _search(compiled) if steps is None else _walk(steps)


def _refuse_unknown_functions(compiled: Any, text: str) -> None:
    try:
        compiled.search(None)
    except (UnknownFunctionError, ArityError) as exc:
        raise ValueError(f"{text!r} calls no function of JMESPath: {_first_line(exc)}") from exc
    except JMESPathError:
        pass  # a function that cannot take null: on a message it may


def _first_line(exc: Exception) -> str:
    return str(exc).strip().partition("\n")[0].partition(", for expression")[0].rstrip(".:")


def _search(compiled: Any) -> Find:
    def find(document: object) -> object:
        try:
            return compiled.search(document)
        except Exception:  # noqa: BLE001 - a function that cannot take what came finds nothing
            return None

    return find


def _steps(node: Any) -> list[str | int] | None:
    """Return keys and indices of a plain path, which needs no interpreter; none for all else.

    Walking ten keys takes a microsecond, jmespath's interpreter fifteen.
    """
    match node["type"]:
        case "identity" | "current":
            return []
        case "field" | "index":
            return [node["value"]]
        case "subexpression" | "index_expression":
            parts = [_steps(child) for child in node["children"]]
            known = [part for part in parts if part is not None]
            return [step for part in known for step in part] if len(known) == len(parts) else None
        case _:
            return None


def _walk(steps: list[str | int]) -> Find:
    def find(document: object) -> object:
        found = document
        for step in steps:
            if isinstance(step, int):
                if not isinstance(found, list) or not -len(found) <= step < len(found):
                    return None
                found = found[step]
            elif isinstance(found, dict):
                found = found.get(step)
            else:
                return None
        return found

    return find


def _pointer(text: str) -> Find:
    tokens = [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]

    def find(document: object) -> object:
        found = document
        for token in tokens:
            if isinstance(found, dict):
                found = found.get(token)
            elif isinstance(found, list) and _is_index(token) and int(token) < len(found):
                found = found[int(token)]
            else:
                return None
        return found

    return find


def _is_index(token: str) -> bool:
    return token.isascii() and token.isdigit() and len(token) <= MAX_INDEX_DIGITS
