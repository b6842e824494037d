"""Leads commands in other terminals to the stack of ``surgeline up`` that runs in this folder."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

from common.terminal.cli import error_console
from deploy.local import statefile


def adopt_running_stack(environ: MutableMapping[str, str]) -> None:
    """Fill in the addresses of the stack that runs in the var folder; what is set stays.

    Does nothing if the user has named servers of their own: half of one stack and half of another
    would be worse than none.
    """
    if statefile.leads_elsewhere(environ):
        return
    var_dir = Path(environ.get("SURGELINE_VAR_DIR", "var"))
    found = statefile.look(var_dir)
    if found.trouble:
        error_console().print(found.trouble, style="yellow")
    if found.state is None:
        return
    for name, value in found.state.environment.items():
        environ.setdefault(name, value)
    error_console().print(
        f"using the running stack of {var_dir} (process {found.state.pid})",
        style="dim",
    )
