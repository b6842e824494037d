"""Commands imported when they are called, so that ``surgeline --help`` stays quick."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from common.terminal.importing import imported
from common.terminal.nearest import suggestion


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command and where its code is.

    Attributes:
        name: As typed.
        target: ``module:attribute``, a function for Typer or a ``typer.Typer``.
        summary: Its line in ``surgeline --help``.
        panel: Its heading there.
        uses_stack: Whether it talks to a running stack, and should find that of ``surgeline up``.
    """

    name: str
    target: str
    summary: str
    panel: str
    uses_stack: bool = False


class DeferredCommand(TyperCommand):
    """Stands in for a command until it is called.

    Args:
        entry: Which.
        before: Called with the entry before the command runs.
    """

    def __init__(self, entry: CommandEntry, before: Callable[[CommandEntry], None]) -> None:
        super().__init__(
            entry.name, help=entry.summary, short_help=entry.summary, rich_help_panel=entry.panel
        )
        self._entry = entry
        self._before = before

    # The parser's own types are Typer's private ones, hence Any.
    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Import the command and hand over to it."""
        self._before(self._entry)
        return load(self._entry).make_context(*args, **kwargs)


class LazyGroup(TyperGroup):
    """The commands of a table; a subclass names the table."""

    entries: ClassVar[Sequence[CommandEntry]] = ()

    @classmethod
    def before(cls, entry: CommandEntry) -> None:
        """Do what comes before any command of the table."""

    def list_commands(self, ctx: object) -> list[str]:
        """Return the names, in the order of the table."""
        return [entry.name for entry in self.entries]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; where there is none, name those most like what was typed."""
        if self.get_command(ctx, args[0]) is None:
            near = suggestion(args[0], self.list_commands(ctx))
            ctx.fail(f"No such command {args[0]!r}.{near}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: object, cmd_name: str) -> DeferredCommand | None:
        """Return a stand-in for the command."""
        for entry in self.entries:
            if entry.name == cmd_name:
                return DeferredCommand(entry, self.before)
        return None


def load(entry: CommandEntry) -> Any:
    """Import a command and return it as the parser's object."""
    module, _, attribute = entry.target.partition(":")
    target = getattr(imported(lambda: importlib.import_module(module)), attribute)
    if isinstance(target, typer.Typer):
        app = target
    else:
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(entry.name)(target)
    command = typer.main.get_command(app)
    command.name = entry.name
    _make_readable(command)
    return command


def examples_as_code(text: str) -> str:
    r"""Return help text in which indented lines are Markdown code; list items stay as they are.

    Docstrings of the Google style put examples right under ``Examples:``, a little indented, which
    Markdown would run together into one paragraph.

    Example:
        >>> examples_as_code("Try:\n  surgeline up\n  surgeline demo")
        'Try:\n\n    surgeline up\n    surgeline demo'
    """
    lines: list[str] = []
    in_list = False
    for line in text.splitlines():
        in_list = line.startswith(("- ", "* ")) or (in_list and bool(line.strip()))
        if line.startswith(" ") and line.strip() and not in_list:
            if lines and lines[-1] and not lines[-1].startswith(" "):
                lines.append("")
            lines.append(f"    {line.strip()}")
        else:
            lines.append(line)
    return "\n".join(lines)


def _make_readable(command: Any) -> None:
    command.rich_markup_mode = "markdown"
    command.help = examples_as_code(command.help or "")
    for inner in getattr(command, "commands", {}).values():
        _make_readable(inner)
