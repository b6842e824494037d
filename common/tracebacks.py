"""An exception as plain text of bounded length; values of variables are never looked at."""

from __future__ import annotations

import linecache
import traceback
from types import TracebackType
from typing import Final

from common.errors import SurgelineError

FIRST_FRAMES: Final = 2
"""Of each exception: where it was called from ..."""

LAST_FRAMES: Final = 8
"""... and where it happened, frames."""

MOST_EXCEPTIONS: Final = 4
"""Of a chain, the latest ones."""

MOST_IN_GROUP: Final = 3
"""Of an exception group, the first ones; the first of all with its frames."""

MOST_DEPTH: Final = 3
"""Of groups within groups."""

MOST_LINES: Final = 80
MOST_CHARS: Final = 500
"""Of one exception's own words, and of a line of source."""

BECAUSE: Final = "... which was the cause of:"
MEANWHILE: Final = "... and while that was handled:"


def shortened(text: str, most: int = MOST_CHARS) -> str:
    """Return a text of ``most`` characters and a few words more at most; head and tail are kept.

    Example:
        >>> shortened("a" * 60 + "b" * 60, 20)
        'aaaaaaaaaa ... 100 characters ... bbbbbbbbbb'
    """
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} ... {len(text) - 2 * half} characters ... {text[-half:]}"


def one_line(exc: BaseException) -> str:
    r"""Return an exception in one line: ours in its own words, others with their kind.

    Example:
        >>> one_line(ValueError("two\nlines"))
        'ValueError: two lines'
    """
    said = shortened(" ".join(_words(exc).split()))
    if isinstance(exc, SurgelineError) and said:
        return said
    return f"{type(exc).__name__}: {said}" if said else type(exc).__name__


def plain_traceback(exc: BaseException) -> str:
    """Return the exception and what led to it, oldest first, as Python prints it but shorter."""
    chain, left_out = _chain(exc)
    lines = [f"... {left_out} earlier exceptions ..."] if left_out else []
    for each, link in chain:
        lines += [*_frames(each.__traceback__), *_last_lines(each), link]
    lines = "\n".join(lines).splitlines()
    if len(lines) > MOST_LINES:
        half = MOST_LINES // 2
        lines[half:-half] = [f"... {len(lines) - 2 * half} lines ..."]
    return "\n".join(lines)


def _chain(exc: BaseException) -> tuple[list[tuple[BaseException, str]], int]:
    """Return the latest of the chain, oldest first, each with the words that lead to the next."""
    found = [(exc, "")]
    seen = {id(exc)}
    while True:
        latest = found[-1][0]
        cause = latest.__cause__
        before = cause or (None if latest.__suppress_context__ else latest.__context__)
        if before is None or id(before) in seen:
            kept = found[:MOST_EXCEPTIONS]
            return kept[::-1], len(found) - len(kept)
        seen.add(id(before))
        found.append((before, BECAUSE if before is cause else MEANWHILE))


def _frames(start: TracebackType | None) -> list[str]:
    if start is None:
        return []
    frames = list(traceback.walk_tb(start))
    shown = [*frames[:FIRST_FRAMES], *frames[FIRST_FRAMES:][-LAST_FRAMES:]]
    lines = ["Traceback (most recent call last):"]
    for number, (frame, line_number) in enumerate(shown):
        if number == FIRST_FRAMES and len(frames) > len(shown):
            lines.append(f"  ... {len(frames) - len(shown)} frames ...")
        code = frame.f_code
        lines.append(f'  File "{code.co_filename}", line {line_number}, in {code.co_name}')
        source = linecache.getline(code.co_filename, line_number, frame.f_globals).strip()
        if source:
            lines.append(f"    {shortened(source)}")
    return lines


def _last_lines(exc: BaseException, depth: int = 0) -> list[str]:
    kind = type(exc)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    said = shortened(_words(exc))
    lines = [f"{name}: {said}" if said else name]
    if isinstance(exc, BaseExceptionGroup) and depth < MOST_DEPTH:
        first, *others = exc.exceptions
        inner = [*_frames(first.__traceback__), *_last_lines(first, depth + 1)]
        inner += [one_line(other) for other in others[: MOST_IN_GROUP - 1]]
        left_out = len(exc.exceptions) - MOST_IN_GROUP
        if left_out > 0:
            inner.append(f"... {left_out} more ...")
        lines += [f"  | {line}" for line in inner]
    return lines


def _words(exc: BaseException) -> str:
    try:
        return str(exc)
    except Exception:  # noqa: BLE001 - one whose words cannot be made must still be reported
        return "(its words cannot be made)"
