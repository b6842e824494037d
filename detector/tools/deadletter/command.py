"""``surgeline deadletter list|show|retry``: plain functions for Typer."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from common.errors import RejectReason, UserError
from common.settings import Settings, load_settings
from common.terminal.cli import FAILURE_EXIT, error_console, friendly_errors, output_console
from common.topics import Topics

if TYPE_CHECKING:
    from detector.tools.deadletter.letters import Letter

deadletter_app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="List messages that could not be used, look at one, send them again.",
)

ReasonOption = Annotated[
    RejectReason | None, typer.Option(help="Only letters of this reason.", show_default=False)
]
AssetOption = Annotated[
    str | None,
    typer.Option(help="Only this asset, by payload or by key.", show_default=False),
]
SinceOption = Annotated[
    str | None,
    typer.Option(help="Only since: 15m, 2h, 1d, or 2026-01-01T00:00:00Z.", show_default=False),
]


@deadletter_app.command("list")
@friendly_errors
def list_letters(
    reason: ReasonOption = None,
    asset: AssetOption = None,
    since: SinceOption = None,
    latest: Annotated[int, typer.Option(min=1, max=100_000, help="How many to show.")] = 20,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write all that match to this file, too.")
    ] = None,
) -> None:
    """Count dead letters by reason and list the latest.

    A dead letter is a message on the readings topic that could not be used. It holds the original,
    the reason, and where it stood: `topic-partition-offset`, its name in `show` and `retry`.

    For example:

    - `surgeline deadletter list` counts all and lists the latest 20

    - `surgeline deadletter list --reason missing_channel --since 2h --asset pump-7`
    """
    from common.files.atomic import write_report
    from detector.tools.deadletter.letters import none_found
    from detector.tools.deadletter.output import show_letters

    everything, letters = _read_and_select(_settings(), reason, asset, since)
    console = output_console()
    if letters:
        show_letters(letters, latest, console)
    else:
        console.print(none_found(everything, asset), soft_wrap=True)
    if json_path is not None:
        found = [item.letter.model_dump(mode="json") for item in letters]
        write_report(json_path, {"letters": found})


@deadletter_app.command("show")
@friendly_errors
def show(
    position: Annotated[str, typer.Argument(help="Such as surgeline.readings-3-17, or 3-17.")],
    max_bytes: Annotated[
        int, typer.Option(min=0, help="Most bytes of the original to show; 0 for all.")
    ] = 4096,
) -> None:
    """Show one dead letter and its original: as JSON, as text, or in hexadecimal.

    Example: `surgeline deadletter show 3-17`
    """
    from detector.tools.deadletter.letters import by_position, refusal
    from detector.tools.deadletter.output import show_letter

    settings = _settings()
    item = by_position(_read_and_select(settings)[0], position)
    refused = refusal(item, Topics(settings.kafka.topic_prefix).readings)
    show_letter(item, max_bytes, refused, output_console())


@deadletter_app.command("retry")
@friendly_errors
def retry(
    positions: Annotated[
        list[str] | None,
        typer.Argument(help="Which, such as 3-17.", show_default=False),
    ] = None,
    reason: ReasonOption = None,
    asset: AssetOption = None,
    since: SinceOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    rekey: Annotated[
        bool,
        typer.Option("--rekey", help="Send key_mismatch letters under the asset they name."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Send many; without it, only say what would be.")
    ] = False,
) -> None:
    """Send the originals of dead letters to the readings topic again.

    Key and bytes are the same, so it is the same reading (asset, run, cycle) and gives the same
    ids. Mend the cause first: a setting (such as the largest message), the model, the version of
    Surgeline. Then one of these happens to each:

    - it is usable now and its turn has not passed: it gets its verdict, and alerts if it raises any

    - it is usable but later cycles of its asset came in the meantime: its verdict is `late`
      (`duplicate` if its cycle had one already); scores that were given stay as they are

    - it is still unusable: another dead letter, at its new place on the topic

    The old letter stays where it is. Sending twice is harmless: the second is a duplicate. A
    message longer than a letter keeps is refused: it would come out cut.

    A wrong key cannot be mended by a setting: `--rekey` sends such a message under the asset its
    payload names, its bytes unchanged.

    For example:

    - `surgeline deadletter retry 3-17` sends one

    - `surgeline deadletter retry --reason too_large --asset pump-7` says what would be sent

    - `surgeline deadletter retry --reason too_large --asset pump-7 --yes` sends them
    """
    from detector.tools.deadletter.letters import rekeyed, send_again

    settings = _settings()
    chosen = _choose(settings, positions or [], reason, asset, since, everything)
    if rekey:
        chosen = [rekeyed(item) for item in chosen]
    sendable, refused = _sort_out(chosen, Topics(settings.kafka.topic_prefix).readings)
    for item, why in refused:
        error_console().print(Text(f"refused {item.position}: {why}", style="yellow"))
    console = output_console(soft_wrap=True)
    if len(chosen) > 1 and not yes:
        for item in sendable:
            console.print(Text(f"would send {_told(item)}"))
        console.print(f"Nothing was sent: {len(sendable):,} would be. Add --yes to send them.")
        return
    if sendable:
        sent = asyncio.run(send_again(settings.kafka, sendable))
        for item in sendable:
            console.print(Text(f"sent {_told(item)}"))
        console.print(
            f"{sent:,} sent. What comes of them: `surgeline scores --asset ASSET`, or another "
            "`surgeline deadletter list`."
        )
    if refused:
        raise typer.Exit(FAILURE_EXIT)


def _choose(
    settings: Settings,
    positions: list[str],
    reason: RejectReason | None,
    asset: str | None,
    since: str | None,
    everything: bool,
) -> list[Letter]:
    from detector.tools.deadletter.letters import by_position, none_found

    filtered = reason is not None or asset is not None or since is not None
    if positions and (filtered or everything):
        raise UserError("Name letters by position, or choose them by options; not both.")
    if not (positions or filtered or everything):
        raise UserError(
            "Which letters? Give a position such as 3-17, or --reason, --asset, --since, or --all."
        )
    known, letters = _read_and_select(settings, reason, asset, since)
    if not positions:
        if not letters:
            raise UserError(none_found(known, asset))
        return letters
    found = {by_position(letters, position).position: position for position in positions}
    return [by_position(letters, position) for position in found]


def _sort_out(letters: list[Letter], topic: str) -> tuple[list[Letter], list[tuple[Letter, str]]]:
    from detector.tools.deadletter.letters import refusal

    sendable: list[Letter] = []
    refused: list[tuple[Letter, str]] = []
    for item in letters:
        why = refusal(item, topic)
        if why is None:
            sendable.append(item)
        else:
            refused.append((item, why))
    return sendable, refused


def _read_and_select(
    settings: Settings,
    reason: RejectReason | None = None,
    asset: str | None = None,
    since: str | None = None,
) -> tuple[list[Letter], list[Letter]]:
    """Return all dead letters, and those of them that the filters let through."""
    from common.clock import SystemClock
    from detector.tools.deadletter.letters import parse_since, read_letters, select
    from detector.tools.progress import progress_bars

    moment = None if since is None else parse_since(since, SystemClock().now())
    with progress_bars() as progress:
        letters = asyncio.run(read_letters(settings.kafka, progress))
    return letters, select(
        letters,
        reason=None if reason is None else reason.value,
        asset_id=asset,
        since=moment,
    )


def _told(item: Letter) -> str:
    identity = item.identity
    what = f"{len(item.value):,} bytes" if identity is None else f"cycle {identity.cycle}"
    return f"{item.position}: {item.asset_id or 'no asset'}, {what} ({item.letter.reason})"


def _settings() -> Settings:
    # what the driver complains of reaches the user as one error of ours
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return load_settings()
