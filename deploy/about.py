"""Commands about this installation: its version, its settings, its running stack."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, SecretStr
from rich.text import Text

from common.errors import BackendMissingError, SettingsError
from common.redaction import without_credentials
from common.settings import Settings, as_text, load_settings, value_of
from common.terminal.cli import friendly_errors, output_console
from deploy import settings_docs
from deploy.local.statefile import look

REPOSITORY = Path(__file__).parents[1]


def version() -> None:
    """Print the version of Surgeline."""
    typer.echo(f"surgeline {metadata.version('surgeline')}")


@friendly_errors
def settings(
    write: Annotated[
        bool, typer.Option("--write", help="Write docs/settings.md and .env.example anew.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Fail if those two files are stale.")
    ] = False,
) -> None:
    """Show every setting: its variable, the value in effect, its default, what it does.

    For example:

        SURGELINE_LOG__LEVEL=DEBUG surgeline settings
    """
    console = output_console()
    if write:
        changed = settings_docs.write(REPOSITORY)
        console.print("wrote " + ", ".join(map(str, changed)) if changed else "already up to date")
    elif check:
        stale = settings_docs.stale_files(REPOSITORY)
        if stale:
            files = " and ".join(map(str, stale))
            raise SettingsError(f"{files} stale. Run `surgeline settings --write` and commit.")
    else:
        for line in _listing(load_settings()):
            console.print(line)


@friendly_errors
def env(
    var: Annotated[Path | None, typer.Option(help="The var folder of the stack.")] = None,
) -> None:
    """Print `export` lines that lead any program to the running stack.

    Commands of `surgeline` in the stack's own folder find it by themselves. Secrets are not
    printed. For others:

        eval "$(surgeline env)"
    """
    var_dir = var or load_settings().var_dir
    found = look(var_dir)
    if found.state is None:
        raise BackendMissingError(
            (found.trouble or f"No stack runs in {var_dir}.")
            + " Start one with `surgeline up`, or name its folder: --var DIR."
        )
    for name, value in found.state.environment.items():
        if without_credentials(value) == value:
            typer.echo(f"export {name}={shlex.quote(value)}")
        else:
            typer.echo(f"# {name} holds a password, which is not printed: export it yourself")


def _listing(values: Settings) -> Iterator[Text]:
    for row in settings_docs.setting_rows():
        value = _value(values, row.path)
        changed = value != row.default
        line = Text.assemble((row.variable, "cyan"), "=", (value, "bold yellow" if changed else ""))
        if changed:
            line.append(f"  (default: {row.default or 'empty'})", "dim")
        allowed = f" ({row.allowed})" if row.allowed else ""
        yield line.append(f"\n    {row.description}{allowed}", "dim")


def _value(values: BaseModel, path: tuple[str, ...]) -> str:
    """Return a value as text; a secret that was set is not shown."""
    value = value_of(values, path)
    if isinstance(value, SecretStr) and value != value_of(Settings(), path):
        return "(set)"
    return without_credentials(as_text(value))
