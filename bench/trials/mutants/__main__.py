"""``python -m bench.trials.mutants``."""

from __future__ import annotations

import typer

from bench.trials.mutants.run import main

typer.run(main)
