"""``surgeline keys``: make, list and revoke API keys, in the alert history's database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from api.access.guard import make_key
from api.access.keys import ApiKey
from api.access.ports import AccessStore
from api.access.roles import Role
from api.adapters.sql.access import SqlAccessStore
from api.adapters.sql.database import open_database
from api.views.access import KEY_NAME_PATTERN, LONGEST_LIFE_DAYS, NewKeyBody
from common.clock import SystemClock
from common.errors import RequestRefusedError, UserError
from common.settings import load_settings
from common.terminal.cli import error_console, friendly_errors, output_console

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Make, list and revoke the keys that the api asks for.\n\n"
    "They are kept, as digests, in the database that SURGELINE_ALERTS__URL names.",
)


@app.command()
@friendly_errors
def create(
    name: Annotated[str, typer.Argument(help="Whose it is: what it does is logged under it.")],
    role: Annotated[
        Role,
        typer.Option(help="viewer reads, operator acts on alarms and replays, admin does all."),
    ],
    days: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=LONGEST_LIFE_DAYS,
            help="How long it is valid; for ever if left out.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a key, and print it: the only time that it is shown.

    For example:

    - `surgeline keys create anna --role operator --days 90`
    """
    try:
        NewKeyBody(name=name, role=role, days=days)
    except ValueError as exc:
        raise UserError(
            f"{name!r} came; expected a name of letters, digits and . _ @ - ({KEY_NAME_PATTERN})."
        ) from exc

    async def make(store: AccessStore) -> str:
        lifetime = None if days is None else timedelta(days=days)
        secret, _ = await make_key(store, name, role, SystemClock().now(), lifetime)
        return secret

    try:
        secret = _with_store(make)
    except RequestRefusedError as exc:
        raise UserError(str(exc)) from exc
    output_console(soft_wrap=True).print(secret, markup=False, highlight=False)
    error_console().print("Keep it: it cannot be shown again.", style="dim")


@app.command("list")
@friendly_errors
def list_keys() -> None:
    """List all keys ever made, by their prefixes."""

    async def read(store: AccessStore) -> list[ApiKey]:
        return list(await store.keys())

    keys, now = _with_store(read), SystemClock().now()
    if not keys:
        output_console(soft_wrap=True).print(
            "There are no keys. `surgeline keys create NAME --role admin` makes one."
        )
        return
    table = Table("prefix", "name", "role", "made", "valid until", box=None, padding=(0, 2, 0, 0))
    for key in keys:
        until = "for ever" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d %H:%M}Z"
        if key.revoked_at is not None:
            until = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}Z"
        elif not key.is_valid(now):
            until = f"ended {until}"
        table.add_row(key.prefix, key.name, key.role, f"{key.created_at:%Y-%m-%d}", until)
    output_console().print(table)


@app.command()
@friendly_errors
def revoke(
    prefix: Annotated[str, typer.Argument(help="Its prefix, as `surgeline keys list` shows it.")],
) -> None:
    """End a key and its sessions at once. It stays in the list."""

    async def end(store: AccessStore) -> bool:
        return await store.revoke(prefix, SystemClock().now())

    if not _with_store(end):
        raise UserError(f"There is no valid key {prefix!r}. `surgeline keys list` shows them.")
    output_console(soft_wrap=True).print(f"The key {prefix} opens nothing any more.")


def _with_store(work: Callable[[AccessStore], Awaitable[T]]) -> T:
    settings = load_settings()

    async def run() -> T:
        async with open_database(settings.alerts) as engine:
            return await work(SqlAccessStore(engine))

    return asyncio.run(run())
