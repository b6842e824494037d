"""How to install what is left out of a plain installation: the one place that says it.

Surgeline is on no package index, so a command that names it there would fetch nothing, or something
else. What works is said from the folder it runs from.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

Extra = Literal["local", "postgres", "tables", "train", "mlflow"]
"""The optional dependencies of ``pyproject.toml`` that a command may need."""

CHECKOUT = Path(__file__).parents[2]


def how_to_install(*extras: Extra) -> str:
    """Return the sentence that says how to install some extras here."""
    wanted = ",".join(extras)
    names = " and ".join(f"`{extra}`" for extra in extras)
    word = "extra" if len(extras) == 1 else "extras"
    if not (CHECKOUT / "pyproject.toml").is_file():
        return (
            f"It comes with the {word} {names}: install Surgeline from its checkout, "
            f"`pip install '/path/to/surgeline[{wanted}]'`."
        )
    return (
        f"It comes with the {word} {names}. Install all extras with `make setup` in {CHECKOUT}, or "
        f"only this with `{sys.executable} -m pip install -e '{CHECKOUT}[{wanted}]'`."
    )
