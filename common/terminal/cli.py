"""Shared by every command: a user's mistake is one line, not a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer
from rich.text import Text

from common.errors import SurgelineError, UserError
from common.redaction import without_credentials
from common.terminal.console import error_console, output_console
from common.terminal.entry import FAILURE_EXIT, INTERRUPTED_EXIT, ready_for_ctrl_c, system_refusal

__all__ = [
    "FAILURE_EXIT",
    "INTERRUPTED_EXIT",
    "USER_ERROR_EXIT",
    "error_console",
    "friendly_errors",
    "output_console",
]

P = ParamSpec("P")
R = TypeVar("R")

USER_ERROR_EXIT = 2


def friendly_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors into one red line and an exit code.

    Exit codes: 2 for what the user can mend (:class:`UserError`), 1 for a failed backend or what
    the system refused (a full disk, say), 130 for Ctrl-C. Anything else is a defect and keeps its
    traceback.
    """

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            ready_for_ctrl_c()
            return command(*args, **kwargs)
        except UserError as exc:
            _tell("error:", str(exc))
            raise typer.Exit(USER_ERROR_EXIT) from exc
        except SurgelineError as exc:
            _tell("failed:", str(exc))
            raise typer.Exit(FAILURE_EXIT) from exc
        except OSError as exc:
            refused = system_refusal(exc)
            if refused is None:
                raise
            _tell("failed:", refused)
            raise typer.Exit(FAILURE_EXIT) from exc
        except KeyboardInterrupt as exc:
            error_console().print("stopped.")
            raise typer.Exit(INTERRUPTED_EXIT) from exc

    return wrapped


def _tell(what: str, sentence: str) -> None:
    """Say what went wrong. Addresses in errors may hold passwords, which nobody must see."""
    error_console().print(Text.assemble((what, "bold red"), " ", without_credentials(sentence)))
