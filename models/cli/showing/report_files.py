"""What ``surgeline evaluate`` asks of this package: intervals on screen and as JSON, the page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console

from common.files.atomic import write_text
from models.artifact.store import Artifact
from models.cli.showing.intervals import intervals_table
from models.report.comparison import Comparison
from models.report.uncertainty import Uncertainty, bootstrap, summary, uncertainty_json
from models.training.preparation.windows import Prepared


def show_uncertainty(
    comparison: Comparison, resamples: int, console: Console
) -> Uncertainty | None:
    """Print intervals and who is better; return them, or none if no draws are wanted."""
    if not resamples:
        return None
    uncertainty = bootstrap(comparison, resamples)
    console.print(intervals_table(comparison, uncertainty))
    for line in summary(comparison, uncertainty):
        console.print(line, markup=False)
    return uncertainty


def ci95(uncertainty: Uncertainty | None) -> dict[str, JsonValue]:
    """Return the entry ``ci95`` of the JSON report; nothing without intervals."""
    return {} if uncertainty is None else {"ci95": uncertainty_json(uncertainty)}


def write_html(
    path: Path,
    artifact: Artifact,
    prepared: Prepared | None,
    comparison: Comparison,
    uncertainty: Uncertainty | None,
    arguments: Sequence[str],
) -> None:
    """Write the page.

    Args:
        path: Of the file.
        artifact: The default model.
        prepared: The training file of the baselines; none if there was none.
        comparison: With its scores.
        uncertainty: Intervals; none leaves them out.
        arguments: After ``surgeline``, to make the same report again.

    Raises:
        UserError: If the file cannot be written.
    """
    # here, so that intervals alone need neither matplotlib nor Jinja
    from models.report.page import render_report

    command = shlex.join(["surgeline", *arguments])
    page = render_report(artifact, prepared, comparison, uncertainty, command)
    write_text(path, page)
