"""What every command that asks the api shares: its address, its key, and pages that are checked."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from api.commands.server.client import ApiClient, stranger
from common.settings import load_settings
from common.terminal.cli import output_console

V = TypeVar("V", bound=BaseModel)

AssetOption = Annotated[str | None, typer.Option(help="Only this asset.", show_default=False)]
RunOption = Annotated[str | None, typer.Option(help="Only this run.", show_default=False)]
FleetOption = Annotated[str | None, typer.Option(help="Only this fleet.", show_default=False)]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="Most rows.")]
UrlOption = Annotated[
    str | None,
    typer.Option(
        help="Address of the api; by default that of SURGELINE_API__HOST and SURGELINE_API__PORT.",
        show_default=False,
    ),
]


def connect(url: str | None) -> ApiClient:
    """Return a client of the api at an address, by default that of the settings, with our key."""
    settings = load_settings().api
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    own = f"http://{host}:{settings.port}"
    return ApiClient(url or own, key=settings.key.get_secret_value())


def told(view: type[V], answer: object, client: ApiClient) -> V:
    """Return an answer as what it should be.

    Raises:
        UserError: If it has not all that we show: some other server has answered.
    """
    try:
        return view.model_validate_json(json.dumps(answer))
    except ValidationError as exc:
        raise stranger(client.url) from exc


def as_page(view: type[BaseModel], answer: object, client: ApiClient) -> dict[str, Any]:
    """Return a page as plain values.

    Raises:
        UserError: As :func:`told`.
    """
    return told(view, answer, client).model_dump(mode="json")


def say(sentence: str) -> None:
    """Print a sentence; the terminal breaks it."""
    output_console(soft_wrap=True).print(sentence)
