"""Foreign text on our consoles: it is shown, and commands nothing."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from common.terminal.console import SafeConsole, output_console
from common.terminal.printable import one_line, printable

STYLING = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x9b\x07\r\b\t\x7f\u202e\u2066\u200b\ufeff\u2028[]()m;8J\\/"),
    )
)


def terminal() -> tuple[SafeConsole, io.StringIO]:
    file = io.StringIO()
    return (
        SafeConsole(file=file, force_terminal=True, color_system="256", width=60, markup=False),
        file,
    )


def commands(output: str) -> list[str]:
    """What of an output a terminal would obey or hide, but for our styling and line breaks."""
    return [each for each in STYLING.sub("", output) if each != "\n" and not each.isprintable()]


@given(HOSTILE)
def test_no_text_commands_a_terminal(text: str) -> None:
    console, file = terminal()
    table = Table(text, title=text, caption=text)
    table.add_row(text)
    table.add_row(Text(text, style="bold red"))

    console.print(text)
    console.print(text, style="dim", soft_wrap=True)
    console.print(Text.assemble((text, "bold"), " ", text))
    console.print(table)

    assert commands(file.getvalue()) == []


@given(HOSTILE)
def test_printable_text_has_nothing_to_obey_and_is_printable_again(text: str) -> None:
    assert commands(printable(text)) == []
    assert printable(printable(text)) == printable(text)
    assert one_line(text).isprintable()


@given(st.text(st.characters(whitelist_categories=("L", "N", "P", "S"))))
def test_text_that_is_only_text_stays(text: str) -> None:
    assert printable(text) == "".join(c if c.isprintable() else printable(c) for c in text)


@pytest.mark.parametrize("text", ["[red]x[/]", "[/nothing]", "[link=http://x]y[/link]", ":smile:"])
def test_text_is_never_read_as_markup(text: str) -> None:
    console = output_console(file := io.StringIO())
    table = Table(text)
    table.add_row(text)

    console.print(text)
    console.print(table)

    assert file.getvalue().count(text) == 3


def test_our_own_styles_and_bars_still_reach_the_terminal() -> None:
    console, file = terminal()

    console.print(Text("x", style="bold red"))
    with Progress(console=console) as bars:
        bars.update(bars.add_task("sending", total=2), completed=1)

    assert "\x1b[1;31mx" in file.getvalue()
    assert "\x1b[?25l" in file.getvalue()  # the bar hides the cursor: a command of ours
