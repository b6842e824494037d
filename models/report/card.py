"""An artifact's model card: what it is, what it was made of, what it does, what it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Final

from common.cmapss.reader import Dataset
from models.artifact.evidence_sections import ThresholdSection
from models.artifact.metrics import LevelMetrics, Metrics
from models.artifact.store import Artifact
from models.evaluation.intervals import Interval, proportion_interval
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL, EngineRange
from models.report.bootstrap import draw_engines, draws, intervals
from models.report.comparison import Measured, compare
from models.report.roles import DESIGN, roles_of
from models.training.recalibration import prepare_as

RESAMPLES: Final = 1000

Found = Mapping[str, Interval | None]
"""Intervals by metric, as ``bootstrap.intervals`` names them."""

LIMITS: Final = f"""\
- Simulated engines (NASA C-MAPSS), not measured ones. Nothing here says how it does on yours.
- The label is a proxy: the data say when an engine failed, not when its fault began. Faulty means
  at most {FAULT_RUL} cycles left; alarms are called false only with more than {HEALTHY_RUL} left.
{fill(DESIGN, 100, initial_indent="- ", subsequent_indent="  ")}
- It ranks windows by how unusual they are. It does not say which fault it is, nor how long is left.
- A reading outside the operating regimes it was trained in gets no score.
- A window needs 30 cycles without a gap; the first 29 of an engine are not scored.
- Sensors it names are those that deviate most, which need not be the cause."""


def write_card(artifact: Artifact, training: Dataset, test: Dataset | None) -> str:
    """Return the card as Markdown.

    Args:
        artifact: The model.
        training: The file it was made of.
        test: The official test file, if it is there and its RUL file too.

    Raises:
        DatasetError: If ``training`` is another file.
    """
    manifest = artifact.manifest
    prepared = prepare_as(artifact, training)
    parts = [Measured(training, "heldout", prepared.split.heldout)]
    if test is not None and test.rul is not None:
        parts.append(Measured(test, "test", EngineRange(1, len(test.engines))))
    sections = [
        f"# {manifest.name}",
        f"Version `{manifest.version}`, sha256 `{artifact.sha256}`. Made by `surgeline card "
        f"--artifact {manifest.name}`; numbers below were measured then.",
        _what(artifact),
        _data(artifact),
        _choice(artifact),
        *(_results(artifact, part) for part in parts),
        f"## Limits\n\n{LIMITS}",
    ]
    return "\n\n".join(sections) + "\n"


def _what(artifact: Artifact) -> str:
    manifest = artifact.manifest
    network = manifest.network
    return "\n".join(
        [
            "## What it is",
            "",
            f"- score: `{manifest.score.name}` of the last {manifest.window_length} cycles, higher "
            "is more anomalous",
            f"- network: {network.kind}, {network.parameters:,} parameters, {network.precision}"
            if network
            else "- network: none",
            f"- sensors: {', '.join(manifest.channels)}",
            f"- operating regimes: {len(manifest.normalisation.regimes)}, found in "
            "healthy rows of the fit engines",
            _threshold("warning", manifest.thresholds.warning),
            _threshold("critical", manifest.thresholds.critical),
            *_beside(artifact),
        ]
    )


def _beside(artifact: Artifact) -> list[str]:
    """Return what is said of evidence beside the score."""
    channel, life = artifact.manifest.channel, artifact.manifest.life
    found = []
    if channel is not None:
        found.append(_threshold("warning of single channels", channel.warning))
        after = [count for count in channel.frozen_after if count]
        if after:
            found.append(
                f"- frozen: a channel that has not moved for {min(after)} readings"
                + ("" if min(after) == max(after) else f" ({max(after)} for the stillest)")
            )
    if life is not None:
        found.append(
            f"- critical, instead of by the score: a warning with at most {life.limit:.1f} cycles "
            f"expected to be left, learned on engines {life.engines}: {life.reason}"
        )
    return found


def _served(artifact: Artifact) -> list[str]:
    roles, training = roles_of(artifact.manifest), artifact.manifest.training
    both = f"{training.fit.first}-{training.validate_.last}"
    rows = [f"| {training.validate_} | {roles.validate} |"]
    return [*rows, *([f"| {both} | {', '.join(roles.together)} |"] if roles.together else [])]


def _threshold(level: str, chosen: ThresholdSection) -> str:
    options = ", ".join(f"{name}={value:g}" for name, value in chosen.options.items())
    return (
        f"- {level}: score >= {chosen.value:.4f}, by `{chosen.strategy}`"
        f"{f' ({options})' if options else ''} on engines {chosen.engines}: {chosen.reason}"
    )


def _data(artifact: Artifact) -> str:
    training = artifact.manifest.training
    return "\n".join(
        [
            "## Data",
            "",
            f"`train_{training.dataset}.txt`, sha256 `{training.data_sha256}`, split by engine in "
            "the order of the file:",
            "",
            "| engines | used for |",
            "| --- | --- |",
            f"| {training.fit} | regimes, normalisation, network, what the score learns "
            f"(healthy rows, more than {training.healthy_rul} cycles left) |",
            *_served(artifact),
            f"| {training.heldout} | only measured: no fit and no threshold comes of them |",
            "",
            f"Seed {training.seed}.",
        ]
    )


def _choice(artifact: Artifact) -> str:
    selection = artifact.manifest.selection
    if selection is None:
        return "## Why this score\n\nIt was asked for by name."
    lines = [
        "## Why this score",
        "",
        f"It has the {selection.rule} ({selection.engines}):",
        "",
        "| score | AUC | PR-AUC |",
        "| --- | --- | --- |",
        *(
            f"| {name}{' (chosen)' if name == artifact.manifest.score.name else ''} "
            f"| {found.auc:.4f} | {found.pr_auc:.4f} |"
            for name, found in selection.candidates.items()
        ),
    ]
    return "\n".join(lines)


def _results(artifact: Artifact, measured: Measured) -> str:
    name = artifact.manifest.name
    comparison = compare(artifact, None, measured)
    metrics, scored = comparison.models[name], comparison.scored[name]
    found = intervals(draws(scored, draw_engines(scored.units, RESAMPLES)), scored)
    where = "Held-out engines" if measured.split == "heldout" else "Official test file, engines"
    return "\n".join(
        [
            f"## {where} {measured.engines}",
            "",
            f"{metrics.windows:,} windows, {metrics.faulty_windows:,} of them faulty, "
            f"{metrics.healthy_windows:,} healthy. In brackets: 95 % intervals, {RESAMPLES} draws "
            "of engines; where every draw gives the same number, Wilson's of that part of as many "
            "engines.",
            "",
            "| | |",
            "| --- | --- |",
            f"| AUC | {_with_interval(metrics.auc, found, 'auc', 4)} |",
            f"| PR-AUC | {_with_interval(metrics.pr_auc, found, 'pr_auc', 4)} |",
            *_level_rows("warning", metrics, found),
            *_level_rows("critical", metrics, found),
        ]
    )


def _level_rows(level: str, metrics: Metrics, found: Found) -> list[str]:
    at: LevelMetrics = getattr(metrics, level)
    caught = proportion_interval(at.engines_caught, at.engines)
    bounds = f" ({caught.low:.2f} to {caught.high:.2f})" if caught else ""
    return [
        *(
            f"| {level}: {label} | {_with_interval(getattr(at, key), found, f'{level}.{key}', n)} |"
            for key, label, n in (
                ("f1", "F1", 3),
                ("precision", "precision", 3),
                ("recall", "recall", 3),
                ("false_alarms_per_1000", "anomalous of 1000 healthy cycles", 1),
                ("lead_mean", "mean lead, cycles", 1),
            )
        ),
        f"| {level}: engines caught | {at.engines_caught} of {at.engines}{bounds} |",
    ]


def _with_interval(value: float | None, found: Found, name: str, digits: int) -> str:
    if value is None:
        return "-"
    bounds = found[name]
    if bounds is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({' to '.join(bounds.written(digits))})"
