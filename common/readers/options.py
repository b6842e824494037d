"""Options of every command that reads tables of one's own.

Imports no reader until they are used: help answers at once, and works without polars.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from common.readers.roles import Roles

TimeColumn = Annotated[
    str | None,
    typer.Option(help="The column of times, if it is not found.", show_default=False),
]
AssetColumn = Annotated[
    str | None,
    typer.Option(
        help="The column that says of which machine a row is, if it is not found.",
        show_default=False,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        help="A column that is not to be looked at; may be given more than once.",
        show_default=False,
    ),
]


def roles_given(time: str | None, asset: str | None, label: str | None = None) -> Roles:
    """Return the roles of the columns that a person named, as the readers name columns."""
    from common.readers.roles import Roles

    return Roles(time=_named(time), asset=_named(asset), label=_named(label))


def columns_given(names: Collection[str] | None) -> tuple[str, ...]:
    """Return columns a person named, as the readers name them."""
    from common.readers.names import channel_name

    return tuple(map(channel_name, names or ()))


def options_again(
    time: str | None, asset: str | None, ignore: Collection[str] | None = None
) -> list[str]:
    """Return the words that give the same options once more."""
    words = [] if time is None else ["--time-column", time]
    words += [] if asset is None else ["--asset-column", asset]
    for name in ignore or ():
        words += ["--ignore", name]
    return words


def _named(name: str | None) -> str | None:
    from common.readers.names import channel_name

    return None if name is None else channel_name(name)
