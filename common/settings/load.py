"""Reads the settings from the environment and from files of secrets: nothing else does."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from common.errors import SettingsError
from common.files.secret import secret_from
from common.redaction import without_credentials
from common.settings.everything import Settings
from common.settings.fields import field_paths, secret_paths, variable_names
from common.settings.names import PREFIX, TEST_PREFIX, file_variable_name, variable_name


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment, once.

    Args:
        environ: For tests: variables to read instead of the process's own.

    Raises:
        SettingsError: If a ``SURGELINE_`` variable names no setting, a value is out of bounds, or
            a secret cannot be read from its file.
    """
    source = os.environ if environ is None else environ
    known = variable_names()
    given = {name.upper(): value for name, value in source.items()}
    for name in given:
        if name.startswith(PREFIX) and name not in known and not name.startswith(TEST_PREFIX):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else " See docs/settings.md."
            raise SettingsError(f"{name} is not a setting of Surgeline.{hint}")
    values: dict[str, object] = {}
    for path in field_paths():
        name = variable_name(path)
        if name in given:
            _put(values, path, given[name])
    for path in secret_paths():
        name = file_variable_name(path)
        if file := given.get(name):  # empty for none, as an unset variable of a container is
            if given.get(variable_name(path)):
                raise SettingsError(
                    f"Both {variable_name(path)} and {name} are set. Give the secret in one place."
                )
            _put(values, path, secret_from(name, Path(file)))
    try:
        return Settings.model_validate(values)
    except ValidationError as exc:
        refused = SettingsError(_in_words(exc))
    raise refused  # here, without what pydantic raised: that holds all values, secrets too


def _in_words(invalid: ValidationError) -> str:
    errors = invalid.errors()
    if not errors[0]["loc"]:  # two settings that do not go together; the sentence names them
        return str(errors[0]["ctx"]["error"])
    problems = "; ".join(
        f"{variable_name(tuple(str(part) for part in error['loc']))}: "
        f"{error['msg'].removeprefix('Value error, ')}"
        f" (got {without_credentials(str(error['input']))!r})"
        for error in errors
    )
    return f"A setting is out of bounds. {problems}"


def _put(values: dict[str, object], path: tuple[str, ...], value: str) -> None:
    node = values
    for part in path[:-1]:
        child = node.setdefault(part, {})
        assert isinstance(child, dict)  # noqa: S101 - built two lines up
        node = child
    node[path[-1]] = value
