"""Messages of the command line in the words of Python, and no other exception than ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from common.errors import UserError

OPTION: Final = re.compile(r"--(time-column|asset-column|label-column|[a-z][a-z-]*[a-z])")
ARGUMENTS: Final = {"time-column": "time", "asset-column": "asset", "label-column": "label"}


@contextmanager
def in_words_of_python() -> Iterator[None]:
    """Say ``asset=`` where a message of the command line says ``--asset-column``."""
    try:
        yield
    except UserError as exc:
        said = OPTION.sub(_argument, str(exc))
        if said == str(exc):
            raise
        raise type(exc)(said) from exc


def _argument(match: re.Match[str]) -> str:
    """Return an option as an argument.

    Example:
        >>> OPTION.sub(_argument, "Name it with --time-column, or leave it out with --ignore.")
        'Name it with time=, or leave it out with ignore=.'
    """
    return f"{ARGUMENTS.get(match[1], match[1].replace('-', '_'))}="
