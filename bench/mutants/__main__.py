"""``python -m bench.mutants``."""

from __future__ import annotations

import typer

from bench.mutants.run import main

typer.run(main)
