"""Names of the environment variables that settings come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "SURGELINE_"
TEST_PREFIX: Final = "SURGELINE_TEST_"
"""Read by the test suite alone (servers to test against); not settings, and not refused."""


def variable_name(path: tuple[str, ...]) -> str:
    """Return the environment variable of a setting.

    Example:
        >>> variable_name(("kafka", "linger_ms"))
        'SURGELINE_KAFKA__LINGER_MS'
    """
    return PREFIX + "__".join(path).upper()


def file_variable_name(path: tuple[str, ...]) -> str:
    """Return the variable that names the file a secret is read from.

    Example:
        >>> file_variable_name(("redis", "password"))
        'SURGELINE_REDIS__PASSWORD_FILE'
    """
    return f"{variable_name(path)}_FILE"


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a helper's process may know of ours: none of our settings, none of our secrets.

    Example:
        >>> without_settings({"PATH": "/bin", "SURGELINE_REDIS__URL": "redis://:secret@cache"})
        {'PATH': '/bin'}
    """
    return {
        name: value for name, value in environment.items() if not name.upper().startswith(PREFIX)
    }
