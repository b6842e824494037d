"""Dead letters are what anybody wrote to the topic: none of it may command the terminal."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from common.records.letters import DeadLetter
from detector.tools.deadletter.letters import none_found, open_letter
from detector.tools.deadletter.output import show_letter, show_letters
from tests.unit.common.test_console import HOSTILE, commands, terminal


def packed(value: bytes) -> str:
    return base64.b64encode(value).decode()


LETTERS = st.builds(
    lambda texts, key, value: DeadLetter(
        reason=texts[0],
        message=texts[1],
        original_key=None if key is None else packed(key),
        original=packed(value),
        original_size=len(value),
        original_sha256=hashlib.sha256(value).hexdigest(),
        topic=texts[2],
        partition=3,
        offset=17,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    ),
    st.tuples(HOSTILE, HOSTILE, HOSTILE),
    st.none() | st.binary(max_size=40) | HOSTILE.map(lambda text: text.encode(errors="replace")),
    st.binary(max_size=80) | HOSTILE.map(lambda text: text.encode(errors="replace")),
)


@given(st.lists(LETTERS, min_size=1, max_size=3), HOSTILE)
def test_no_dead_letter_commands_the_terminal(letters: list[DeadLetter], asked: str) -> None:
    opened = [open_letter(letter) for letter in letters]
    console, file = terminal()

    show_letters(opened, 2, console)
    show_letter(opened[0], 0, asked, console)
    console.print(none_found(opened, asked))

    assert commands(file.getvalue()) == []
