"""``surgeline notify``: try receivers of notifications, and make a secret for webhooks."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from api.adapters.receivers.opening import open_ways
from api.notifications.ports import Failure
from api.notifications.receivers import Mail, Receiver, load_receivers
from api.notifications.signing import secret_text
from common.clock import SystemClock
from common.errors import UserError
from common.settings import Settings, load_settings
from common.terminal.cli import friendly_errors, output_console
from common.terminal.nearest import suggestion
from common.terminal.printable import one_line

NEW_SECRET_BYTES: Final = 32

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Try the receivers of notifications, and make a secret that signs webhooks.\n\n"
    "Who is told of which alerts is in the file that SURGELINE_NOTIFY__FILE names "
    "(docs/notifications.md).",
)


@app.command("test")
@friendly_errors
def send_tests(
    name: Annotated[
        str | None,
        typer.Argument(help="Only this receiver; all if left out.", show_default=False),
    ] = None,
) -> None:
    """Send each receiver a test, and say what came back. Exit code 1 if one did not take it.

    The api need not run: the file and the settings are read here, as the api reads them.

    For example:

    - `surgeline notify test`
    - `surgeline notify test night-shift`
    """
    settings = load_settings()
    receivers = _chosen(load_receivers(settings), name)
    answers = asyncio.run(_test(receivers, settings))
    table = Table("receiver", "by", "to", "took it", "said", box=None, padding=(0, 2, 0, 0))
    for receiver in receivers:
        answer = answers[receiver.name]
        failed = isinstance(answer, Failure)
        table.add_row(
            receiver.name,
            "e-mail" if isinstance(receiver.way, Mail) else "webhook",
            one_line(receiver.way.shown),
            Text("no", "bold red") if failed else Text("yes", "green"),
            one_line(answer.why if isinstance(answer, Failure) else answer),
        )
    output_console().print(table)
    if any(isinstance(answer, Failure) for answer in answers.values()):
        raise typer.Exit(1)


@app.command()
@friendly_errors
def secret() -> None:
    """Print a new secret for webhooks: for the receiver, and for Surgeline.

    Give it to SURGELINE_NOTIFY__WEBHOOKS__SECRET, or put it into a file that the receiver's
    secret_file names. While a secret is changed, both may stand there, with a space between them.
    """
    key = secrets.token_bytes(NEW_SECRET_BYTES)
    output_console(soft_wrap=True).print(secret_text(key), markup=False, highlight=False)


def _chosen(receivers: Sequence[Receiver], name: str | None) -> Sequence[Receiver]:
    if not receivers:
        raise UserError(
            "There are no receivers: SURGELINE_NOTIFY__FILE names no file. docs/notifications.md "
            "shows one."
        )
    if name is None:
        return receivers
    found = [each for each in receivers if each.name == name]
    if not found:
        known = [each.name for each in receivers]
        raise UserError(
            f"There is no receiver {name!r}; there are {', '.join(known)}.{suggestion(name, known)}"
        )
    return found


async def _test(receivers: Sequence[Receiver], settings: Settings) -> Mapping[str, str | Failure]:
    async with open_ways(receivers, settings.notify, SystemClock()) as ways:
        found = await asyncio.gather(*(ways[each.name].test() for each in receivers))
    return {each.name: answer for each, answer in zip(receivers, found, strict=True)}
