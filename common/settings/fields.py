"""Every single setting: its path, its value, whether it is a secret."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, SecretStr

from common.settings.everything import Settings
from common.settings.groups.group import Group
from common.settings.names import file_variable_name, variable_name


def field_paths(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, ...]]:
    """Yield the path of every leaf setting, such as ``("detector", "alarm", "deadband")``."""
    for name, info in model.model_fields.items():
        kind = info.annotation
        path = (prefix, name) if prefix else (name,)
        if isinstance(kind, type) and issubclass(kind, Group):
            for rest in field_paths(kind):
                yield (*path, *rest)
        else:
            yield path


def value_of(settings: BaseModel, path: tuple[str, ...]) -> object:
    """Return one setting."""
    value: object = settings
    for part in path:
        value = getattr(value, part)
    return value


def as_text(value: object) -> str:
    """Return a value as one would write it in its variable; a secret in the clear."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def secret_paths(model: type[BaseModel] = Settings) -> list[tuple[str, ...]]:
    """Return the paths of the settings that are secrets; each may also come from a file."""
    return [path for path in field_paths(model) if _kind(model, path) is SecretStr]


def _kind(model: type[BaseModel], path: tuple[str, ...]) -> object:
    kind: object = model
    for part in path:
        assert isinstance(kind, type)  # noqa: S101 - field_paths descends into groups only
        assert issubclass(kind, BaseModel)  # noqa: S101
        kind = kind.model_fields[part].annotation
    return kind


def variable_names() -> set[str]:
    """Return every variable that Surgeline reads."""
    return {variable_name(path) for path in field_paths()} | {
        file_variable_name(path) for path in secret_paths()
    }
