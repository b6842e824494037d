"""The first and the last lines of every program of ours.

Imports next to nothing, so that Ctrl-C is in our hands a moment after the interpreter is up: while
the rest is imported it ends the process at once, with one word and exit code 130.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Final, TextIO

from common.terminal.importing import imported

INTERRUPTED_EXIT: Final = 130
FAILURE_EXIT: Final = 1
FULL_OUTPUT: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
STOPPED: Final = b"stopped.\n"


def run_program(load: Callable[[], Callable[[], object]]) -> None:
    """Import a program and run it; whatever its terminal or pipe does, without a traceback.

    Args:
        load: Imports the program and returns it. Ctrl-C until the program calls
            :func:`ready_for_ctrl_c` ends the process on the spot.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_at_once)
    # onnxruntime would send usage data to its maker
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    if os.environ.get("COLUMNS", "1").strip("0") == "":
        del os.environ["COLUMNS"]  # no column at all: everything would be cut away
    for stream in (sys.stdout, sys.stderr):
        _show_anything(stream)
    code: str | int | None = 0
    try:
        imported(load)()
    except BrokenPipeError:
        code = FAILURE_EXIT  # a reader that has seen enough (`surgeline scores | head`)
    except OSError as exc:
        refused = system_refusal(exc)
        if refused is None:
            raise
        sys.stderr.write(f"failed: {refused}\n")
        code = FAILURE_EXIT
    except KeyboardInterrupt:
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, STOPPED)
        code = INTERRUPTED_EXIT
    except SystemExit as exc:
        code = exc.code
    sys.exit(_flushed(code))


def ready_for_ctrl_c() -> None:
    """From here on Ctrl-C raises ``KeyboardInterrupt``: there is something to tidy up."""
    if signal.getsignal(signal.SIGINT) is _end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def system_refusal(exc: OSError) -> str | None:
    """Return in one line what the system refused; none if the error says nothing to a person.

    What concerns a file has its name. Without one, it is our output that cannot be written, or the
    working folder that is gone. All else (a connection, say) is for who mends defects.
    """
    why = exc.strerror or type(exc).__name__
    if exc.filename and not isinstance(exc, ConnectionError):
        return f"{exc.filename}: {why}."
    if exc.errno in FULL_OUTPUT:
        return f"the output cannot be written: {why}."
    if exc.errno == errno.ENOENT:
        return "the working folder is gone; change to one that exists."
    return None


def _end_at_once(_signum: int, _frame: object) -> None:
    os.write(2, STOPPED)
    os._exit(INTERRUPTED_EXIT)


def _show_anything(stream: TextIO | None) -> None:
    """Have characters that a terminal's encoding lacks written as escapes, not raised."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _flushed(code: str | int | None) -> str | int | None:
    """Write out what is left of the output; return the exit code, which tells if that failed."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        code = code or FAILURE_EXIT
    except OSError as exc:
        sys.stderr.write(f"failed: the output cannot be written: {exc.strerror}.\n")
        code = code or FAILURE_EXIT
    else:
        return code
    # else the interpreter stumbles over the same stream when it flushes at exit
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
